"""The delivery worker of a sink: a thread that sends the messages of the outbox in order."""

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
from faultprint.monitor.base.location import StateLocation
from faultprint.monitor.base.log import Log
from faultprint.monitor.base.retry import RetryUntilWritten
from faultprint.monitor.deliver.outbox import Outbox, Waiting
from faultprint.monitor.deliver.sink import Sink
from faultprint.publish.message import DeliveryOutcome, Message, Receipt
from faultprint.publish.senders.backoff import Backoff

T = TypeVar("T")

IDLE_S: Final = 0.5
"""Longest wait for new messages without `wake`, seconds."""
_NO_BATCH: Final = frozenset({404, 405})
"""HTTP statuses after which a batch is sent message by message: the receiver may have no path for batches."""


@dataclass(slots=True)
class DeliveryCounts:
    """Counts of the messages of a sink. `rejected`, `overflowed`: dead letters; `unreachable`: the last attempt failed."""

    delivered: int = 0
    retried: int = 0
    rejected: int = 0
    overflowed: int = 0
    waiting: int = 0
    unreachable: bool = False
    first_tried: float | None = None
    """First attempt for the oldest message, by `time.monotonic`; None: no message waits."""

    @property
    def tried_seconds(self) -> float:
        """Time since the first attempt for the oldest message."""
        first_tried = self.first_tried  # the worker may reset it meanwhile
        return 0.0 if first_tried is None else time.monotonic() - first_tried


class DeliveryWorker(threading.Thread):
    """`stop` ends it after the current message; `drain` waits until all messages are delivered."""

    def __init__(
        self,
        sink: Sink,
        state: StateLocation,
        limit: int,
        backoff: Backoff,
        rng: np.random.Generator,
        clock: Clock,
        log: Log,
    ) -> None:
        super().__init__(name=f"delivery to {sink.name}", daemon=True)
        self.sink = sink
        self.counts = DeliveryCounts()
        self.failure: Exception | None = None
        """What ended the thread."""
        self._state, self._limit = state, limit
        self._backoff, self._rng, self._clock = backoff, rng, clock
        self._log = partial(log, sink=sink.name)
        self._stopped, self._work, self._empty = threading.Event(), threading.Event(), threading.Event()
        self._retry_write = RetryUntilWritten("outbox", self._log, self._stopped.wait)
        self._retries, self._tried, self._single = 0, 0, 0

    def wake(self) -> None:
        """Look for new messages now."""
        self._empty.clear()
        self._work.set()

    def drain(self, seconds: float) -> bool:
        """Wait until the outbox is empty, at most `seconds`; whether it is."""
        return self._empty.wait(seconds)

    def stop(self) -> None:
        """End the thread and close the sender."""
        self._stopped.set()
        self._work.set()
        if self.ident is None:
            self.sink.sender.close()  # the thread was never started
        elif self.is_alive():
            self.join()

    def run(self) -> None:
        try:
            self._run()
        except Exception as error:  # the main loop sees that the thread has ended, and ends with this reason
            self.failure = error
            self._log("thread_ended", thread=self.name, detail=f"{type(error).__name__}: {error}"[:500])

    def _run(self) -> None:
        outbox = Outbox(self._state, self.sink.name, self._limit)
        try:
            while not self._stopped.is_set():
                self._work.clear()
                self._send_waiting(outbox)
        except StateError as error:  # stopped while the state was not available
            self._log("outbox_not_updated", detail=str(error))
        finally:
            outbox.close()
            self.sink.sender.close()

    def _send_waiting(self, outbox: Outbox) -> None:
        """Send the waiting messages, or wait for new ones."""
        if dropped := self._retry(lambda: outbox.overflow(self._clock.now_us())):
            self.counts.overflowed += dropped
            self._log("messages_dead_lettered", count=dropped, reason="overflow")
        if unreadable := self._retry(lambda: outbox.set_unreadable_aside(self._clock.now_us())):
            self.counts.rejected += unreadable
            self._log("messages_dead_lettered", count=unreadable, reason="unreadable")
        waiting_messages, self.counts.waiting = self._retry(lambda: (outbox.oldest(), len(outbox)))
        if not waiting_messages:
            # Set before waiting: `wake` clears it, and the next look sees all messages saved before `wake`.
            if not self._work.is_set():
                self._empty.set()
            self._work.wait(IDLE_S)
        while waiting_messages and not self._stopped.is_set():
            done = self._deliver(outbox, waiting_messages)
            if not done:
                return  # the outbox may have changed meanwhile
            del waiting_messages[:done]

    def _deliver(self, outbox: Outbox, waiting_messages: list[Waiting]) -> int:
        """Send the first message, or several as a batch; returns how many are finished."""
        messages = [waiting.message for waiting in waiting_messages]
        # A retry sends the same messages, so that the receiver can recognise the batch by its id.
        message, count = (messages[0], 1) if self._single else self.sink.batch(messages[: self._tried or None])
        if self.counts.first_tried is None:
            self.counts.first_tried = time.monotonic()
        receipt = self._send(message)
        if count > 1 and (receipt.outcome is DeliveryOutcome.REJECTED or receipt.status in _NO_BATCH):
            self._log("batch_rejected", message=message.id, messages=count, detail=receipt.detail)
            self._tried, self._single = 0, count  # send them one by one, so that only the invalid one is dead-lettered
            return 0
        if receipt.outcome in (DeliveryOutcome.RETRY, DeliveryOutcome.REFUSED):
            self._failed(message, count, receipt)
            return 0
        self._finish(outbox, waiting_messages[:count], receipt)
        return count

    def _send(self, message: Message) -> Receipt:
        try:
            return self.sink.sender.send(message)
        except Exception as error:  # a defect of a sender must not end the worker
            return Receipt(DeliveryOutcome.RETRY, detail=f"{type(error).__name__}: {error}"[:200])

    def _failed(self, message: Message, count: int, receipt: Receipt) -> None:
        """An attempt failed: log it once, and pause."""
        self.counts.retried += 1
        self._retries += 1
        self._tried = count
        if not self.counts.unreachable:
            self.counts.unreachable = True
            self._log("sink_unreachable", outcome=receipt.outcome.value, message=message.id, detail=receipt.detail)
        self._stopped.wait(self._backoff.pause(min(self._retries, 30), self._rng))

    def _finish(self, outbox: Outbox, finished: list[Waiting], receipt: Receipt) -> None:
        """Remove finished messages from the outbox; retries until that is written, so that none is sent twice."""
        if receipt.outcome is DeliveryOutcome.DELIVERED:
            self._retry(lambda: outbox.delivered(finished))
            self.counts.delivered += len(finished)
        else:
            (waiting,) = finished
            self._retry(lambda: outbox.dead_letter(waiting, receipt.detail, self._clock.now_us()))
            self.counts.rejected += 1
            self._log(
                "messages_dead_lettered", count=1, reason="rejected", message=waiting.message.id, detail=receipt.detail
            )
        if self.counts.unreachable:
            self.counts.unreachable = False
            self._log("sink_reachable", retries=self._retries)
        self.counts.first_tried = None
        self._retries, self._tried, self._single = 0, 0, max(self._single - 1, 0)

    def _retry(self, act: Callable[[], T]) -> T:
        return self._retry_write.retry(act, self._stopped.is_set)
