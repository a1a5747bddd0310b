"""A sender that writes messages to a Kafka topic. The brokers acknowledge each one before its receipt is returned.

    answer of the brokers                                      outcome
    acknowledged by all in-sync replicas                       delivered
    no answer in time, no leader, brokers unreachable          retry
    authentication, authorisation, unknown topic               refused
    too large, or not accepted by the topic                    rejected

The key of a record is the node, so that the events of a node keep their order. The header `id` is the id of the message. The
producer is idempotent: its own retries are written once. If an acknowledgement is lost (timeout, or a crash of the monitor), the
message is sent again with the same id, so that readers can drop the duplicate.
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
_MAX_DETAIL: Final = 200
"""Number of characters of an error that a receipt repeats."""
_GRACE_S: Final = 1.0
"""Time after the timeout in which the client library reports that a message was not delivered."""


class KafkaSender:
    """Writes messages to one topic, one at a time. One thread at a time."""

    def __init__(self, cluster: KafkaCluster, topic: str, timeout_s: float) -> None:
        """`timeout_s`: for one message. Raises UsageError for wrong settings, but not for unreachable brokers."""
        self._cluster, self._topic, self._timeout_s = cluster, topic, timeout_s
        self._last_error: KafkaError | None = None
        self._producer: Producer | None = self._open()

    def send(self, message: Message) -> Receipt:
        """Write the message to the topic and wait for the acknowledgement."""
        from confluent_kafka import KafkaException

        answers: list[KafkaError | None] = []

        def on_delivery(error: KafkaError | None, _: Record) -> None:
            answers.append(error)

        headers = {"id": message.id, "content-type": message.content_type, **message.headers}
        encoded: list[tuple[str, str | bytes | None]] = [(name, _utf8(value)) for name, value in headers.items()]
        self._last_error = None
        try:
            producer = self._producer = self._producer or self._open()
            producer.produce(self._topic, message.body, _utf8(message.key), on_delivery=on_delivery, headers=encoded)
            producer.flush(self._timeout_s + _GRACE_S)
        # The library raises a fatal error inside other callbacks; Python turns that into a SystemError.
        except (KafkaException, SystemError, BufferError, UsageError) as error:
            self.close()  # after such an error the producer delivers nothing
            kafka_error = error.args[0] if isinstance(error, KafkaException) else None
            return Receipt(outcome_of(kafka_error), detail=clean(f"{type(error).__name__}: {error}", _MAX_DETAIL))
        if not answers:
            self.close()  # it still holds the message and would send it later
        elif answers[0] is None:
            return Receipt(DeliveryOutcome.DELIVERED)
        # An error of the brokers is more precise than a timeout.
        cause = self._last_error if not answers or _timed_out(answers[0]) else answers[0]
        return Receipt(outcome_of(cause), detail=clean(str(cause or "no answer in time"), _MAX_DETAIL))

    def close(self) -> None:
        """Close the connections."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(0)
            self._producer = None

    def _open(self) -> Producer:
        milliseconds = max(int(self._timeout_s * 1000), 1)
        return self._cluster.producer({"message.timeout.ms": milliseconds, "linger.ms": 0, "error_cb": self._on_error})

    def _on_error(self, error: KafkaError) -> None:
        self._last_error = error


def outcome_of(error: KafkaError | None) -> DeliveryOutcome:
    """The outcome for an error of the client library (table at the top)."""
    name = error.name() if error is not None else ""
    if name in _REJECTED:
        return DeliveryOutcome.REJECTED
    return DeliveryOutcome.REFUSED if name in _REFUSED else DeliveryOutcome.RETRY


def _timed_out(error: KafkaError | None) -> bool:
    return error is not None and error.name() in ("_MSG_TIMED_OUT", "_TIMED_OUT")


def _utf8(text: str) -> bytes:
    """Text as UTF-8, without lone surrogates."""
    return text.encode("utf-8", "replace")
