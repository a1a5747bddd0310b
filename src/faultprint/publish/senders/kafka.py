"""Messages put on a Kafka topic, each acknowledged by the brokers before its receipt is given.

    answer                                                   outcome
    acknowledged by all replicas in sync                     delivered
    no answer in time, no leader, brokers away               later
    authentication, authorisation, no such topic             refused
    too large, or not a message that the topic takes         rejected

The message's key is the node, so that a node's events keep their order; its identity is the record's header `id`. The
producer is idempotent: what it tries again by itself is written once. A message whose acknowledgement was lost for good (the
time ran out, or we were killed) is sent again under the same identity, by which a reader knows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from faultprint.errors import UsageError
from faultprint.publish.message import DeliveryOutcome, Message, Receipt
from faultprint.publish.senders.kafka_client import KafkaCluster
from faultprint.publish.text import clean

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Producer
    from confluent_kafka import Message as Record

_REJECTED: Final = frozenset({"MSG_SIZE_TOO_LARGE", "INVALID_MSG", "INVALID_RECORD", "RECORD_LIST_TOO_LARGE"})
_REFUSED: Final = frozenset(
    {
        "TOPIC_AUTHORIZATION_FAILED",
        "CLUSTER_AUTHORIZATION_FAILED",
        "SASL_AUTHENTICATION_FAILED",
        "_AUTHENTICATION",
        "_SSL",
        "UNKNOWN_TOPIC_OR_PART",
        "_UNKNOWN_TOPIC",
        "TOPIC_EXCEPTION",
        "INVALID_CONFIG",
    }
)
_SAID: Final = 200
_SPARE_S: Final = 1.0
"""Beyond its time-out the library has so long to say that a message was not delivered."""


class KafkaSender:
    """Puts messages on one topic; one thread at a time, one message at a time."""

    def __init__(self, cluster: KafkaCluster, topic: str, timeout_s: float) -> None:
        """`timeout_s`: for one message in whole. Raises UsageError; brokers that are away are none of its business."""
        self._cluster, self._topic, self._timeout_s = cluster, topic, timeout_s
        self._trouble: KafkaError | None = None
        self._producer: Producer | None = self._open()

    def send(self, message: Message) -> Receipt:
        """Put the message on the topic, and wait for word of it."""
        from confluent_kafka import KafkaException

        answers: list[KafkaError | None] = []

        def answered(error: KafkaError | None, _: Record) -> None:
            answers.append(error)

        headers = {"id": message.id, "content-type": message.content_type, **message.headers}
        encoded: list[tuple[str, str | bytes | None]] = [(name, _plain(value)) for name, value in headers.items()]
        self._trouble = None
        try:
            producer = self._producer = self._producer or self._open()
            producer.produce(self._topic, message.body, _plain(message.key), on_delivery=answered, headers=encoded)
            producer.flush(self._timeout_s + _SPARE_S)
        # A fatal error is raised in the midst of other callbacks, which Python then takes for a SystemError.
        except (KafkaException, SystemError, BufferError, UsageError) as error:
            self.close()  # such a producer delivers nothing any more
            found = error.args[0] if isinstance(error, KafkaException) else None
            return Receipt(outcome_of(found), detail=clean(f"{type(error).__name__}: {error}", _SAID))
        if not answers:
            self.close()  # it still holds the message
        elif answers[0] is None:
            return Receipt(DeliveryOutcome.DELIVERED)
        # What the brokers said tells more than that the time ran out.
        said = self._trouble if not answers or _timed_out(answers[0]) else answers[0]
        return Receipt(outcome_of(said), detail=clean(str(said or "no answer in time"), _SAID))

    def close(self) -> None:
        """Let go of the connections."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(0)
            self._producer = None

    def _open(self) -> Producer:
        milliseconds = max(int(self._timeout_s * 1000), 1)
        return self._cluster.producer({"message.timeout.ms": milliseconds, "linger.ms": 0, "error_cb": self._said})

    def _said(self, error: KafkaError) -> None:
        self._trouble = error


def outcome_of(error: KafkaError | None) -> DeliveryOutcome:
    """What an error means for a message (table at the top)."""
    name = error.name() if error is not None else ""
    if name in _REJECTED:
        return DeliveryOutcome.REJECTED
    return DeliveryOutcome.REFUSED if name in _REFUSED else DeliveryOutcome.LATER


def _timed_out(error: KafkaError | None) -> bool:
    return error is not None and error.name() in ("_MSG_TIMED_OUT", "_TIMED_OUT")


def _plain(text: str) -> bytes:
    """Text as UTF-8; lone surrogates go."""
    return text.encode("utf-8", "replace")
