"""One partition of the input topic: reads records and drives a complete monitor with its own state.

Only the records and their order decide when a minute is final and what its verdict is. A monitor that continues from an older
state therefore produces the same verdicts, incidents and messages.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from faultprint.errors import TableError
from faultprint.monitor.base.log import Log
from faultprint.monitor.kafka import records
from faultprint.monitor.kafka.clock import LogClock
from faultprint.monitor.kafka.position import ReadPosition
from faultprint.monitor.monitor import Monitor

if TYPE_CHECKING:
    from confluent_kafka import Message

SOURCE: Final = "kafka"
"""The name of this source in metrics."""
UNREADABLE: Final = "unreadable"
OVER_LIMIT: Final = "over_limit"
TOO_EARLY: Final = "too_early"
"""Reasons why a record is not used, as in metrics."""
MAX_SENDERS: Final = 1000
"""Maximum number of senders whose watermarks are kept; those of further senders are rejected."""


class Partition(ABC):
    """Subclasses know the payload of the topic. After `close` the state on disk is that of the last finished minute."""

    def __init__(self, number: int, monitor: Monitor, clock: LogClock, log: Log, close: Callable[[], None]) -> None:
        """Restores the read position from the monitor's state. Raises UsageError if that was changed by hand."""
        self.number, self.monitor, self.clock, self.close = number, monitor, clock, close
        self._log, self._unreadable_logged = log, False
        self.position = ReadPosition.restore(monitor.store.facts(), monitor.buffer)
        clock.advance_to(monitor.buffer.now_us)
        self.resume_offset = self.position.next_offset
        """Offset at which a reader of the state on disk must begin; None: there is no state."""
        monitor.persistence.extra_facts = self.facts
        self.replaying = self.position.replaying
        """Whether the current records were read before the restart. No minute is finished during a replay."""

    @abstractmethod
    def handle_record(self, sender: str, value: str | bytes | None, offset: int) -> None:
        """Process one record. Raises TableError if it cannot be read."""

    @abstractmethod
    def flush(self) -> None:
        """Process what was collected from the records so far."""

    @abstractmethod
    def tick(self) -> None:
        """Finish the minutes that are final now, and execute the commands of operators."""

    def facts(self) -> Mapping[str, str]:
        """What is stored with each minute, in addition to the monitor's own state."""
        buffer = self.monitor.buffer
        self.resume_offset = self.position.resume_offset(buffer.closed)
        return self.position.facts(buffer)

    @property
    def processed(self) -> tuple[int, int]:
        """Number of minutes and of commands that the monitor has processed."""
        return self.monitor.counters.minutes, self.monitor.counters.commands

    def stop_delivery(self) -> None:
        """Stop sending messages to sinks."""
        for worker in self.monitor.workers:
            worker.stop()

    def start_reading(self, offset: int) -> None:
        """Reading begins at `offset`. An offset before the stored one means that the log was created again."""
        if self.resume_offset is not None and offset < self.resume_offset:
            self.resume_offset = None
        self.position.next_offset = offset
        self.replaying = self.position.replaying

    def handle_messages(self, messages: Sequence[Message]) -> None:
        """Process records in the order of the log."""
        for message in messages:
            self._handle_message(message)
        self.flush()

    def handle_end(self, offset: int) -> None:
        """The end of the log is reached; `offset` is that of the next record to be written."""
        self.position.next_offset = self.position.replay_end = offset
        self._end_replay(replaying=False)
        self.clock.catching_up = False

    def _handle_message(self, message: Message) -> None:
        offset = message.offset()
        assert offset is not None
        self.position.next_offset = offset + 1
        self.clock.observe(message.timestamp()[1] * 1000)
        sender = records.sender_of(message.headers())  # type: ignore[arg-type]  # never a dict in a message that was read
        try:
            self.handle_record(sender, message.value(), offset)
        except TableError as error:
            self.skip_unreadable(str(error))
        self._end_replay(replaying=self.position.replaying)

    def _end_replay(self, *, replaying: bool) -> None:
        """When the replay is over, finish what became final meanwhile."""
        if self.replaying and not replaying:
            self.flush()
            self.replaying = False
            self.tick()

    def accepts_sender(self, sender: str) -> bool:
        """Whether the watermark of this sender is kept, or can be."""
        watermarks = self.monitor.buffer.watermarks
        return (SOURCE, sender) in watermarks or len(watermarks) < MAX_SENDERS

    def add_waiting(self, minute: int, offset: int) -> None:
        """Note that the record at `offset` waits in memory until the minute of this number is final."""
        buffer = self.monitor.buffer
        # The buffer refuses minutes further in the future. The clock may advance a little until the buffer checks.
        if (minute + 1) * buffer.interval_us <= self.clock.now_us() + 2 * buffer.ahead_us + buffer.interval_us:
            self.position.add_waiting(minute, offset)

    def reject(self, reason: str) -> None:
        """Count a record that is not used."""
        self.monitor.buffer.refused[SOURCE, reason] += 1

    def skip_unreadable(self, reason: str) -> None:
        """Count a record that cannot be read, and log the first one."""
        self.reject(UNREADABLE)
        if not self._unreadable_logged:
            self._unreadable_logged = True
            self._log("record_unreadable", partition=self.number, before=self.position.next_offset, detail=reason)
