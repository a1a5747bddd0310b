"""The sinks of a configuration: each an encoder and a sender of `faultprint.publish`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TextIO

import numpy as np

from faultprint.embedding.model import Model
from faultprint.monitor.config.kafka import KafkaSettings
from faultprint.monitor.config.secret import first_line
from faultprint.monitor.config.settings import RetrySettings, SinkKind, SinkSettings
from faultprint.monitor.deliver.measurements import Measurements
from faultprint.monitor.deliver.sink import Encode, Sink, alone
from faultprint.publish.control_loop import ControlLoopSettings
from faultprint.publish.incident import Incident
from faultprint.publish.message import Message, Receipt, Sender
from faultprint.publish.routes import (
    alarm_messages,
    control_loop_messages,
    line_messages,
    ves_messages,
    webhook_messages,
)
from faultprint.publish.senders.backoff import Backoff
from faultprint.publish.senders.dry_run import DryRunSender
from faultprint.publish.senders.endpoint import Basic, Certificate, Endpoint
from faultprint.publish.senders.file import FileSender
from faultprint.publish.senders.http import HttpSender
from faultprint.publish.senders.kafka import KafkaSender
from faultprint.publish.senders.kafka_client import KafkaCluster
from faultprint.publish.tmf642.alarm import AlarmSettings
from faultprint.publish.ves.batch import joined
from faultprint.publish.ves.event import VesSettings
from faultprint.publish.webhook import WebhookSettings

_ENCODERS: Final[Mapping[SinkKind, Callable[[SinkSettings], Encode]]] = {
    SinkKind.FILE: lambda settings: line_messages,
    SinkKind.WEBHOOK: lambda settings: partial(
        webhook_messages, settings=WebhookSettings(secret=first_line(settings.secret_file))
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


def sinks(
    settings: SinkSettings,
    retry: RetrySettings,
    model: Model,
    rng: np.random.Generator,
    dry: TextIO | None = None,
) -> list[Sink]:
    """The sink that is meant, and the lane of its measurements if it wants any; with `dry` their messages are printed
    there instead. Raises UsageError."""
    join = joined if settings.kind is SinkKind.VES and settings.batch else alone
    encode = _ENCODERS[settings.kind](settings)
    measure = None
    if settings.measurements:
        interval_us = model.manifest.interval_us
        measure = Measurements.of(settings.name, settings.measurements, model.catalogue, VesSettings(), interval_us)
    found = [Sink(settings.name, encode, _sender(settings, retry, rng, dry), join)]
    if measure:
        found.append(Sink(settings.lane, _nothing, _sender(settings, retry, rng, dry), join, measure))
    return found


def _nothing(incident: Incident) -> tuple[Message, ...]:
    return ()


def _sender(settings: SinkSettings, retry: RetrySettings, rng: np.random.Generator, dry: TextIO | None) -> Sender:
    if dry is not None:
        return DryRunSender(settings.url or settings.bootstrap or str(settings.path), dry)
    if settings.path is not None:
        return FileSender(settings.path)
    if settings.bootstrap:
        return KafkaSender(cluster(settings), settings.topic, retry.timeout_seconds)
    # One attempt a call: it is the courier that tries again, and can be stopped meanwhile.
    return HttpSender(_endpoint(settings, retry), Backoff(attempts=1), rng)


def backoff(retry: RetrySettings) -> Backoff:
    """The pauses of a courier. Raises UsageError."""
    return Backoff(first_s=retry.first_seconds, longest_s=retry.longest_seconds)


def cluster(settings: SinkSettings | KafkaSettings) -> KafkaCluster:
    """The Kafka cluster that is meant. Raises UsageError."""
    return KafkaCluster(
        settings.bootstrap,
        tls=settings.tls,
        authorities=settings.authorities,
        certificate=_certificate(settings),
        basic=_basic(settings),
        mechanism=settings.mechanism,
        plain_password=settings.plain_password,
    )


def _basic(settings: SinkSettings | KafkaSettings) -> Basic | None:
    return Basic(settings.user, first_line(settings.password_file)) if settings.user else None


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
