"""Writes minutes or transactions of a source to the topic: rows with their node as key, watermarks to every partition.

Watermarks tell the monitors when a minute is complete. They can score it as early as with a probe of their own. A row that the
brokers do not accept within DELIVERY_TIMEOUT_S is counted, and the first one is logged. The source waits only while the buffer
of the client library is full.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from faultprint.errors import UsageError
from faultprint.monitor.base.interfaces import BatchSource, TransactionSource
from faultprint.monitor.base.log import Log
from faultprint.monitor.kafka import records, transaction_codec
from faultprint.publish.senders.kafka_client import KafkaCluster

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

DELIVERY_TIMEOUT_S: Final = 600
"""How long the client library tries to deliver a record."""
BUFFER_KB: Final = 262_144
"""Size of the buffer of the client library."""
METADATA_TIMEOUT_S: Final = 10.0
"""Maximum wait for the description of the topic."""


@dataclass(slots=True)
class ProducedCounts:
    """Numbers of records so far. The names are printed by `faultprint produce --json`; `marks` are watermarks."""

    rows: int = 0
    marks: int = 0
    delivered: int = 0
    lost: int = 0


class TopicProducer:
    """`sender` is the name of this sender in the records; it must be unique on the topic."""

    def __init__(self, cluster: KafkaCluster, topic: str, sender: str, log: Log) -> None:
        """Raises UsageError if the brokers do not answer or the topic does not exist."""
        from confluent_kafka import KafkaException

        self._topic, self._log = topic, log
        self._headers: list[tuple[str, str | bytes | None]] = [
            (records.SENDER_HEADER, sender.encode("utf-8", "replace"))
        ]
        self.counts = ProducedCounts()
        self._stop: Callable[[], bool] = lambda: False
        options = {
            "message.timeout.ms": DELIVERY_TIMEOUT_S * 1000,
            "linger.ms": 20,
            "compression.type": "gzip",
            "queue.buffering.max.kbytes": BUFFER_KB,
        }
        self._producer = cluster.producer(options)
        try:
            metadata = self._producer.list_topics(topic, METADATA_TIMEOUT_S).topics[topic]
        except KafkaException as error:
            raise UsageError(f"Kafka at {cluster.bootstrap} does not answer ({error}); check that it runs.") from None
        if metadata.error is not None or not metadata.partitions:
            raise UsageError(
                f"Topic {topic!r} does not exist at {cluster.bootstrap}; create it with one partition or more per monitor."
            )
        self._partitions = sorted(metadata.partitions)

    def produce_minutes(
        self,
        source: BatchSource,
        interval_us: int,
        lateness_us: int,
        watermark_shift_us: int,
        stop: Callable[[], bool],
    ) -> None:
        """Write the minutes of `source` until it ends or `stop()` is true.

        `watermark_shift_us` is added to the watermarks of the source: for a recording, in which nothing can be late, the
        lateness that the monitors subtract.
        """
        last_complete = -1
        with self._flushing(source, stop):
            for batch in source.batches(0):
                if stop():
                    break
                if batch.minutes is not None:
                    self._put_rows(records.rows(batch.minutes))
                if batch.watermark_us is not None:
                    watermark_us = batch.watermark_us + watermark_shift_us
                    complete = (watermark_us - lateness_us) // interval_us
                    if complete > last_complete:
                        last_complete = complete
                        self._put_watermark(watermark_us)
                self._producer.poll(0)

    def produce_transactions(
        self, source: TransactionSource, watermark_shift_us: int, stop: Callable[[], bool]
    ) -> None:
        """Write the transactions of `source`; arguments as in `produce_minutes`."""
        with self._flushing(source, stop):
            for batch in source.transaction_batches():
                if stop():
                    break
                if batch is not None:
                    self._put_rows(transaction_codec.rows(batch.final, is_open=False))
                    self._put_rows(transaction_codec.rows(batch.open, is_open=True))
                    self._put_rows(
                        transaction_codec.coverage_row(interval, batch.begin_us) for interval in batch.coverage
                    )
                    self._put_watermark(batch.watermark_us + watermark_shift_us)
                self._producer.poll(0)

    @contextmanager
    def _flushing(self, source: BatchSource, stop: Callable[[], bool]) -> Iterator[None]:
        """After the block, wait until all records are delivered; then close the source."""
        self._stop = stop
        try:
            yield
            while self._producer.flush(1.0) and not stop():
                pass
        finally:
            source.close()

    def _put_rows(self, rows: Iterable[records.Row]) -> None:
        for row in rows:
            self._put(records.encode(row), row["node"].encode("utf-8", "replace"), -1)
            self.counts.rows += 1

    def _put_watermark(self, watermark_us: int) -> None:
        for number in self._partitions:
            self._put(records.encode_watermark(watermark_us), None, number)
        self.counts.marks += 1

    def _put(self, value: bytes, key: bytes | None, partition: int) -> None:
        while True:
            try:
                self._producer.produce(
                    self._topic, value, key, partition, on_delivery=self._on_delivery, headers=self._headers
                )
                return
            except BufferError:
                if self._stop():
                    self.counts.lost += 1
                    return
                self._producer.poll(0.5)

    def _on_delivery(self, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self.counts.delivered += 1
            return
        if not self.counts.lost:
            self._log("record_lost", detail=str(error))
        self.counts.lost += 1
