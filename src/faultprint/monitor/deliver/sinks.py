"""Builds the sinks of a configuration from encoders and senders of `faultprint.publish`."""

from __future__ import annotations

import threading
from functools import partial
from typing import TextIO

import numpy as np

from faultprint.embedding.model import Model
from faultprint.monitor.config.kafka import KafkaSettings
from faultprint.monitor.config.secret import first_line
from faultprint.monitor.config.settings import RetrySettings, Settings
from faultprint.monitor.config.sinks import (
    AlarmSinkSettings,
    FileSinkSettings,
    KafkaSinkSettings,
    SinkSettings,
    VesSinkSettings,
    WebhookSinkSettings,
    elements,
)
from faultprint.monitor.deliver.measurements import MeasurementEncoder
from faultprint.monitor.deliver.sink import Encode, Sink, single
from faultprint.publish.incident import Incident
from faultprint.publish.message import Message, Receipt, Sender
from faultprint.publish.routes import (
    alarm_messages,
    control_loop_messages,
    json_line_messages,
    ves_messages,
    webhook_messages,
)
from faultprint.publish.senders.backoff import Backoff
from faultprint.publish.senders.dry_run import DryRunSender
from faultprint.publish.senders.endpoint import BasicAuth, ClientCertificate, Endpoint
from faultprint.publish.senders.file import FileSender
from faultprint.publish.senders.http import HttpSender
from faultprint.publish.senders.kafka import KafkaSender
from faultprint.publish.senders.kafka_client import KafkaCluster
from faultprint.publish.ves.batch import join_batch
from faultprint.publish.webhook import WebhookSettings

SinkOverHttp = WebhookSinkSettings | VesSinkSettings | AlarmSinkSettings


class SharedSender:
    """A sender for several delivery workers, one at a time. Its creator closes it."""

    def __init__(self, sender: Sender) -> None:
        self._sender, self._lock = sender, threading.Lock()

    def send(self, message: Message) -> Receipt:
        with self._lock:
            return self._sender.send(message)

    def close(self) -> None:
        """Does nothing: the other workers still use it."""


def sinks_for(
    sink: SinkSettings, settings: Settings, model: Model, rng: np.random.Generator, dry_run: TextIO | None = None
) -> list[Sink]:
    """The sink, and another one for its measurements if it wants any.

    `dry_run`: print messages there instead of sending them. Raises UsageError.
    """
    batch = join_batch if isinstance(sink, VesSinkSettings) and sink.batch else single
    encode = _encoder(sink, settings)
    result = [Sink(sink.name, encode, _sender(sink, settings.retry, rng, dry_run), batch)]
    if isinstance(sink, VesSinkSettings) and sink.measurements:
        measure = MeasurementEncoder.create(
            sink.name,
            sink.measurements,
            model.catalogue,
            sink.ves_settings(elements(settings.inventory)),
            model.manifest.interval_us,
        )
        sender = _sender(sink, settings.retry, rng, dry_run)
        result.append(Sink(sink.measurement_queue, _no_messages, sender, batch, measure))
    return result


def _encoder(sink: SinkSettings, settings: Settings) -> Encode:
    inventory = elements(settings.inventory)
    match sink:
        case FileSinkSettings():
            return json_line_messages
        case WebhookSinkSettings():
            webhook = WebhookSettings(sink.source, first_line(sink.secret_file))
            return partial(webhook_messages, settings=webhook)
        case VesSinkSettings():
            return partial(ves_messages, settings=sink.ves_settings(inventory))
        case AlarmSinkSettings():
            return partial(alarm_messages, settings=settings.tmf642.alarm_settings(inventory))
        case KafkaSinkSettings():
            return partial(control_loop_messages, settings=sink.control_loop_settings(inventory))


def _no_messages(incident: Incident) -> tuple[Message, ...]:
    return ()


def _sender(sink: SinkSettings, retry: RetrySettings, rng: np.random.Generator, dry_run: TextIO | None) -> Sender:
    if isinstance(sink, FileSinkSettings):
        return FileSender(sink.path) if dry_run is None else DryRunSender(str(sink.path), dry_run)
    if isinstance(sink, KafkaSinkSettings):
        if dry_run is not None:
            return DryRunSender(sink.bootstrap, dry_run)
        return KafkaSender(kafka_cluster(sink), sink.topic, retry.timeout_seconds)
    if dry_run is not None:
        return DryRunSender(sink.url, dry_run)
    # One attempt per call: the delivery worker retries, so that it can be stopped between attempts.
    return HttpSender(_endpoint(sink, retry), Backoff(attempts=1), rng)


def backoff(retry: RetrySettings) -> Backoff:
    """The pauses between delivery attempts. Raises UsageError."""
    return Backoff(initial_s=retry.first_seconds, max_s=retry.longest_seconds)


def kafka_cluster(settings: KafkaSinkSettings | KafkaSettings) -> KafkaCluster:
    """The Kafka cluster of a sink, or of the section [kafka]. Raises UsageError."""
    return KafkaCluster(
        settings.bootstrap,
        tls=settings.tls,
        ca_file=settings.ca_file,
        certificate=_certificate(settings),
        basic=_basic(settings),
        mechanism=settings.mechanism,
        allow_plaintext_password=settings.allow_plaintext_password,
    )


def _basic(settings: SinkOverHttp | KafkaSinkSettings | KafkaSettings) -> BasicAuth | None:
    return BasicAuth(settings.user, first_line(settings.password_file)) if settings.user else None


def _certificate(settings: SinkOverHttp | KafkaSinkSettings | KafkaSettings) -> ClientCertificate | None:
    chain = settings.certificate
    return None if chain is None else ClientCertificate(chain, settings.certificate_key or chain)


def _endpoint(sink: SinkOverHttp, retry: RetrySettings) -> Endpoint:
    return Endpoint(
        sink.url,
        basic=_basic(sink),
        certificate=_certificate(sink),
        ca_file=sink.ca_file,
        timeout_s=retry.timeout_seconds,
        allow_plaintext_password=sink.allow_plaintext_password,
    )
