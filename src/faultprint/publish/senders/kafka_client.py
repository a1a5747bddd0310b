"""A Kafka cluster and our credentials. It is checked at start, so that a wrong setting cannot stop an alarm.

Only the options of `KafkaCluster.options` reach the client library (librdkafka). A configuration cannot set others, for example an
option that loads a plug-in.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from faultprint.errors import UsageError
from faultprint.publish.senders.endpoint import BasicAuth, ClientCertificate, is_loopback

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Producer
    from confluent_kafka.admin import AdminClient

Options = Mapping[str, Any]

_DISCARD: Final = logging.getLogger("faultprint.kafka")
"""Discards what the library would print: standard error is for our log, and errors arrive through callbacks."""
_DISCARD.addHandler(logging.NullHandler())
_DISCARD.propagate = False

MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


@dataclass(frozen=True, slots=True)
class KafkaCluster:
    """The address of a cluster and how to connect to it.

    bootstrap                 HOST:PORT of brokers, separated by commas
    tls                       use TLS; the certificates of the brokers are always checked
    ca_file                   PEM file of the certificate authorities of the brokers; None: those of the system
    basic                     user and password for the SASL `mechanism`
    allow_plaintext_password  send the password without TLS to another machine
    """

    bootstrap: str
    tls: bool = False
    ca_file: Path | None = None
    certificate: ClientCertificate | None = None
    basic: BasicAuth | None = None
    mechanism: str = "SCRAM-SHA-512"
    allow_plaintext_password: bool = False

    def __post_init__(self) -> None:
        hosts = [_host(address) for address in self.bootstrap.split(",")]
        if not all(hosts):
            raise UsageError(f"{self.bootstrap!r} is not HOST:PORT[,HOST:PORT] of Kafka brokers; correct it.")
        if self.mechanism not in MECHANISMS:
            raise UsageError(
                f"The SASL mechanism {self.mechanism!r} is not one of {', '.join(MECHANISMS)}; correct it."
            )
        if not self.tls and (self.certificate or self.ca_file):
            raise UsageError(f"{self.bootstrap}: certificates need TLS; set tls or remove them.")
        if self.basic and not (self.tls or self.allow_plaintext_password or all(map(is_loopback, hosts))):
            raise UsageError(
                f"{self.bootstrap}: the password would cross the network unencrypted; set tls or allow_plaintext_password."
            )
        files = (self.ca_file, *((self.certificate.chain, self.certificate.key) if self.certificate else ()))
        for path in files:
            if path is not None and not path.is_file():
                raise UsageError(f"The PEM file {path} does not exist; give another one.")

    def options(self) -> dict[str, Any]:
        """The options of the client library for this cluster."""
        protocol = ("SASL_" if self.basic else "") + ("SSL" if self.tls else "PLAINTEXT")
        options: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": protocol,
            "client.id": "faultprint",
            "logger": _DISCARD,
        }
        if self.basic:
            options |= {"sasl.mechanism": self.mechanism, "sasl.username": self.basic.user}
            options |= {"sasl.password": self.basic.password}
        if self.ca_file:
            options |= {"ssl.ca.location": str(self.ca_file)}
        if self.certificate:
            options |= {"ssl.certificate.location": str(self.certificate.chain)}
            options |= {"ssl.key.location": str(self.certificate.key)}
        return options

    def producer(self, extra: Options) -> Producer:
        """A producer that writes no record twice and keeps their order, also after connection errors.

        Keys are mapped to partitions as by the Java clients of Kafka. Raises UsageError.
        """
        with self._usage_errors():
            from confluent_kafka import Producer

            fixed = {"enable.idempotence": True, "partitioner": "murmur2_random"}
            return Producer({**self.options(), **fixed, **extra})

    def consumer(self, extra: Options) -> Consumer:
        """A consumer. Raises UsageError."""
        with self._usage_errors():
            from confluent_kafka import Consumer

            return Consumer({**self.options(), **extra})

    def admin(self) -> AdminClient:
        """A client that creates topics. Raises UsageError."""
        with self._usage_errors():
            from confluent_kafka.admin import AdminClient

            return AdminClient(self.options())

    @contextmanager
    def _usage_errors(self) -> Iterator[None]:
        """Turn a missing library or refused settings into a UsageError."""
        try:
            from confluent_kafka import KafkaException
        except ImportError:
            raise UsageError(
                "Kafka needs the package confluent-kafka; run pip install 'faultprint[monitor]'."
            ) from None
        try:
            yield
        except KafkaException as error:
            raise UsageError(
                f"The settings for Kafka at {self.bootstrap} are refused ({error}); correct them."
            ) from None


def _host(address: str) -> str:
    host, colon, port = address.strip().rpartition(":")
    return host.strip("[]") if colon and port.isascii() and port.isdigit() and 0 < int(port) < 65_536 else ""
