"""A partition of a topic whose payload is minutes (record format: `records`)."""

from __future__ import annotations

from collections.abc import Callable

from faultprint.monitor.base.interfaces import Batch
from faultprint.monitor.base.log import Log
from faultprint.monitor.kafka import records
from faultprint.monitor.kafka.clock import LogClock
from faultprint.monitor.kafka.partition import OVER_LIMIT, SOURCE, Partition
from faultprint.monitor.kafka.records import Row, WatermarkRecord
from faultprint.monitor.monitor import Monitor


class MinutesPartition(Partition):
    """Adds rows to the monitor's watermark buffer.

    Whatever can finish a minute is added alone, so that the result does not depend on how many records are read at once.
    """

    def __init__(self, number: int, monitor: Monitor, clock: LogClock, log: Log, close: Callable[[], None]) -> None:
        super().__init__(number, monitor, clock, log, close)
        self._features = frozenset(monitor.model.catalogue.names)
        self._rows: dict[str, list[Row]] = {}
        """Sender → rows that are not yet added; the sender is empty if its watermark is not kept."""
        self._newest_minute = -1

    def handle_record(self, sender: str, value: str | bytes | None, offset: int) -> None:
        record = records.decode(value, self._features)
        if isinstance(record, WatermarkRecord):
            self._handle_watermark(sender, record)
        else:
            self._handle_row(sender, record, offset)

    def flush(self) -> None:
        rows_by_sender, self._rows = self._rows, {}
        for sender, rows in rows_by_sender.items():
            table, reasons = records.valid_rows(rows, self.monitor.model.catalogue, self.monitor.buffer.interval_us)
            for reason in reasons:
                self.skip_unreadable(reason)
            if len(table):
                self._add(Batch(table, None, sender))

    def tick(self) -> None:
        if not self.replaying:
            self.monitor.process(SOURCE, Batch(None, None))

    def _handle_row(self, sender: str, row: Row, offset: int) -> None:
        minute = row["minute"] // self.monitor.buffer.interval_us
        if self.replaying and minute <= self.monitor.buffer.closed:
            return
        self.add_waiting(minute, offset)
        self._rows.setdefault(sender if self.accepts_sender(sender) else "", []).append(row)
        if minute > self._newest_minute:
            self._newest_minute = minute
            self.flush()

    def _handle_watermark(self, sender: str, watermark: WatermarkRecord) -> None:
        self.flush()
        if self.accepts_sender(sender):
            self._add(Batch(None, watermark.watermark_us, sender))
        else:
            self.reject(OVER_LIMIT)

    def _add(self, batch: Batch) -> None:
        if self.replaying:
            self.monitor.buffer.add(SOURCE, batch, self.clock.now_us())
        else:
            self.monitor.process(SOURCE, batch)
