"""A partition of a topic of minutes (`records`)."""

from __future__ import annotations

from collections.abc import Callable

from faultprint.monitor.base.interfaces import Batch
from faultprint.monitor.deliver.delivery import Log
from faultprint.monitor.kafka import records
from faultprint.monitor.kafka.clock import LogClock
from faultprint.monitor.kafka.partition import CROWDED, SOURCE, Partition
from faultprint.monitor.kafka.records import Row, WatermarkRecord
from faultprint.monitor.monitor import Monitor


class MinutesPartition(Partition):
    """Rows go to the gate as they come; what makes a minute final goes by itself, however many records are read at a time."""

    def __init__(self, number: int, monitor: Monitor, clock: LogClock, tell: Log, close: Callable[[], None]) -> None:
        super().__init__(number, monitor, clock, tell, close)
        self._features = frozenset(monitor.model.catalogue.names)
        self._rows: dict[str, list[Row]] = {}
        self._newest = -1

    def record(self, sender: str, value: str | bytes | None, offset: int) -> None:
        found = records.decode(value, self._features)
        if isinstance(found, WatermarkRecord):
            self._mark(sender, found)
        else:
            self._row(sender, found, offset)

    def flush(self) -> None:
        gathered, self._rows = self._rows, {}
        for sender, rows in gathered.items():
            table, reasons = records.sound(rows, self.monitor.model.catalogue, self.monitor.buffer.interval_us)
            for reason in reasons:
                self.skip(reason)
            if len(table):
                self._give(Batch(table, None, sender))

    def tick(self) -> None:
        if not self.again:
            self.monitor.process(SOURCE, Batch(None, None))

    def _row(self, sender: str, row: Row, offset: int) -> None:
        minute = row["minute"] // self.monitor.buffer.interval_us
        if self.again and minute <= self.monitor.buffer.closed:
            return
        self.wait(minute, offset)
        self._rows.setdefault(sender if self.may_promise(sender) else "", []).append(row)
        if minute > self._newest:
            self._newest = minute
            self.flush()

    def _mark(self, sender: str, mark: WatermarkRecord) -> None:
        self.flush()
        if self.may_promise(sender):
            self._give(Batch(None, mark.complete_us, sender))
        else:
            self.refuse(CROWDED)

    def _give(self, batch: Batch) -> None:
        if self.again:
            self.monitor.buffer.take(SOURCE, batch, self.clock.now_us())
        else:
            self.monitor.process(SOURCE, batch)
