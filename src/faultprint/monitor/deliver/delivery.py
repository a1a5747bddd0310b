"""A sink's courier: a thread that takes messages from the outbox to the sender, in order, until told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

import numpy as np

from faultprint.errors import StateError
from faultprint.monitor.base.interfaces import Clock
from faultprint.monitor.base.retry import RetryUntilWritten
from faultprint.monitor.deliver.outbox import Outbox, Waiting
from faultprint.monitor.deliver.sink import Sink
from faultprint.monitor.state.connect import State
from faultprint.publish.message import DeliveryOutcome, Message, Receipt
from faultprint.publish.senders.backoff import Backoff

T = TypeVar("T")
Log = Callable[..., None]
"""tell(event, **fields): a line in the log."""

IDLE_S: Final = 0.5
"""How long a courier waits for work without being woken."""
_ALONE: Final = frozenset({404, 405})
"""Answers that refuse a batch but perhaps not its messages: the receiver may have no such path."""


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


class DeliveryWorker(threading.Thread):
    """`stop` ends it after the message in hand; `drain` waits until all is delivered first."""

    def __init__(
        self, sink: Sink, state: State, limit: int, backoff: Backoff, rng: np.random.Generator, clock: Clock, tell: Log
    ) -> None:
        super().__init__(name=f"courier of {sink.name}", daemon=True)
        self.sink = sink
        self.counts = Deliveries()
        self._state, self._limit = state, limit
        self._backoff, self._rng, self._clock = backoff, rng, clock
        self._tell = partial(tell, sink=sink.name)
        self._over, self._work, self._empty = threading.Event(), threading.Event(), threading.Event()
        self._insistence = RetryUntilWritten("outbox", self._tell, self._over.wait)
        self._retries, self._tried, self._alone = 0, 0, 0

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
                self._round(outbox)
        except StateError as error:  # stopped while the state was away
            self._tell("outbox left as it was", detail=str(error))
        finally:
            outbox.close()
            self.sink.sender.close()

    def _round(self, outbox: Outbox) -> None:
        """Send what waits, or wait for it."""
        if dropped := self._insist(lambda: outbox.overflow(self._clock.now_us())):
            self.counts.overflowed += dropped
            self._tell("messages put aside", count=dropped, reason="outbox full")
        found, self.counts.waiting = self._insist(lambda: (outbox.oldest(), len(outbox)))
        if not found:
            # Set before waiting: `wake` clears it, and whatever was kept before `wake` is seen by the next look.
            if not self._work.is_set():
                self._empty.set()
            self._work.wait(IDLE_S)
        while found and not self._over.is_set():
            done = self._deliver(outbox, found)
            if not done:
                return  # what waits may have changed meanwhile
            del found[:done]

    def _deliver(self, outbox: Outbox, found: list[Waiting]) -> int:
        """Send the first of `found`, or several of them as one; how many are done with."""
        messages = [waiting.message for waiting in found]
        # What is tried again holds the same messages, so that its receiver may know it by its id.
        message, count = (messages[0], 1) if self._alone else self.sink.join(messages[: self._tried or None])
        if self.counts.since is None:
            self.counts.since = time.monotonic()
        receipt = self._send(message)
        if count > 1 and (receipt.outcome is DeliveryOutcome.REJECTED or receipt.status in _ALONE):
            self._tell("batch rejected", message=message.id, messages=count, detail=receipt.detail)
            self._tried, self._alone = 0, count  # one of them may be to blame: it is to be put aside alone
            return 0
        if receipt.outcome in (DeliveryOutcome.LATER, DeliveryOutcome.REFUSED):
            self._missed(message, count, receipt)
            return 0
        self._settle(outbox, found[:count], receipt)
        return count

    def _send(self, message: Message) -> Receipt:
        try:
            return self.sink.sender.send(message)
        except Exception as error:  # a sender that breaks its promise must not end the courier
            return Receipt(DeliveryOutcome.LATER, detail=f"{type(error).__name__}: {error}"[:200])

    def _missed(self, message: Message, count: int, receipt: Receipt) -> None:
        """It did not arrive: say so once, and pause."""
        self.counts.retried += 1
        self._retries += 1
        self._tried = count
        if not self.counts.away:
            self.counts.away = True
            self._tell("sink away", outcome=receipt.outcome.value, message=message.id, detail=receipt.detail)
        self._over.wait(self._backoff.pause(min(self._retries, 30), self._rng))

    def _settle(self, outbox: Outbox, some: list[Waiting], receipt: Receipt) -> None:
        """They are done with: take them out of the outbox, whatever the state says, so that none is sent again."""
        if receipt.outcome is DeliveryOutcome.DELIVERED:
            self._insist(lambda: outbox.delivered(some))
            self.counts.delivered += len(some)
        else:
            (one,) = some
            self._insist(lambda: outbox.put_aside(one, receipt.detail, self._clock.now_us()))
            self.counts.rejected += 1
            self._tell("message rejected", message=one.message.id, detail=receipt.detail)
        if self.counts.away:
            self.counts.away = False
            self._tell("sink back", retries=self._retries)
        self.counts.since = None
        self._retries, self._tried, self._alone = 0, 0, max(self._alone - 1, 0)

    def _insist(self, act: Callable[[], T]) -> T:
        return self._insistence.until_done(act, self._over.is_set)
