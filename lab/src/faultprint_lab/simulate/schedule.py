"""When the faults occur in a network, and the labels that follow from that."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from faultprint import storage
from faultprint.arrays import Float64Array
from faultprint.errors import UsageError
from faultprint.tables import LABELS, NORMAL, RECOVERY
from faultprint_lab.simulate.faults.fault import EpisodeSlot, SimulatedFault
from faultprint_lab.simulate.faults.table import FAULTS
from faultprint_lab.simulate.scenario import DURATIONS, FAULT_FREE_START, MIN_GAP, Scenario, SimulatedEpisode


def draw_episodes(
    scenario: Scenario,
    episodes_per_day: float,
    network_seed: np.random.SeedSequence,
    rng: np.random.Generator,
    *,
    vary_episodes: bool = False,
    faults: Mapping[str, SimulatedFault] = FAULTS,
) -> list[SimulatedEpisode]:
    """Episodes of `faults` in order of time.

    `network_seed` decides how this network's equipment behaves in each fault: the same in every episode of a fault, or
    different in each episode if `vary_episodes`.

    Raises UsageError if the episodes do not fit into the span.
    """
    count = round(episodes_per_day * scenario.span / 86_400)
    lengths = np.exp(rng.uniform(np.log(DURATIONS[0]), np.log(DURATIONS[1]), count))
    needed = lengths + max(fault.recovery[1] for fault in faults.values()) + MIN_GAP
    slack = scenario.span - FAULT_FREE_START - needed.sum()
    if slack < 0:
        days = scenario.span / 86_400
        raise UsageError(
            f"{count} episodes do not fit into {days:g} days: each needs {MIN_GAP / 60:g} minutes after it, and the first "
            f"{FAULT_FREE_START / 3600:g} hours have no fault; ask for fewer episodes per day or more days."
        )
    starts = FAULT_FREE_START + np.sort(rng.random(count)) * slack + np.cumsum(needed) - needed
    names = _assign_busy_slots(_draw_names(count, faults, rng), starts, lengths, scenario, faults)
    fault_seeds = dict(zip(faults, network_seed.spawn(len(faults)), strict=True))
    seeds = network_seed.spawn(count) if vary_episodes else [fault_seeds[name] for name in names]
    return [
        _draw_episode(faults[name], float(start), float(length), scenario, seed, rng)
        for name, start, length, seed in zip(names, starts, lengths, seeds, strict=True)
    ]


def _draw_names(count: int, faults: Mapping[str, SimulatedFault], rng: np.random.Generator) -> list[str]:
    """`count` names in rounds: every fault once a round, each round in a random order."""
    names: list[str] = []
    while len(names) < count:
        names += [str(name) for name in rng.permutation(list(faults))]
    return names[:count]


def _assign_busy_slots(
    names: list[str],
    starts: Float64Array,
    lengths: Float64Array,
    scenario: Scenario,
    faults: Mapping[str, SimulatedFault],
) -> list[str]:
    """Within each round, swap the fault that needs a busy hour into the busiest slot."""
    names = list(names)
    lowest_load = [
        float(scenario.curve.expected_between(start, start + length).min())
        for start, length in zip(starts, lengths, strict=True)
    ]
    for first in range(0, len(names), len(faults)):
        slots = range(first, min(first + len(faults), len(names)))
        for slot in slots:
            if faults[names[slot]].busy:
                best = max(slots, key=lowest_load.__getitem__)
                names[slot], names[best] = names[best], names[slot]
                break
    return names


def _draw_episode(
    fault: SimulatedFault,
    start: float,
    length: float,
    scenario: Scenario,
    seed: np.random.SeedSequence,
    rng: np.random.Generator,
) -> SimulatedEpisode:
    end = start + length
    severity = fault.draw_severity(rng)
    ramps = rng.random() < 0.4
    recovery = float(np.exp(rng.uniform(*np.log(fault.recovery))))
    draws = fault.draw(EpisodeSlot(scenario, start, end, severity, np.random.default_rng(seed), rng))
    return SimulatedEpisode(
        fault=fault.name,
        start=start,
        end=end,
        recovery_end=end + recovery,
        severity=severity,
        onset=float(rng.uniform(0.1, 0.5) * min(length, 1800)) if ramps else 0.0,
        share_offset=float(rng.random()),
        draws=draws,
    )


def labels(episodes: list[SimulatedEpisode], scenario: Scenario, start: datetime) -> pl.DataFrame:
    """The labels table: normal, fault, recovery, normal … without a gap from `start` to the end of the span."""
    rows: list[tuple[float, float, str, float | None]] = []
    previous_end = 0.0
    for episode in episodes:
        rows.append((previous_end, episode.start, NORMAL, None))
        rows.append((episode.start, episode.end, episode.fault, episode.severity))
        rows.append((episode.end, episode.recovery_end, RECOVERY, None))
        previous_end = episode.recovery_end
    rows.append((previous_end, scenario.span, NORMAL, None))
    return pl.DataFrame(
        {
            "node": [scenario.network.node] * len(rows),
            "start": [start + timedelta(seconds=row[0]) for row in rows],
            "end": [start + timedelta(seconds=row[1]) for row in rows],
            "condition": [row[2] for row in rows],
            "severity": [row[3] for row in rows],
        },
        schema=storage.schema(LABELS),
    )
