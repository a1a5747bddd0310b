"""From a configuration to a monitor that is ready to run: the one place where its parts are put together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

import numpy as np

from faultprint.embedding.model import Model, load_model
from faultprint.monitor.base.interfaces import Clock
from faultprint.monitor.config.settings import Settings
from faultprint.monitor.deliver.delivery import DeliveryWorker, Log
from faultprint.monitor.deliver.sink import Sink
from faultprint.monitor.deliver.sinks import backoff, sinks
from faultprint.monitor.detect.incidents import Incidents
from faultprint.monitor.ingest.watermark import WatermarkBuffer
from faultprint.monitor.monitor import Monitor
from faultprint.monitor.state.connect import State
from faultprint.monitor.state.store import Store

_SECOND = 1_000_000


@contextmanager
def build_monitor(
    settings: Settings,
    clock: Clock,
    tell: Log,
    *,
    state: State | None = None,
    dry: TextIO | None = None,
    model: Model | None = None,
    told: Sequence[Sink] | None = None,
) -> Iterator[Monitor]:
    """The monitor with its couriers at work; both end with the block. `state`: another state than the settings';
    `model`, `told`: the model and the sinks that are meant, where they are there already.

    Raises any FaultprintError.
    """
    model = model or load_model(settings.model)
    place = state or settings.state
    with Store(place) as store:
        store.claim()
        couriers = [
            DeliveryWorker(
                sink,
                place,
                settings.keep.messages,
                backoff(settings.retry),
                np.random.default_rng(),
                clock,
                tell,
            )
            for sink in (build_sinks(settings, model, dry) if told is None else told)
        ]
        try:
            monitor = Monitor(
                model,
                settings.library,
                store,
                build_watermark(settings, model.manifest.interval_us),
                Incidents(
                    settings.incidents, settings.maintenance, model.manifest.interval_us, settings.nodes.persistence
                ),
                couriers,
                clock,
                tell,
                profile_minutes=settings.nodes.profile_minutes,
                vouched=not settings.nodes.mostly_normal,
                persistence=settings.nodes.persistence,
                compact=settings.nodes.compact,
                silent_minutes=settings.time.silent_minutes,
                keep_minutes=settings.keep.verdict_minutes,
                keep_incident_days=settings.keep.incident_days,
            )
            for courier in couriers:
                courier.start()
            yield monitor
        finally:
            for courier in couriers:
                courier.stop()


def build_sinks(settings: Settings, model: Model, dry: TextIO | None) -> list[Sink]:
    """All whom the settings want told. Raises UsageError."""
    return [
        sink
        for number, one in enumerate(settings.sink)
        for sink in sinks(one, settings.retry, model, np.random.default_rng(number), dry)
    ]


def build_watermark(settings: Settings, interval_us: int) -> WatermarkBuffer:
    """The gate that the settings ask for."""
    seconds = settings.time
    return WatermarkBuffer(
        interval_us,
        int(seconds.lateness_seconds * _SECOND),
        int(seconds.ahead_seconds * _SECOND),
        int(seconds.patience_seconds * _SECOND),
        settings.nodes.most,
    )
