"""One partition of the topic: records in, minutes judged; a whole monitor with a state of its own.

Minutes become final, and verdicts are given, by what lies on the log in its order, so that another monitor which takes the
partition up from an older state comes to the same verdicts, the same incidents and the same messages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from faultprint.errors import TableError
from faultprint.monitor.courier import Tell
from faultprint.monitor.kafka import records
from faultprint.monitor.kafka.clock import LogClock
from faultprint.monitor.kafka.position import Position
from faultprint.monitor.kafka.records import Mark, Row
from faultprint.monitor.ports import Batch
from faultprint.monitor.watch import Monitor

if TYPE_CHECKING:
    from confluent_kafka import Message

SOURCE: Final = "kafka"
UNREADABLE: Final = "unreadable"
ORIGINS: Final = 1000
"""Senders whose promises are kept; the marks of further ones are refused."""


class Partition:
    """`close` ends its monitor; the state on disk is then that of the last finished minute."""

    def __init__(self, number: int, monitor: Monitor, clock: LogClock, tell: Tell, close: Callable[[], None]) -> None:
        """Take up where the monitor's state left off. Raises UsageError."""
        self.number, self.monitor, self.clock, self.close = number, monitor, clock, close
        self._tell, self._said = tell, False
        self._features = frozenset(monitor.model.catalogue.names)
        self.position = Position.recall(monitor.store.facts(), monitor.gate)
        self.kept = self.position.following
        """Offset at which the state on disk goes on; None: there is none."""
        monitor.memory.beside = self._facts
        self._again = self.position.again
        self._rows: dict[str, list[Row]] = {}
        self._newest = -1

    @property
    def done(self) -> tuple[int, int]:
        """Minutes and instructions that its monitor has dealt with."""
        return self.monitor.tallies.minutes, self.monitor.tallies.instructions

    def stop_couriers(self) -> None:
        """Nothing is delivered from now on."""
        for courier in self.monitor.couriers:
            courier.stop()

    def begin(self, offset: int) -> None:
        """Reading begins there."""
        self.position.following = offset
        self._again = self.position.again

    def take(self, messages: Sequence[Message]) -> None:
        """Records in the order of the log."""
        for message in messages:
            self._record(message)
        self._flush()

    def reached_end(self, offset: int) -> None:
        """There is nothing more to read for now: `offset` is the next that will be written."""
        self.position.following = self.position.seen = offset
        self._know(again=False)
        self.clock.behind = False

    def tick(self) -> None:
        """Nothing was read; time has passed all the same, and people may have asked for something."""
        if not self._again:
            self.monitor.take(SOURCE, Batch(None, None))

    def _record(self, message: Message) -> None:
        offset = message.offset()
        assert offset is not None
        self.position.following = offset + 1
        self.clock.heard(message.timestamp()[1] * 1000)
        sender = records.origin(message.headers())  # type: ignore[arg-type]  # a dict goes in, but never comes out
        try:
            found = records.decode(message.value(), self._features)
        except TableError as error:
            self._skip(offset, str(error))
        else:
            if isinstance(found, Mark):
                self._mark(sender, found)
            else:
                self._row(sender, found, offset)
        self._know(again=self.position.again)

    def _know(self, *, again: bool) -> None:
        """Once all is known again that was known before a restart, judging goes on."""
        if self._again and not again:
            self._flush()
            self._again = False
            self.tick()

    def _row(self, sender: str, row: Row, offset: int) -> None:
        gate = self.monitor.gate
        minute = row["minute"] // gate.interval_us
        if self._again and minute <= gate.closed:
            return
        # The gate refuses what is further ahead; when the row gets there, the clock may have moved a little.
        if (minute + 1) * gate.interval_us <= self.clock.now_us() + 2 * gate.ahead_us + gate.interval_us:
            self.position.wait(minute, offset)
        self._rows.setdefault(sender if self._may_promise(sender) else "", []).append(row)
        if minute > self._newest:
            # A newer minute may make others final: exactly here, however many records are read at a time.
            self._newest = minute
            self._flush()

    def _mark(self, sender: str, mark: Mark) -> None:
        self._flush()
        if self._may_promise(sender):
            self._give(Batch(None, mark.complete_us, sender))
        else:
            self.monitor.gate.refused[SOURCE, "crowded"] += 1

    def _may_promise(self, sender: str) -> bool:
        promises = self.monitor.gate.promises
        return (SOURCE, sender) in promises or len(promises) < ORIGINS

    def _flush(self) -> None:
        """Hand over the rows that were gathered."""
        gathered, self._rows = self._rows, {}
        for sender, rows in gathered.items():
            table, reasons = records.sound(rows, self.monitor.model.catalogue, self.monitor.gate.interval_us)
            for reason in reasons:
                self._skip(self.position.following, reason)
            if len(table):
                self._give(Batch(table, None, sender))

    def _facts(self) -> Mapping[str, str]:
        """Written with each minute."""
        gate = self.monitor.gate
        self.kept = self.position.anew(gate.closed)
        return self.position.facts(gate)

    def _give(self, batch: Batch) -> None:
        if self._again:
            self.monitor.gate.take(SOURCE, batch, self.clock.now_us())
        else:
            self.monitor.take(SOURCE, batch)

    def _skip(self, offset: int | None, reason: str) -> None:
        """Count a record that nobody can read; say so of the first."""
        self.monitor.gate.refused[SOURCE, UNREADABLE] += 1
        if not self._said:
            self._said = True
            self._tell("record unreadable", partition=self.number, offset=offset, detail=reason)
