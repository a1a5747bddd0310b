"""The sinks of a configuration: each an encoder and a sender of `faultprint.publish`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, TextIO

import numpy as np

from faultprint.errors import UsageError
from faultprint.monitor.courier import Sink
from faultprint.monitor.kafka.settings import KafkaSettings
from faultprint.monitor.settings import RetrySettings, SinkKind, SinkSettings
from faultprint.publish.alarm import AlarmSettings
from faultprint.publish.backoff import Backoff
from faultprint.publish.control_loop import ControlLoopSettings
from faultprint.publish.dry_run import DryRunSender
from faultprint.publish.endpoint import Basic, Certificate, Endpoint
from faultprint.publish.file_sender import FileSender
from faultprint.publish.http_sender import HttpSender
from faultprint.publish.incident import Incident
from faultprint.publish.kafka_client import Cluster
from faultprint.publish.kafka_sender import KafkaSender
from faultprint.publish.message import Message, Receipt, Sender
from faultprint.publish.routes import (
    alarm_messages,
    control_loop_messages,
    line_messages,
    ves_messages,
    webhook_messages,
)
from faultprint.publish.ves import VesSettings
from faultprint.publish.webhook import WebhookSettings

Encode = Callable[[Incident], tuple[Message, ...]]

_ENCODERS: Final[Mapping[SinkKind, Callable[[SinkSettings], Encode]]] = {
    SinkKind.FILE: lambda settings: line_messages,
    SinkKind.WEBHOOK: lambda settings: partial(
        webhook_messages, settings=WebhookSettings(secret=_first_line(settings.secret_file))
    ),
    SinkKind.VES: lambda settings: partial(ves_messages, settings=VesSettings()),
    SinkKind.ALARM: lambda settings: partial(alarm_messages, settings=AlarmSettings()),
    SinkKind.KAFKA: lambda settings: partial(
        control_loop_messages, settings=ControlLoopSettings(settings.loops, settings.loop)
    ),
}


class Shared:
    """A sender that several couriers use, one at a time; who made it closes it."""

    def __init__(self, sender: Sender) -> None:
        self._sender, self._lock = sender, threading.Lock()

    def send(self, message: Message) -> Receipt:
        with self._lock:
            return self._sender.send(message)

    def close(self) -> None:
        """It serves the others still."""


def sink(settings: SinkSettings, retry: RetrySettings, rng: np.random.Generator, dry: TextIO | None = None) -> Sink:
    """The sink that is meant; with `dry` its messages are printed there instead. Raises UsageError."""
    encode = _ENCODERS[settings.kind](settings)
    sender: Sender
    if dry is not None:
        sender = DryRunSender(settings.url or settings.bootstrap or str(settings.path), dry)
    elif settings.path is not None:
        sender = FileSender(settings.path)
    elif settings.bootstrap:
        sender = KafkaSender(cluster(settings), settings.topic, retry.timeout_seconds)
    else:
        # One attempt a call: it is the courier that tries again, and can be stopped meanwhile.
        sender = HttpSender(_endpoint(settings, retry), Backoff(attempts=1), rng)
    return Sink(settings.name, encode, sender)


def backoff(retry: RetrySettings) -> Backoff:
    """The pauses of a courier. Raises UsageError."""
    return Backoff(first_s=retry.first_seconds, longest_s=retry.longest_seconds)


def cluster(settings: SinkSettings | KafkaSettings) -> Cluster:
    """The Kafka cluster that is meant. Raises UsageError."""
    return Cluster(
        settings.bootstrap,
        tls=settings.tls,
        authorities=settings.authorities,
        certificate=_certificate(settings),
        basic=_basic(settings),
        mechanism=settings.mechanism,
        plain_password=settings.plain_password,
    )


def _basic(settings: SinkSettings | KafkaSettings) -> Basic | None:
    return Basic(settings.user, _first_line(settings.password_file)) if settings.user else None


def _certificate(settings: SinkSettings | KafkaSettings) -> Certificate | None:
    chain = settings.certificate
    return None if chain is None else Certificate(chain, settings.certificate_key or chain)


def _endpoint(settings: SinkSettings, retry: RetrySettings) -> Endpoint:
    return Endpoint(
        settings.url,
        basic=_basic(settings),
        certificate=_certificate(settings),
        authorities=settings.authorities,
        timeout_s=retry.timeout_seconds,
        plain_password=settings.plain_password,
    )


def _first_line(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The secret in {path} cannot be read ({error}); give a file of one line.") from None
    if not lines or not lines[0]:
        raise UsageError(f"{path} has no first line, but a secret must stand there; write it.")
    return lines[0]
