"""Builds a monitor from its configuration: the only module that puts the parts together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

import numpy as np

from faultprint.cases.baseline import Baseline
from faultprint.embedding.model import Model, load_model
from faultprint.monitor.base.interfaces import Clock
from faultprint.monitor.base.location import StateLocation
from faultprint.monitor.base.log import Log
from faultprint.monitor.config.settings import BaselineKind, Settings
from faultprint.monitor.deliver.delivery import DeliveryWorker
from faultprint.monitor.deliver.sink import Sink
from faultprint.monitor.deliver.sinks import backoff, sinks_for
from faultprint.monitor.detect.incidents import Incidents
from faultprint.monitor.ingest.watermark import WatermarkBuffer
from faultprint.monitor.monitor import Monitor
from faultprint.monitor.state.store import Store
from faultprint.units import SECOND_US


@contextmanager
def build_monitor(
    settings: Settings,
    clock: Clock,
    log: Log,
    *,
    state: StateLocation | None = None,
    dry_run: TextIO | None = None,
    model: Model | None = None,
    sinks: Sequence[Sink] | None = None,
) -> Iterator[Monitor]:
    """A monitor with its delivery workers running; both end with the block.

    `state`: instead of the state in the settings. `dry_run`: print messages there instead of sending them.
    `model`, `sinks`: if they exist already. Raises any FaultprintError.
    """
    model = model or load_model(settings.model, keys=settings.model_keys)
    location = state or settings.state
    with Store(location) as store:
        store.claim()
        workers = [
            DeliveryWorker(
                sink,
                location,
                settings.retention.messages,
                backoff(settings.retry),
                np.random.default_rng(),
                clock,
                log,
            )
            for sink in (build_sinks(settings, model, dry_run) if sinks is None else sinks)
        ]
        try:
            monitor = Monitor(
                model,
                settings.library,
                store,
                build_watermark_buffer(settings, model.manifest.interval_us),
                Incidents(
                    settings.incidents, settings.maintenance, model.manifest.interval_us, settings.nodes.confirm_minutes
                ),
                workers,
                clock,
                log,
                baseline=build_baseline(settings),
                confirm_minutes=settings.nodes.confirm_minutes,
                quantized=settings.nodes.quantized,
                no_data_minutes=settings.time.no_data_minutes,
                forget_days=settings.nodes.forget_days,
                keep_minutes=settings.retention.verdict_minutes,
                keep_incident_days=settings.retention.incident_days,
            )
            for worker in workers:
                worker.start()
                monitor.liveness.watch(worker, lambda worker=worker: worker.failure)  # type: ignore[misc]
            yield monitor
        finally:
            for worker in workers:
                worker.stop()


def build_sinks(settings: Settings, model: Model, dry_run: TextIO | None) -> list[Sink]:
    """All sinks of the settings. Raises UsageError."""
    return [
        sink
        for seed, sink_settings in enumerate(settings.sink)
        for sink in sinks_for(sink_settings, settings, model, np.random.default_rng(seed), dry_run)
    ]


def build_baseline(settings: Settings) -> Baseline:
    """How the settings choose the baseline of a new node."""
    first = settings.baseline.kind is BaselineKind.FIRST
    return Baseline.first(settings.baseline.length) if first else Baseline.robust(settings.baseline.length)


def build_watermark_buffer(settings: Settings, interval_us: int) -> WatermarkBuffer:
    """The watermark buffer with the limits of the settings."""
    limits = settings.time
    return WatermarkBuffer(
        interval_us,
        int(limits.lateness_seconds * SECOND_US),
        int(limits.ahead_seconds * SECOND_US),
        int(limits.idle_timeout_seconds * SECOND_US),
        settings.nodes.max,
    )
