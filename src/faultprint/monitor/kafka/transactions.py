"""A partition of a topic whose payload is transactions (record format: `transaction_codec`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from faultprint.monitor.base.interfaces import Batch
from faultprint.monitor.base.log import Log
from faultprint.monitor.kafka import transaction_codec
from faultprint.monitor.kafka.clock import LogClock
from faultprint.monitor.kafka.partition import OVER_LIMIT, SOURCE, TOO_EARLY, Partition
from faultprint.monitor.kafka.records import WatermarkRecord
from faultprint.monitor.kafka.transaction_buffer import TransactionBuffer
from faultprint.monitor.monitor import Monitor


class TransactionsPartition(Partition):
    """Builds the rows of a minute when the watermarks of all senders have passed it, directly before the minute is final."""

    def __init__(self, number: int, monitor: Monitor, clock: LogClock, log: Log, close: Callable[[], None]) -> None:
        self._transactions = TransactionBuffer(monitor.buffer.interval_us, monitor.buffer.max_nodes)
        super().__init__(number, monitor, clock, log, close)
        self._transactions.restore(monitor.store.facts())
        self._last_built = monitor.buffer.closed

    def handle_record(self, sender: str, value: str | bytes | None, offset: int) -> None:
        record = transaction_codec.decode(value)
        if isinstance(record, WatermarkRecord):
            self._handle_watermark(sender, record)
        elif isinstance(record, transaction_codec.CoverageRecord):
            self._handle_coverage(record, offset)
        else:
            self._handle_transaction(sender, record, offset)

    def flush(self) -> None:
        """Nothing to do: records are processed at once."""

    def tick(self) -> None:
        if self.replaying:
            return
        buffer = self.monitor.buffer
        last_final = buffer.last_final(self.clock.now_us())
        for number in self._transactions.minute_numbers(max(self._last_built, buffer.closed), last_final):
            self._last_built = number
            buffer.add_rows(SOURCE, self._transactions.build_minute(number))
            self.monitor.finish_through(number)
        self.monitor.process(SOURCE, Batch(None, None))

    def facts(self) -> Mapping[str, str]:
        return {**super().facts(), **self._transactions.facts()}

    def _handle_transaction(self, sender: str, record: transaction_codec.TransactionRecord, offset: int) -> None:
        buffer = self.monitor.buffer
        last_us = max(record.row["start"], record.row["completion"] or 0)
        minute = last_us // buffer.interval_us
        if minute <= buffer.closed:
            return  # the final minutes contain it already, as an open transaction
        if last_us > self.clock.now_us() + buffer.ahead_us:
            self.reject(TOO_EARLY)
        elif self._transactions.add(sender, record):
            self.add_waiting(minute, offset)
        else:
            self.reject(OVER_LIMIT)

    def _handle_coverage(self, record: transaction_codec.CoverageRecord, offset: int) -> None:
        buffer, interval = self.monitor.buffer, record.interval
        if interval.end_us > self.clock.now_us() + buffer.ahead_us:
            self.reject(TOO_EARLY)
        elif self._transactions.add_coverage(interval, record.from_us):
            self.add_waiting(max(interval.end_us - 1, 0) // buffer.interval_us, offset)
        else:
            self.reject(OVER_LIMIT)

    def _handle_watermark(self, sender: str, watermark: WatermarkRecord) -> None:
        if not self.accepts_sender(sender):
            self.reject(OVER_LIMIT)
            return
        self._transactions.commit_open(sender)
        self.monitor.buffer.add(SOURCE, Batch(None, watermark.watermark_us, sender), self.clock.now_us())
        self.tick()
