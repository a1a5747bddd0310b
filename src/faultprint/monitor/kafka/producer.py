"""What a source has put on the topic, minutes or transactions: each row under its node's key, and marks on every partition.

Marks tell the monitors that a minute is whole, so that it is judged as early as if they listened themselves. A row that the
brokers did not take in TIME_S is counted and told of; the source is not held up before the client's buffer is full.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from faultprint.errors import UsageError
from faultprint.monitor.base.interfaces import BatchSource, TransactionSource
from faultprint.monitor.deliver.delivery import Log
from faultprint.monitor.kafka import records, transaction_codec
from faultprint.publish.senders.kafka_client import KafkaCluster

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

TIME_S: Final = 600
BUFFER_KB: Final = 262_144
ASK_S: Final = 10.0


@dataclass(slots=True)
class ProducedCounts:
    """What became of the records so far."""

    rows: int = 0
    marks: int = 0
    delivered: int = 0
    lost: int = 0


class Producer:
    """`origin` names the sender; each needs a name of its own."""

    def __init__(self, cluster: KafkaCluster, topic: str, origin: str, tell: Log) -> None:
        """Raises UsageError if the topic is not there."""
        from confluent_kafka import KafkaException

        self._topic, self._tell = topic, tell
        self._headers: list[tuple[str, str | bytes | None]] = [(records.ORIGIN, origin.encode("utf-8", "replace"))]
        self.fed = ProducedCounts()
        self._stop: Callable[[], bool] = lambda: False
        options = {
            "message.timeout.ms": TIME_S * 1000,
            "linger.ms": 20,
            "compression.type": "gzip",
            "queue.buffering.max.kbytes": BUFFER_KB,
        }
        self._producer = cluster.producer(options)
        try:
            found = self._producer.list_topics(topic, ASK_S).topics[topic]
        except KafkaException as error:
            raise UsageError(f"Kafka at {cluster.bootstrap} does not answer ({error}); see that it runs.") from None
        if found.error is not None or not found.partitions:
            raise UsageError(
                f"There is no topic {topic!r} at {cluster.bootstrap}; make it, with as many partitions as needed."
            )
        self._partitions = sorted(found.partitions)

    def minutes(
        self, source: BatchSource, interval_us: int, lateness_us: int, extra_us: int, stop: Callable[[], bool]
    ) -> None:
        """The source's minutes, until it has no more, or `stop` says so. `extra_us`: by how much more its promises hold than
        they say."""
        whole = -1
        with self._until_all_is_taken(source, stop):
            for batch in source.batches(0):
                if stop():
                    break
                if batch.minutes is not None:
                    self._rows(records.rows(batch.minutes))
                if batch.complete_us is not None:
                    complete_us = batch.complete_us + extra_us
                    reached = (complete_us - lateness_us) // interval_us
                    if reached > whole:
                        whole = reached
                        self._mark(complete_us)
                self._producer.poll(0)

    def transactions(self, source: TransactionSource, extra_us: int, stop: Callable[[], bool]) -> None:
        """The source's transactions, likewise."""
        with self._until_all_is_taken(source, stop):
            for heard in source.heard():
                if stop():
                    break
                if heard is not None:
                    self._rows(transaction_codec.rows(heard.over, standing=False))
                    self._rows(transaction_codec.rows(heard.standing, standing=True))
                    self._rows(transaction_codec.stretch_row(stretch, heard.begin_us) for stretch in heard.coverage)
                    self._mark(heard.complete_us + extra_us)
                self._producer.poll(0)

    @contextmanager
    def _until_all_is_taken(self, source: BatchSource, stop: Callable[[], bool]) -> Iterator[None]:
        self._stop = stop
        try:
            yield
            while self._producer.flush(1.0) and not stop():
                pass
        finally:
            source.close()

    def _rows(self, rows: Iterable[records.Row]) -> None:
        for row in rows:
            self._put(records.encode(row), row["node"].encode("utf-8", "replace"), -1)
            self.fed.rows += 1

    def _mark(self, complete_us: int) -> None:
        for number in self._partitions:
            self._put(records.encode_mark(complete_us), None, number)
        self.fed.marks += 1

    def _put(self, value: bytes, key: bytes | None, partition: int) -> None:
        while True:
            try:
                self._producer.produce(
                    self._topic, value, key, partition, on_delivery=self._answered, headers=self._headers
                )
                return
            except BufferError:
                if self._stop():
                    self.fed.lost += 1
                    return
                self._producer.poll(0.5)

    def _answered(self, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self.fed.delivered += 1
            return
        if not self.fed.lost:
            self._tell("record lost", detail=str(error))
        self.fed.lost += 1
