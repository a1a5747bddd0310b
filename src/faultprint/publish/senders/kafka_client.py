"""A Kafka cluster to speak to, and as whom. Checked when it is made, so that a wrong word stops the start, not an alarm.

Only the options that stand in `Cluster.options` ever reach the client library (librdkafka): what else it could be told,
to load a plug-in for instance, no configuration can say.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from faultprint.errors import UsageError
from faultprint.publish.senders.endpoint import Basic, Certificate, is_loopback

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Producer
    from confluent_kafka.admin import AdminClient

Options = Mapping[str, Any]

_SILENT: Final = logging.getLogger("faultprint.kafka")
"""Takes what the library would print: standard error is the log's, and errors come through callbacks."""
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False

MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


@dataclass(frozen=True, slots=True)
class KafkaCluster:
    """Where a cluster is.

    bootstrap       HOST:PORT, more than one set apart by commas
    tls             speak TLS; the brokers' certificates are always checked
    authorities     PEM file of the authorities that they must come from (none: the system's)
    basic           user and password, told by the SASL `mechanism`
    plain_password  let a password pass without TLS to another machine
    """

    bootstrap: str
    tls: bool = False
    authorities: Path | None = None
    certificate: Certificate | None = None
    basic: Basic | None = None
    mechanism: str = "SCRAM-SHA-512"
    plain_password: bool = False

    def __post_init__(self) -> None:
        hosts = [_host(address) for address in self.bootstrap.split(",")]
        if not all(hosts):
            raise UsageError(f"{self.bootstrap!r} is no HOST:PORT[,HOST:PORT] of Kafka brokers; correct it.")
        if self.mechanism not in MECHANISMS:
            raise UsageError(f"The mechanism {self.mechanism!r} is none of {', '.join(MECHANISMS)}; correct it.")
        if not self.tls and (self.certificate or self.authorities):
            raise UsageError(f"{self.bootstrap}: certificates need TLS; set tls, or leave them out.")
        if self.basic and not (self.tls or self.plain_password or all(map(is_loopback, hosts))):
            raise UsageError(
                f"{self.bootstrap}: a password would cross the network in the clear; set tls or plain_password."
            )
        files = (self.authorities, *((self.certificate.chain, self.certificate.key) if self.certificate else ()))
        for path in files:
            if path is not None and not path.is_file():
                raise UsageError(f"The PEM file {path} is not there; give another.")

    def options(self) -> dict[str, Any]:
        """What the client library is told of the cluster."""
        protocol = ("SASL_" if self.basic else "") + ("SSL" if self.tls else "PLAINTEXT")
        found: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": protocol,
            "client.id": "faultprint",
            "logger": _SILENT,
        }
        if self.basic:
            found |= {"sasl.mechanism": self.mechanism, "sasl.username": self.basic.user}
            found |= {"sasl.password": self.basic.password}
        if self.authorities:
            found |= {"ssl.ca.location": str(self.authorities)}
        if self.certificate:
            found |= {"ssl.certificate.location": str(self.certificate.chain)}
            found |= {"ssl.key.location": str(self.certificate.key)}
        return found

    def producer(self, more: Options) -> Producer:
        """A producer that repeats nothing and keeps the order, whatever happens between it and the brokers.

        A key goes to the partition that Kafka's own clients choose for it. Raises UsageError.
        """
        with self._usable():
            from confluent_kafka import Producer

            fixed = {"enable.idempotence": True, "partitioner": "murmur2_random"}
            return Producer({**self.options(), **fixed, **more})

    def consumer(self, more: Options) -> Consumer:
        """A consumer. Raises UsageError."""
        with self._usable():
            from confluent_kafka import Consumer

            return Consumer({**self.options(), **more})

    def admin(self) -> AdminClient:
        """What makes topics. Raises UsageError."""
        with self._usable():
            from confluent_kafka.admin import AdminClient

            return AdminClient(self.options())

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            from confluent_kafka import KafkaException
        except ImportError:
            raise UsageError("Kafka needs confluent-kafka; install faultprint[monitor].") from None
        try:
            yield
        except KafkaException as error:
            raise UsageError(f"Kafka at {self.bootstrap} cannot be spoken to ({error}); correct it.") from None


def _host(address: str) -> str:
    host, colon, port = address.strip().rpartition(":")
    return host.strip("[]") if colon and port.isascii() and port.isdigit() and 0 < int(port) < 65_536 else ""
