"""A random recording plan: different networks, consecutive hours, and faults in most of the hours.

The plan is TOML for `plan.parse`. Its episodes are in recording order: one hour of every network, then the next hour. So
an interrupted recording is still balanced over networks and faults.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from faultprint_lab.testbed.plan import FaultEvent, PlannedEpisode
from faultprint_lab.testbed.subscribers.arrivals import daily_activity
from faultprint_lab.testbed.topology.network import BedLoad, BedNetwork

HOUR: Final = 3600.0
"""Length of an episode in seconds."""
FAULT_FREE: Final = 0.28
"""Share of hours without a fault."""
EARLIEST: Final = 300.0
"""Earliest start of a fault in its hour, in seconds."""
SHORTEST: Final = 360.0
LONGEST: Final = 1500.0
"""Range of the length of a fault in seconds (log-uniform)."""
MIN_SEVERITY: Final[Mapping[str, float]] = {
    "hss-link-down": 0.3,
    "hss-slow": 0.12,
    "hss-errors": 0.08,
    "pcrf-down": 0.3,
    "traffic-blocked": 0.15,
    "core-leg-down": 0.2,
    "scscf-down": 0.3,
    "link-at-capacity": 0.15,
    "packet-loss": 0.12,
    "overload": 0.08,
    "dns-slow": 0.25,
    "registration-storm": 0.08,
    "as-failing": 0.2,
}
"""Smallest severity of each fault that has a visible effect at the P-CSCF of a bed with little traffic."""
OUTAGES: Final = frozenset({"hss-link-down", "pcrf-down", "traffic-blocked", "core-leg-down", "scscf-down"})
"""Faults that are a total outage at severity 1, as most real ones are: a third of their episodes have severity 1."""

_DRAWS: Final = 200
"""Number of random assignments; the most balanced one is used."""
_SLOW_T1_MS: Final = 1000
"""Networks with this T1 or more recover more slowly."""


def draw_plan(networks: int, hours: int, seed: int) -> str:
    """Draw a plan as TOML: `networks` different networks, each with `hours` episodes of one hour.

    The same seed gives the same text.
    """
    streams = np.random.SeedSequence([seed, 4]).spawn(networks + 1)
    rng = np.random.default_rng(streams[0])
    generators = [np.random.default_rng(stream) for stream in streams[1:]]
    first_hours = [int(generator.integers(24)) for generator in generators]
    drawn = [
        _draw_network(f"net{index:02d}", first_hour, hours, generator)
        for index, (first_hour, generator) in enumerate(zip(first_hours, generators, strict=True), 1)
    ]
    order = [(hour, index) for hour in range(hours) for index in np.roll(np.arange(networks), -hour).tolist()]
    faults = _assign_faults(order, networks, rng)
    episodes = [
        PlannedEpisode(
            network=drawn[index].name,
            length=HOUR,
            hour=float((first_hours[index] + hour) % 24),
            settle=_settling_time(drawn[index]),
            faults=() if fault is None else (_place_fault(fault, drawn[index], rng),),
            name=f"{drawn[index].name}-h{hour:02d}",
        )
        for (hour, index), fault in zip(order, faults, strict=True)
    ]
    return _toml(seed, drawn, episodes)


# Networks


def _draw_network(name: str, first_hour: int, hours: int, rng: np.random.Generator) -> BedNetwork:
    """Draw a network: size, timers, delays and load, as different as a bed with little traffic allows."""
    subscribers = round(_log_uniform(rng, 300, 1200))
    interval = subscribers / _log_uniform(rng, 0.5, 1.5)
    refresh_at = round(float(rng.uniform(0.4, 0.8)), 2)
    t1_ms = int(rng.choice([400, 500, 500, 1000, 2000]))
    return BedNetwork(
        name=name,
        subscribers=subscribers,
        expiry=int(np.clip(10 * round(interval / refresh_at / 10), 240, 3600)),
        refresh_at=refresh_at,
        nonce_reuse=int(rng.choice([0, 0, 1, 4])),
        t1_ms=t1_ms,
        t2_ms=int(rng.choice([4, 8])) * t1_ms,
        timeout_ms=100 * round(_log_uniform(rng, 16_000, 48_000) / 100),
        core_timeout_ms=100 * round(_log_uniform(rng, 3000, 9000) / 100),
        invite_timeout_ms=int(rng.integers(60, 181)) * 1000,
        as_timeout_ms=100 * round(_log_uniform(rng, 2500, 9000) / 100),
        cx_timeout=int(rng.integers(3, 9)),
        watchdog=int(rng.integers(6, 21)),
        dns_ttl=round(_log_uniform(rng, 5, 60)),
        dns_timeout=int(rng.integers(1, 4)),
        dns_delay_ms=round(_log_uniform(rng, 0.5, 20), 1),
        hss_delay_ms=round(_log_uniform(rng, 1, 80), 1),
        pcrf_delay_ms=round(_log_uniform(rng, 1, 80), 1),
        as_share=round(float(rng.uniform(0.25, 0.7)), 2),
        children=int(rng.integers(2, 5)),
        load=_draw_load(subscribers, first_hour, hours, 180.0 if t1_ms >= _SLOW_T1_MS else 120.0, rng),
    )


def _draw_load(
    subscribers: int, first_hour: int, hours: int, longest_retry: float, rng: np.random.Generator
) -> BedLoad:
    """Draw the load: on average 0.3 to 1 calls a second over the recorded hours, and at most a third of the handsets busy."""
    median, sigma = round(_log_uniform(rng, 25, 90), 1), round(float(rng.uniform(0.7, 1.1)), 2)
    day = BedLoad(peak_hour=round(float(rng.uniform(10, 21)), 1), night_depth=round(float(rng.uniform(0.3, 0.8)), 2))
    activity = float(np.mean([daily_activity(day, (first_hour + hour + 0.5) * HOUR) for hour in range(hours)]))
    mean_hold = median * math.exp(sigma**2 / 2) + 10
    calls = min(_log_uniform(rng, 0.3, 1.0), 0.17 * subscribers / mean_hold) / activity * HOUR / subscribers
    answered, busy, unavailable = (float(rng.uniform(*limits)) for limits in ((0.6, 0.88), (0.02, 0.1), (0.01, 0.1)))
    return BedLoad(
        calls_per_hour=round(calls, 2),
        messages_per_hour=round(calls * _log_uniform(rng, 0.15, 2.0), 2),
        options_per_hour=round(calls * _log_uniform(rng, 0.1, 1.0), 2),
        power_cycles_per_hour=round(_log_uniform(rng, 0.08, 0.8), 2),
        reg_event_share=round(float(rng.uniform(0.1, 1.0)), 2),
        hold_median=median,
        hold_sigma=sigma,
        ring_median=round(_log_uniform(rng, 2.5, 9), 1),
        answered=round(min(answered, 0.96 - busy - unavailable), 3),
        busy=round(busy, 3),
        unavailable=round(unavailable, 3),
        patience=round(float(rng.uniform(15, 40)), 1),
        caller_ends=round(float(rng.uniform(0.4, 0.75)), 2),
        redial=round(float(rng.uniform(0.0, 0.6)), 2),
        retry_first=round(_log_uniform(rng, 4, 30), 1),
        retry_longest=round(_log_uniform(rng, 60, longest_retry), 0),
        night_depth=day.night_depth,
        peak_hour=day.peak_hour,
    )


def _settling_time(network: BedNetwork) -> float:
    """Seconds until about as many calls end as start: five median call lengths, within limits."""
    return float(np.clip(round(5 * network.load.hold_median), 150, 300))


# Faults


@dataclass(frozen=True, slots=True)
class _FaultDraw:
    """A fault and its severity, without a time."""

    fault: str
    severity: float


def _assign_faults(order: list[tuple[int, int]], networks: int, rng: np.random.Generator) -> list[_FaultDraw | None]:
    """The fault of each episode in `order` (hour, network): the most balanced of many draws."""
    fault_free = _fault_free_indices(order, networks, rng)
    draws = [_draw_faults(order, fault_free, rng) for _ in range(_DRAWS)]
    names = min(draws, key=lambda drawn: _imbalance(order, drawn))
    severities = _severities(names, rng)
    return [None if name is None else _FaultDraw(name, severities[name].pop()) for name in names]


def _fault_free_indices(order: list[tuple[int, int]], networks: int, rng: np.random.Generator) -> set[int]:
    """Indices of the episodes without a fault: the first hour of every network, which is its baseline; then evenly
    distributed over the plan and its networks.
    """
    indices: set[int] = set()
    count = np.zeros(networks)
    later_share = max(0.0, FAULT_FREE * len(order) - networks) / max(1, len(order) - networks)
    for begin in range(0, len(order), networks):
        block = range(begin, min(begin + networks, len(order)))
        wanted = networks if not begin else round(networks + later_share * (block.stop - networks)) - len(indices)
        jitter = rng.random(networks)
        for index in sorted(block, key=lambda index: (count[order[index][1]], jitter[order[index][1]]))[:wanted]:
            indices.add(index)
            count[order[index][1]] += 1
    return indices


def _draw_faults(order: list[tuple[int, int]], fault_free: set[int], rng: np.random.Generator) -> list[str | None]:
    """One random assignment: always the least frequent fault so far, and of these the least frequent in the network."""
    total: Counter[str] = Counter()
    per_network: Counter[tuple[int, str]] = Counter()
    previous: dict[int, str] = {}
    names: list[str | None] = []
    for index, (_, network) in enumerate(order):
        if index in fault_free:
            names.append(None)
            continue
        jitter = dict(zip(MIN_SEVERITY, rng.random(len(MIN_SEVERITY)), strict=True))
        suitable = [name for name in MIN_SEVERITY if name != previous.get(network)]
        name = min(suitable, key=lambda name: (total[name], per_network[network, name], jitter[name]))
        total[name] += 1
        per_network[network, name] += 1
        previous[network] = name
        names.append(name)
    return names


def _imbalance(order: list[tuple[int, int]], names: list[str | None]) -> tuple[int, int]:
    """Difference in frequency between the faults, then how often networks have the same fault again."""
    total = Counter(name for name in names if name)
    per_network = Counter((network, name) for (_, network), name in zip(order, names, strict=True) if name)
    return max(total.values(), default=0) - min((total[name] for name in MIN_SEVERITY), default=0), sum(
        count * count for count in per_network.values()
    )


def _severities(names: Iterable[str | None], rng: np.random.Generator) -> dict[str, list[float]]:
    """Severities for the episodes of each fault: log-uniform, one from each equal part of the range up to 1.

    Consecutive severities are half the range apart, so that any few of them include mild and strong ones.
    """
    drawn = {}
    for name, count in Counter(name for name in names if name).items():
        half = (count + 1) // 2
        parts = [part for pair in zip(range(half), range(half, 2 * half), strict=True) for part in pair if part < count]
        parts = parts if rng.random() < 0.5 else parts[::-1]
        partial = count - (-(-count // 3)) if name in OUTAGES else count
        minimum = MIN_SEVERITY[name]
        drawn[name] = [
            1.0 if part >= partial else round(minimum ** (1 - (part + float(rng.random())) / count), 3)
            for part in parts
        ]
    return drawn


def _place_fault(drawn: _FaultDraw, network: BedNetwork, rng: np.random.Generator) -> FaultEvent:
    """Draw length, start and recovery; networks with slow timers get a longer recovery."""
    recovery = 180.0 if network.t1_ms >= _SLOW_T1_MS else float(round(rng.uniform(120, 180)))
    length = float(round(_log_uniform(rng, SHORTEST, LONGEST)))
    start = float(round(rng.uniform(EARLIEST, HOUR - length - recovery - 60)))
    return FaultEvent(drawn.fault, start, length, drawn.severity, recovery)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A log-uniform number between two positive limits."""
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))


# TOML


def _toml(seed: int, networks: Iterable[BedNetwork], episodes: Iterable[PlannedEpisode]) -> str:
    lines = [f"seed = {seed}"]
    for network in networks:
        lines += ["", f"[networks.{network.name}]", *_pairs(network, {"name", "load"})]
        lines += ["", f"[networks.{network.name}.load]", *_pairs(network.load, set())]
    for episode in episodes:
        lines += ["", "[[episodes]]", *_pairs(episode, {"faults"})]
        for event in episode.faults:
            lines += ["", "[[episodes.faults]]", *_pairs(event, set())]
    return "\n".join(lines) + "\n"


def _pairs(item: Any, excluded: set[str]) -> list[str]:
    pairs = ((field.name, getattr(item, field.name)) for field in fields(item) if field.name not in excluded)
    return [f"{name} = {_value(value)}" for name, value in pairs]


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)
