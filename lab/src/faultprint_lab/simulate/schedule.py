"""When the faults strike a network, and the labels that follow."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from faultprint import storage
from faultprint.arrays import Float64Array
from faultprint.errors import UsageError
from faultprint.tables import LABELS, NORMAL, RECOVERY
from faultprint_lab.simulate.faults.fault import SimulatedFault, Slot
from faultprint_lab.simulate.faults.table import FAULTS
from faultprint_lab.simulate.plan import DURATIONS, MINIMUM_GAP, QUIET_START, SimulatedEpisode
from faultprint_lab.simulate.scenario import Scenario


def draw_episodes(
    world: Scenario,
    a_day: float,
    own: np.random.SeedSequence,
    rng: np.random.Generator,
    *,
    varied: bool = False,
    faults: Mapping[str, SimulatedFault] = FAULTS,
) -> list[SimulatedEpisode]:
    """Episodes of `faults` in order of time; `own` seeds the network's own way of having each, or, if `varied`, each episode's.

    Raises UsageError where so many do not fit.
    """
    count = round(a_day * world.span / 86_400)
    lengths = np.exp(rng.uniform(np.log(DURATIONS[0]), np.log(DURATIONS[1]), count))
    each = lengths + max(fault.recovery[1] for fault in faults.values()) + MINIMUM_GAP
    slack = world.span - QUIET_START - each.sum()
    if slack < 0:
        days = world.span / 86_400
        raise UsageError(
            f"{count} episodes do not fit into {days:g} days with {MINIMUM_GAP / 60:g} minutes after each and "
            f"{QUIET_START / 3600:g} quiet hours first; ask for fewer episodes a day or more days."
        )
    starts = QUIET_START + np.sort(rng.random(count)) * slack + np.cumsum(each) - each
    names = _busy_hours(_names(count, faults, rng), starts, lengths, world, faults)
    ways = dict(zip(faults, own.spawn(len(faults)), strict=True))
    each_way = own.spawn(count) if varied else [ways[name] for name in names]
    return [
        _episode(faults[name], float(start), float(length), world, way, rng)
        for name, start, length, way in zip(names, starts, lengths, each_way, strict=True)
    ]


def _names(count: int, faults: Mapping[str, SimulatedFault], rng: np.random.Generator) -> list[str]:
    """Every fault once a round, each round in an order of its own."""
    names: list[str] = []
    while len(names) < count:
        names += [str(name) for name in rng.permutation(list(faults))]
    return names[:count]


def _busy_hours(
    names: list[str], starts: Float64Array, lengths: Float64Array, world: Scenario, faults: Mapping[str, SimulatedFault]
) -> list[str]:
    """Within each round, the fault that needs a busy hour gets the busiest slot, in exchange for what was there."""
    names = list(names)
    quietest = [float(world.curve.plain_between(s, s + n).min()) for s, n in zip(starts, lengths, strict=True)]
    for first in range(0, len(names), len(faults)):
        slots = range(first, min(first + len(faults), len(names)))
        for slot in slots:
            if faults[names[slot]].busy:
                best = max(slots, key=quietest.__getitem__)
                names[slot], names[best] = names[best], names[slot]
                break
    return names


def _episode(
    fault: SimulatedFault,
    start: float,
    length: float,
    world: Scenario,
    own: np.random.SeedSequence,
    rng: np.random.Generator,
) -> SimulatedEpisode:
    end = start + length
    severity = fault.draw_severity(rng)
    ramps = rng.random() < 0.4
    recovery = float(np.exp(rng.uniform(*np.log(fault.recovery))))
    draws = fault.draw(Slot(world, start, end, severity, np.random.default_rng(own), rng))
    return SimulatedEpisode(
        fault=fault.name,
        start=start,
        end=end,
        over=end + recovery,
        severity=severity,
        onset=float(rng.uniform(0.1, 0.5) * min(length, 1800)) if ramps else 0.0,
        share_offset=float(rng.random()),
        draws=draws,
    )


def labels(episodes: list[SimulatedEpisode], world: Scenario, start: datetime) -> pl.DataFrame:
    """The labels table: normal, fault, recovery, normal … without a hole from `start` to the end of the span."""
    rows: list[tuple[float, float, str, float | None]] = []
    at = 0.0
    for episode in episodes:
        rows.append((at, episode.start, NORMAL, None))
        rows.append((episode.start, episode.end, episode.fault, episode.severity))
        rows.append((episode.end, episode.over, RECOVERY, None))
        at = episode.over
    rows.append((at, world.span, NORMAL, None))
    return pl.DataFrame(
        {
            "node": [world.network.node] * len(rows),
            "start": [start + timedelta(seconds=row[0]) for row in rows],
            "end": [start + timedelta(seconds=row[1]) for row in rows],
            "condition": [row[2] for row in rows],
            "severity": [row[3] for row in rows],
        },
        schema=storage.schema(LABELS),
    )
