"""The consumer of a group member: reads records and ends of partitions, commits offsets, watches the connection.

While the brokers do not answer, the end of the log is unknown. When they answer again, it is requested again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from faultprint.errors import UsageError
from faultprint.monitor.base.log import Log
from faultprint.monitor.config.kafka import KafkaSettings
from faultprint.publish.senders.kafka_client import KafkaCluster

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

MAX_BATCH: Final = 1000
"""Maximum number of records that are read before they are processed."""
COMMIT_S: Final = 1.0
"""Minimum time between two commits of offsets."""
REQUEST_TIMEOUT_S: Final = 2.0
"""Maximum wait for an answer of the brokers."""
LEAVE_TIMEOUT_S: Final = 15.0
"""Maximum wait until the brokers confirm that this member leaves."""
_END: Final = "_PARTITION_EOF"
_TRANSIENT: Final = frozenset({"_TRANSPORT", "_RESOLVE", "_TIMED_OUT", "_MAX_POLL_EXCEEDED", "_AUTO_OFFSET_RESET"})
"""Errors that are not logged: the client library handles them, or another event reports them."""

OnPartitions = Callable[[list[int]], None]


class Subscription:
    """`messages`: partition → records that were read; who releases a partition must discard its records."""

    def __init__(self, settings: KafkaSettings, cluster: KafkaCluster, log: Log) -> None:
        """Raises UsageError if the client library refuses the settings."""
        self._topic, self._log = settings.topic, log
        self.messages: dict[int, list[Message]] = {}
        """Records of each partition that are not yet processed; an error among them is the end of the partition."""
        self.connected = True
        """Whether the brokers answer, as far as is known."""
        self._unreachable_logged = False
        self._fatal_error: KafkaError | None = None
        self._logged_errors: set[str] = set()
        self._committed: dict[int, int] = {}
        self._committed_s = 0.0
        self._consumer: Consumer = cluster.consumer(
            {
                "group.id": settings.group,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": int(settings.session_seconds * 1000),
                "heartbeat.interval.ms": int(settings.session_seconds * 1000 / 5),
                "error_cb": self._on_error,
            }
        )

    def join(self, on_assigned: OnPartitions, on_revoked: OnPartitions, on_lost: OnPartitions) -> None:
        """Join the group. Nothing is read from an assigned partition before `start`.

        The callbacks run inside `poll`, and inside `leave` on a thread of its own.
        """

        def assign(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            consumer.incremental_assign(partitions)
            consumer.pause(partitions)
            on_assigned(_numbers(partitions))

        self._consumer.subscribe(
            [self._topic],
            on_assign=assign,
            on_revoke=lambda _, partitions: on_revoked(_numbers(partitions)),
            on_lost=lambda _, partitions: on_lost(_numbers(partitions)),
        )

    def leave(self) -> None:
        """Leave the group.

        If the brokers do not answer, the client library can wait forever. After LEAVE_TIMEOUT_S this method returns anyway: the
        brokers notice the absence of the member after its session time.
        """
        thread = threading.Thread(target=self._consumer.close, name="leave kafka group", daemon=True)
        thread.start()
        thread.join(LEAVE_TIMEOUT_S)
        if thread.is_alive():
            self._log("leave_timeout", detail=f"the brokers did not answer for {LEAVE_TIMEOUT_S:g} s")

    def poll(self, seconds: float) -> None:
        """Read until there are MAX_BATCH records, no more come, or the time is over. Raises UsageError if Kafka refuses us."""
        deadline_s, timeout_s = time.monotonic() + seconds, seconds
        for _ in range(MAX_BATCH):
            message = self._consumer.poll(timeout_s)
            if message is None:
                break
            error, number = message.error(), message.partition()
            if number is not None and (error is None or error.name() == _END):
                self.messages.setdefault(number, []).append(message)
            elif error is not None:
                self._on_error(error)
            timeout_s = 0.0
            if time.monotonic() > deadline_s:
                break
        if self._fatal_error is not None:
            raise UsageError(
                f"Kafka refuses this monitor ({self._fatal_error}); check the brokers and the [kafka] configuration."
            )

    def partitions(self) -> int:
        """Number of partitions of the topic. Raises KafkaException."""
        return len(self._consumer.list_topics(self._topic, REQUEST_TIMEOUT_S).topics[self._topic].partitions)

    def committed(self, number: int) -> int | None:
        """The group's committed offset of a partition, if there is one. Raises KafkaException."""
        offset = self._consumer.committed([self._topic_partition(number)], REQUEST_TIMEOUT_S)[0].offset
        return offset if offset >= 0 else None

    def start(self, number: int, offset: int | None) -> None:
        """Read an assigned partition from `offset` on (None: from its beginning). Raises KafkaException."""
        from confluent_kafka import OFFSET_BEGINNING

        self._consumer.seek(self._topic_partition(number, OFFSET_BEGINNING if offset is None else offset))
        self._consumer.resume([self._topic_partition(number)])
        self.messages.pop(number, None)

    def release(self, number: int) -> None:
        """Discard what is known of a partition that is no longer assigned."""
        self.messages.pop(number, None)
        self._committed.pop(number, None)

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Commit the offsets of the stored states, at most once per COMMIT_S, so that Kafka tools show the lag."""
        from confluent_kafka import KafkaException

        changed = {number: offset for number, offset in offsets.items() if self._committed.get(number) != offset}
        if changed and self.connected and time.monotonic() - self._committed_s >= COMMIT_S:
            self._committed_s = time.monotonic()
            with suppress(KafkaException):  # the next commit contains these offsets too
                positions = [self._topic_partition(number, offset) for number, offset in changed.items()]
                self._consumer.commit(offsets=positions, asynchronous=True)
                self._committed |= changed

    def commit_now(self, number: int, offset: int) -> None:
        """Commit the offset of one partition and wait for the answer.

        Raises KafkaException if the partition is no longer ours or the brokers do not answer.
        """
        from confluent_kafka import KafkaException

        answers = self._consumer.commit(offsets=[self._topic_partition(number, offset)], asynchronous=False)
        for answer in answers or ():
            if answer.error is not None:
                raise KafkaException(answer.error)
        self._committed[number] = offset

    def reconnect(self, next_offsets: Mapping[int, int]) -> None:
        """Check whether the brokers answer again. If so, read on at these offsets, which also finds the ends again."""
        from confluent_kafka import KafkaException

        try:
            self._consumer.list_topics(self._topic, REQUEST_TIMEOUT_S)
            for number, offset in next_offsets.items():
                self._consumer.seek(self._topic_partition(number, offset))
                self.messages.pop(number, None)
        except KafkaException:
            return
        self.connected = True
        if self._unreachable_logged:
            self._unreachable_logged = False
            self._log("brokers_reachable")

    def _on_error(self, error: KafkaError) -> None:
        """The client library reports an error; unless it is fatal, the library goes on by itself."""
        self.connected = False
        if error.fatal():
            self._fatal_error = error
        elif error.name() == "_ALL_BROKERS_DOWN" and not self._unreachable_logged:
            self._unreachable_logged = True
            self._log("brokers_unreachable", detail=str(error))
        elif error.name() not in {*_TRANSIENT, "_ALL_BROKERS_DOWN", *self._logged_errors}:
            self._logged_errors.add(error.name())
            self._log("kafka_error", error=error.name(), detail=str(error))

    def _topic_partition(self, number: int, offset: int = -1001) -> TopicPartition:
        from confluent_kafka import TopicPartition

        return TopicPartition(self._topic, number, offset)


def _numbers(partitions: list[TopicPartition]) -> list[int]:
    return [partition.partition for partition in partitions]
