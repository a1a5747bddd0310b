"""One partition of the topic: records in, minutes judged; a whole monitor with a state of its own.

Minutes become final, and verdicts are given, by what lies on the log in its order, so that another monitor which takes the
partition up from an older state comes to the same verdicts, the same incidents and the same messages.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from faultprint.errors import TableError
from faultprint.monitor.deliver.delivery import Log
from faultprint.monitor.kafka import records
from faultprint.monitor.kafka.clock import LogClock
from faultprint.monitor.kafka.position import Position
from faultprint.monitor.monitor import Monitor

if TYPE_CHECKING:
    from confluent_kafka import Message

SOURCE: Final = "kafka"
UNREADABLE: Final = "unreadable"
CROWDED: Final = "crowded"
ORIGINS: Final = 1000
"""Senders whose promises are kept; the marks of further ones are refused."""


class Partition(ABC):
    """`close` ends its monitor; the state on disk is then that of the last finished minute.

    What lies on the topic is the business of those that come of this class.
    """

    def __init__(self, number: int, monitor: Monitor, clock: LogClock, tell: Log, close: Callable[[], None]) -> None:
        """Take up where the monitor's state left off. Raises UsageError."""
        self.number, self.monitor, self.clock, self.close = number, monitor, clock, close
        self._tell, self._said = tell, False
        self.position = Position.recall(monitor.store.facts(), monitor.buffer)
        clock.reach(monitor.buffer.now_us)
        self.kept = self.position.following
        """Offset at which the state on disk goes on; None: there is none."""
        monitor.persistence.beside = self.facts
        self.again = self.position.again
        """Whether what comes was known before a restart, so that nothing is to be judged yet."""

    @abstractmethod
    def record(self, sender: str, value: str | bytes | None, offset: int) -> None:
        """Deal with a record. Raises TableError for one that cannot be read."""

    @abstractmethod
    def flush(self) -> None:
        """Deal with what was gathered of the records so far."""

    @abstractmethod
    def tick(self) -> None:
        """Judge what is final by now, and do what people may have asked for."""

    def facts(self) -> Mapping[str, str]:
        """Written with each minute."""
        gate = self.monitor.buffer
        self.kept = self.position.anew(gate.closed)
        return self.position.facts(gate)

    @property
    def done(self) -> tuple[int, int]:
        """Minutes and instructions that its monitor has dealt with."""
        return self.monitor.counters.minutes, self.monitor.counters.instructions

    def stop_couriers(self) -> None:
        """Nothing is delivered from now on."""
        for courier in self.monitor.workers:
            courier.stop()

    def begin(self, offset: int) -> None:
        """Reading begins there; if that is before what the state knows, the log has been begun anew."""
        if self.kept is not None and offset < self.kept:
            self.kept = None
        self.position.following = offset
        self.again = self.position.again

    def take(self, messages: Sequence[Message]) -> None:
        """Records in the order of the log."""
        for message in messages:
            self._record(message)
        self.flush()

    def reached_end(self, offset: int) -> None:
        """There is nothing more to read for now: `offset` is the next that will be written."""
        self.position.following = self.position.seen = offset
        self._know(again=False)
        self.clock.behind = False

    def _record(self, message: Message) -> None:
        offset = message.offset()
        assert offset is not None
        self.position.following = offset + 1
        self.clock.heard(message.timestamp()[1] * 1000)
        sender = records.origin(message.headers())  # type: ignore[arg-type]  # a dict goes in, but never comes out
        try:
            self.record(sender, message.value(), offset)
        except TableError as error:
            self.skip(str(error))
        self._know(again=self.position.again)

    def _know(self, *, again: bool) -> None:
        """Once all is known again that was known before a restart, judging goes on."""
        if self.again and not again:
            self.flush()
            self.again = False
            self.tick()

    def may_promise(self, sender: str) -> bool:
        """Whether there is room for the sender's promise."""
        promises = self.monitor.buffer.promises
        return (SOURCE, sender) in promises or len(promises) < ORIGINS

    def wait(self, minute: int, offset: int) -> None:
        """What came with the record at `offset` waits for the minute of this number to be final."""
        gate = self.monitor.buffer
        # The gate refuses what is further ahead; when it gets there, the clock may have moved a little.
        if (minute + 1) * gate.interval_us <= self.clock.now_us() + 2 * gate.ahead_us + gate.interval_us:
            self.position.wait(minute, offset)

    def refuse(self, reason: str) -> None:
        """Count what is not taken."""
        self.monitor.buffer.refused[SOURCE, reason] += 1

    def skip(self, reason: str) -> None:
        """Count a record that nobody can read; say so of the first."""
        self.refuse(UNREADABLE)
        if not self._said:
            self._said = True
            self._tell("record unreadable", partition=self.number, before=self.position.following, detail=reason)
