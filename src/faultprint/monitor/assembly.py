"""From a configuration to a monitor that is ready to run: the one place where its parts are put together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import numpy as np

from faultprint.embedding.model import Model, load
from faultprint.monitor.courier import Courier, Sink, Tell
from faultprint.monitor.gate import Gate
from faultprint.monitor.incidents import Incidents
from faultprint.monitor.ports import Clock
from faultprint.monitor.settings import Settings
from faultprint.monitor.sinks import backoff, sink
from faultprint.monitor.store import Store
from faultprint.monitor.watch import Monitor

_SECOND = 1_000_000


@contextmanager
def assembled(
    settings: Settings,
    clock: Clock,
    tell: Tell,
    *,
    state: Path | None = None,
    dry: TextIO | None = None,
    model: Model | None = None,
    sinks: Sequence[Sink] | None = None,
) -> Iterator[Monitor]:
    """The monitor with its couriers at work; both end with the block. `state`: another state file than the settings';
    `model`, `sinks`: those that are meant, where they are there already.

    Raises any FaultprintError.
    """
    model = model or load(settings.model)
    path = state or settings.state
    with Store(path) as store:
        couriers = [
            Courier(
                sink,
                path,
                settings.keep.messages,
                backoff(settings.retry),
                np.random.default_rng(),
                clock,
                tell,
            )
            for sink in (told(settings, dry) if sinks is None else sinks)
        ]
        try:
            monitor = Monitor(
                model,
                settings.library,
                store,
                gate(settings, model.manifest.interval_us),
                Incidents(
                    settings.incidents, settings.maintenance, model.manifest.interval_us, settings.nodes.persistence
                ),
                couriers,
                clock,
                tell,
                profile_minutes=settings.nodes.profile_minutes,
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


def told(settings: Settings, dry: TextIO | None) -> list[Sink]:
    """Everybody whom the settings want told. Raises UsageError."""
    return [sink(one, settings.retry, np.random.default_rng(place), dry) for place, one in enumerate(settings.sink)]


def gate(settings: Settings, interval_us: int) -> Gate:
    """The gate that the settings ask for."""
    seconds = settings.time
    return Gate(
        interval_us,
        int(seconds.lateness_seconds * _SECOND),
        int(seconds.ahead_seconds * _SECOND),
        int(seconds.patience_seconds * _SECOND),
        settings.nodes.most,
    )
