"""A sink's courier: a thread that takes messages from the outbox to the sender, in order, until told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from faultprint.errors import StateError
from faultprint.monitor.outbox import Outbox, Waiting
from faultprint.monitor.ports import Clock
from faultprint.monitor.state import State
from faultprint.publish.backoff import Backoff
from faultprint.publish.incident import Incident
from faultprint.publish.message import Message, Outcome, Receipt, Sender

Tell = Callable[..., None]
"""tell(event, **fields): a line in the log."""

IDLE_S: Final = 0.5
"""How long a courier waits for work without being woken."""


@dataclass(frozen=True, slots=True)
class Sink:
    """Somebody to be told: `encode` makes the messages of an incident's last change, `sender` takes them away."""

    name: str
    encode: Callable[[Incident], tuple[Message, ...]]
    sender: Sender


@dataclass(slots=True)
class Deliveries:
    """What became of a sink's messages so far; `away`: it is not receiving now."""

    delivered: int = 0
    retried: int = 0
    rejected: int = 0
    overflowed: int = 0
    waiting: int = 0
    away: bool = False
    since: float | None = None
    """When the message whose turn it is was first tried, by `time.monotonic`; None: none waits."""

    @property
    def tried_seconds(self) -> float:
        """How long the message whose turn it is has been tried."""
        since = self.since
        return 0.0 if since is None else time.monotonic() - since


class Courier(threading.Thread):
    """`stop` ends it after the message in hand; `drain` waits until all is delivered first."""

    def __init__(
        self, sink: Sink, state: State, limit: int, backoff: Backoff, rng: np.random.Generator, clock: Clock, tell: Tell
    ) -> None:
        super().__init__(name=f"courier of {sink.name}", daemon=True)
        self.sink = sink
        self.counts = Deliveries()
        self._state, self._limit = state, limit
        self._backoff, self._rng, self._clock, self._tell = backoff, rng, clock, tell
        self._over, self._work, self._empty = threading.Event(), threading.Event(), threading.Event()

    def wake(self) -> None:
        """There is something to send."""
        self._empty.clear()
        self._work.set()

    def drain(self, seconds: float) -> bool:
        """Wait until nothing waits any more, at most so long; whether that came about."""
        return self._empty.wait(seconds)

    def stop(self) -> None:
        """End, and let go of the sender."""
        self._over.set()
        self._work.set()
        if self.ident is None:
            self.sink.sender.close()  # it was never started
        elif self.is_alive():
            self.join()

    def run(self) -> None:
        outbox = Outbox(self._state, self.sink.name, self._limit)
        try:
            while not self._over.is_set():
                self._work.clear()
                try:
                    self._bound(outbox)
                    self._round(outbox)
                except StateError:
                    self._over.wait(IDLE_S)
        finally:
            outbox.close()
            self.sink.sender.close()

    def _bound(self, outbox: Outbox) -> None:
        """Put aside what is too much, and say so."""
        if dropped := outbox.overflow(self._clock.now_us()):
            self.counts.overflowed += dropped
            self._tell("messages put aside", sink=self.sink.name, count=dropped, reason="outbox full")

    def _round(self, outbox: Outbox) -> None:
        """Send what waits, or wait for it."""
        found = outbox.oldest()
        self.counts.waiting = len(outbox) if found else 0
        if not found:
            self.counts.since = None
            # Set before waiting: `wake` clears it, and whatever was kept before `wake` is seen by the next look.
            if not self._work.is_set():
                self._empty.set()
            self._work.wait(IDLE_S)
            return
        for waiting in found:
            retry = 0
            self.counts.since = time.monotonic()
            while not self._over.is_set() and not self._settle(outbox, waiting, self._send(waiting.message), retry):
                retry += 1
                self._over.wait(self._backoff.pause(min(retry, 30), self._rng))
            if self._over.is_set():
                return

    def _send(self, message: Message) -> Receipt:
        try:
            return self.sink.sender.send(message)
        except Exception as error:  # a sender that breaks its promise must not end the courier
            return Receipt(Outcome.LATER, detail=f"{type(error).__name__}: {error}"[:200])

    def _settle(self, outbox: Outbox, waiting: Waiting, receipt: Receipt, retry: int) -> bool:
        """Act on a receipt; whether the message is done with."""
        facts: dict[str, Any] = {"sink": self.sink.name, "message": waiting.message.id, "detail": receipt.detail}
        if receipt.outcome is Outcome.DELIVERED:
            self._insist(lambda: outbox.delivered(waiting))
            self.counts.delivered += 1
        elif receipt.outcome is Outcome.REJECTED:
            self._insist(lambda: outbox.put_aside(waiting, receipt.detail, self._clock.now_us()))
            self.counts.rejected += 1
            self._tell("message rejected", **facts)
        else:
            self.counts.retried += 1
            if not self.counts.away:  # said once, not with every attempt
                self.counts.away = True
                self._tell("sink away", outcome=receipt.outcome.value, **facts)
            self._bound(outbox)
            self.counts.waiting = len(outbox)
            return False
        if self.counts.away:
            self.counts.away = False
            self._tell("sink back", sink=self.sink.name, retries=retry)
        return True

    def _insist(self, act: Callable[[], None]) -> None:
        """Do what a receipt asks for as soon as the state takes it, so that what was delivered is not sent again.

        Raises StateError when told to stop: then it is sent again after a restart, under its id.
        """
        while True:
            try:
                return act()
            except StateError:
                if self._over.wait(IDLE_S):
                    raise
