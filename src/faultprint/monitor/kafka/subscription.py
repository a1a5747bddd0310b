"""A member's consumer: records and ends of partitions in, offsets out; what its brokers are like.

While brokers are away nothing is known of the log's end; once they answer again it is asked for anew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from faultprint.errors import UsageError
from faultprint.monitor.config.kafka import KafkaSettings
from faultprint.monitor.deliver.delivery import Log
from faultprint.publish.senders.kafka_client import KafkaCluster

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

AT_ONCE: Final = 1000
"""Records that are read before they are dealt with."""
COMMIT_S: Final = 1.0
"""Between commits of offsets."""
ASK_S: Final = 2.0
"""For an answer of the brokers."""
LEAVE_S: Final = 15.0
"""For the brokers to let a member go."""
_END: Final = "_PARTITION_EOF"
_PASSING: Final = frozenset({"_TRANSPORT", "_RESOLVE", "_TIMED_OUT", "_MAX_POLL_EXCEEDED", "_AUTO_OFFSET_RESET"})
"""Errors that are no news: the library deals with them, or another event tells."""

Numbers = Callable[[list[int]], None]


class Subscription:
    """`read` is by partition; whoever puts a partition down takes what was read of it away."""

    def __init__(self, settings: KafkaSettings, cluster: KafkaCluster, tell: Log) -> None:
        """Raises UsageError."""
        self._topic, self._tell = settings.topic, tell
        self.read: dict[int, list[Message]] = {}
        """Records of each partition that wait to be dealt with; an error among them is its end."""
        self.sure = True
        """Whether the brokers answer, as far as is known."""
        self._away = False
        self._fatal: KafkaError | None = None
        self._told: set[str] = set()
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
                "error_cb": self._trouble,
            }
        )

    def join(self, assigned: Numbers, revoked: Numbers, lost: Numbers) -> None:
        """Become a member. The partitions assigned wait for `begin`.

        All is called in `gather`; in `leave`, from a thread of its own.
        """

        def take(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            consumer.incremental_assign(partitions)
            consumer.pause(partitions)
            assigned([one.partition for one in partitions])

        self._consumer.subscribe(
            [self._topic],
            on_assign=take,
            on_revoke=lambda _, partitions: revoked([one.partition for one in partitions]),
            on_lost=lambda _, partitions: lost([one.partition for one in partitions]),
        )

    def leave(self) -> None:
        """Be a member no more. Brokers that are away can keep the library waiting for ever; they will notice by themselves."""
        closing = threading.Thread(target=self._consumer.close, name="leaving", daemon=True)
        closing.start()
        closing.join(LEAVE_S)
        if closing.is_alive():
            self._tell("left without a word", detail=f"the brokers did not answer for {LEAVE_S:g} s")

    def gather(self, seconds: float) -> None:
        """Read until AT_ONCE records are there, none comes any more, or the time is over. Raises UsageError if refused."""
        until_s, wait_s = time.monotonic() + seconds, seconds
        for _ in range(AT_ONCE):
            message = self._consumer.poll(wait_s)
            if message is None:
                break
            error, number = message.error(), message.partition()
            if number is not None and (error is None or error.name() == _END):
                self.read.setdefault(number, []).append(message)
            elif error is not None:
                self._trouble(error)
            wait_s = 0.0
            if time.monotonic() > until_s:
                break
        if self._fatal is not None:
            raise UsageError(f"Kafka refuses this monitor ({self._fatal}); see to the brokers or the configuration.")

    def partitions(self) -> int:
        """How many the topic has. Raises KafkaException."""
        return len(self._consumer.list_topics(self._topic, ASK_S).topics[self._topic].partitions)

    def committed(self, number: int) -> int | None:
        """The group's offset of a partition, if it has one. Raises KafkaException."""
        offset = self._consumer.committed([self._place(number)], ASK_S)[0].offset
        return offset if offset >= 0 else None

    def begin(self, number: int, offset: int | None) -> None:
        """Read an assigned partition from there on (None: from its beginning). Raises KafkaException."""
        from confluent_kafka import OFFSET_BEGINNING

        self._consumer.seek(self._place(number, OFFSET_BEGINNING if offset is None else offset))
        self._consumer.resume([self._place(number)])
        self.read.pop(number, None)

    def forget(self, number: int) -> None:
        """The partition is put down."""
        self.read.pop(number, None)
        self._committed.pop(number, None)

    def commit(self, kept: Mapping[int, int]) -> None:
        """Tell the group how far the states have come, now and then, so that lag can be seen."""
        from confluent_kafka import KafkaException

        news = {number: offset for number, offset in kept.items() if self._committed.get(number) != offset}
        if news and self.sure and time.monotonic() - self._committed_s >= COMMIT_S:
            self._committed_s = time.monotonic()
            with suppress(KafkaException):  # the next one says as much, and more
                self._consumer.commit(offsets=[self._place(*pair) for pair in news.items()], asynchronous=True)
                self._committed |= news

    def commit_now(self, number: int, offset: int) -> None:
        """Tell the group so much of a partition. Raises KafkaException if it is no longer ours, or nobody answers."""
        from confluent_kafka import KafkaException

        for one in self._consumer.commit(offsets=[self._place(number, offset)], asynchronous=False) or ():
            if one.error is not None:
                raise KafkaException(one.error)
        self._committed[number] = offset

    def look(self, following: Mapping[int, int]) -> None:
        """See whether the brokers answer again; then have the ends of the partitions told anew, from these offsets on."""
        from confluent_kafka import KafkaException

        try:
            self._consumer.list_topics(self._topic, ASK_S)
            for number, offset in following.items():
                self._consumer.seek(self._place(number, offset))
                self.read.pop(number, None)
        except KafkaException:
            return
        self.sure = True
        if self._away:
            self._away = False
            self._tell("brokers back")

    def _trouble(self, error: KafkaError) -> None:
        """An error of the client library, which goes on by itself."""
        self.sure = False
        if error.fatal():
            self._fatal = error
        elif error.name() == "_ALL_BROKERS_DOWN" and not self._away:
            self._away = True
            self._tell("brokers away", detail=str(error))
        elif error.name() not in {*_PASSING, "_ALL_BROKERS_DOWN", *self._told}:
            self._told.add(error.name())
            self._tell("kafka error", error=error.name(), detail=str(error))

    def _place(self, number: int, offset: int = -1001) -> TopicPartition:
        from confluent_kafka import TopicPartition

        return TopicPartition(self._topic, number, offset)
