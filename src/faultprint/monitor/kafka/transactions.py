"""A partition of a topic of transactions (`talk`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from faultprint.monitor.base.interfaces import Batch
from faultprint.monitor.deliver.delivery import Log
from faultprint.monitor.kafka import transaction_codec
from faultprint.monitor.kafka.clock import LogClock
from faultprint.monitor.kafka.partition import CROWDED, SOURCE, Partition
from faultprint.monitor.kafka.records import WatermarkRecord
from faultprint.monitor.kafka.transaction_buffer import TransactionBuffer
from faultprint.monitor.monitor import Monitor


class TransactionsPartition(Partition):
    """A minute is made when all senders' marks say that it is over, just before it is judged."""

    def __init__(self, number: int, monitor: Monitor, clock: LogClock, tell: Log, close: Callable[[], None]) -> None:
        self._gathering = TransactionBuffer(monitor.buffer.interval_us, monitor.buffer.most_nodes)
        super().__init__(number, monitor, clock, tell, close)
        self._gathering.recall(monitor.store.facts())
        self._made = monitor.buffer.closed

    def record(self, sender: str, value: str | bytes | None, offset: int) -> None:
        found = transaction_codec.decode(value)
        if isinstance(found, WatermarkRecord):
            self._mark(sender, found)
        elif isinstance(found, transaction_codec.Listened):
            self._listened(found, offset)
        else:
            self._told(sender, found, offset)

    def flush(self) -> None:
        """All is gathered already."""

    def tick(self) -> None:
        if self.again:
            return
        gate = self.monitor.buffer
        for number in self._gathering.numbers(max(self._made, gate.closed), gate.reached(self.clock.now_us())):
            self._made = number
            gate.put(SOURCE, self._gathering.minute(number))
            self.monitor.finish_through(number)
        self.monitor.process(SOURCE, Batch(None, None))

    def facts(self) -> Mapping[str, str]:
        return {**super().facts(), **self._gathering.facts()}

    def _told(self, sender: str, told: transaction_codec.TransactionRecord, offset: int) -> None:
        gate = self.monitor.buffer
        last_us = max(told.row["start"], told.row["completion"] or 0)
        minute = last_us // gate.interval_us
        if minute <= gate.closed:
            return  # its minutes have it, as it stood
        if last_us > self.clock.now_us() + gate.ahead_us:
            self.refuse("early")
        elif self._gathering.take(sender, told):
            self.wait(minute, offset)
        else:
            self.refuse(CROWDED)

    def _listened(self, found: transaction_codec.Listened, offset: int) -> None:
        gate, stretch = self.monitor.buffer, found.stretch
        if stretch.end_us > self.clock.now_us() + gate.ahead_us:
            self.refuse("early")
        elif self._gathering.listened(stretch, found.from_us):
            self.wait(max(stretch.end_us - 1, 0) // gate.interval_us, offset)
        else:
            self.refuse(CROWDED)

    def _mark(self, sender: str, mark: WatermarkRecord) -> None:
        if not self.may_promise(sender):
            self.refuse(CROWDED)
            return
        self._gathering.mark(sender)
        self.monitor.buffer.take(SOURCE, Batch(None, mark.complete_us, sender), self.clock.now_us())
        self.tick()
