"""A recording plan drawn at random: differing networks, hours that follow one another, faults in most of them.

The plan is TOML as `plan.parse` reads it. Its episodes stand in the order in which they are to be recorded, one hour of
every network after another, so that a recording that is cut short is still balanced over networks and faults.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from faultprint_lab.testbed.plan import FaultEvent, PlannedEpisode
from faultprint_lab.testbed.subscribers.arrivals import curve
from faultprint_lab.testbed.topology.network import TestbedLoad, TestbedNetwork

HOUR: Final = 3600.0
FAULT_FREE: Final = 0.28
"""Share of the hours without a fault."""
EARLIEST: Final = 300.0
"""Seconds of an hour before a fault may start."""
SHORTEST: Final = 360.0
LONGEST: Final = 1500.0
"""Seconds that a fault lasts, log-uniform."""
LEAST_SEVERITY: Final[Mapping[str, float]] = {
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
"""Each fault's mildest severity that is real on a bed of a low rate: it changes what the P-CSCF sees."""
OUTAGES: Final = frozenset({"hss-link-down", "pcrf-down", "traffic-blocked", "core-leg-down", "scscf-down"})
"""Faults that at severity 1 are of another kind, steady and total, and mostly so in life: a third of theirs are that."""

_DRAWS: Final = 200
_SLOW_T1_MS: Final = 1000


def draw(networks: int, hours: int, seed: int) -> str:
    """The TOML of a plan: `networks` differing networks, `hours` episodes of an hour each. The same seed, the same text."""
    streams = np.random.SeedSequence([seed, 4]).spawn(networks + 1)
    rng = np.random.default_rng(streams[0])
    generators = [np.random.default_rng(stream) for stream in streams[1:]]
    firsts = [int(one.integers(24)) for one in generators]
    made = [
        _network(f"net{index:02d}", first, hours, one)
        for index, (first, one) in enumerate(zip(firsts, generators, strict=True), 1)
    ]
    order = [(hour, index) for hour in range(hours) for index in np.roll(np.arange(networks), -hour).tolist()]
    struck = _strikes(order, networks, rng)
    episodes = [
        PlannedEpisode(
            network=made[index].name,
            length=HOUR,
            hour=float((firsts[index] + hour) % 24),
            settle=_settle(made[index]),
            faults=() if strike is None else (_placed(strike, made[index], rng),),
            name=f"{made[index].name}-h{hour:02d}",
        )
        for (hour, index), strike in zip(order, struck, strict=True)
    ]
    return _toml(seed, made, episodes)


# Networks


def _network(name: str, first: int, hours: int, rng: np.random.Generator) -> TestbedNetwork:
    """An operator's network: size, timers, delays and habits, as far apart as a bed of a low rate bears."""
    subscribers = round(_log(rng, 300, 1200))
    interval = subscribers / _log(rng, 0.5, 1.5)
    refresh_at = round(float(rng.uniform(0.4, 0.8)), 2)
    t1_ms = int(rng.choice([400, 500, 500, 1000, 2000]))
    return TestbedNetwork(
        name=name,
        subscribers=subscribers,
        expiry=int(np.clip(10 * round(interval / refresh_at / 10), 240, 3600)),
        refresh_at=refresh_at,
        nonce_reuse=int(rng.choice([0, 0, 1, 4])),
        t1_ms=t1_ms,
        t2_ms=int(rng.choice([4, 8])) * t1_ms,
        timeout_ms=100 * round(_log(rng, 16_000, 48_000) / 100),
        core_timeout_ms=100 * round(_log(rng, 3000, 9000) / 100),
        invite_timeout_ms=int(rng.integers(60, 181)) * 1000,
        as_timeout_ms=100 * round(_log(rng, 2500, 9000) / 100),
        cx_timeout=int(rng.integers(3, 9)),
        watchdog=int(rng.integers(6, 21)),
        dns_ttl=round(_log(rng, 5, 60)),
        dns_timeout=int(rng.integers(1, 4)),
        dns_delay_ms=round(_log(rng, 0.5, 20), 1),
        hss_delay_ms=round(_log(rng, 1, 80), 1),
        pcrf_delay_ms=round(_log(rng, 1, 80), 1),
        as_share=round(float(rng.uniform(0.25, 0.7)), 2),
        children=int(rng.integers(2, 5)),
        load=_load(subscribers, first, hours, 180.0 if t1_ms >= _SLOW_T1_MS else 120.0, rng),
    )


def _load(subscribers: int, first: int, hours: int, patience: float, rng: np.random.Generator) -> TestbedLoad:
    """Habits; calls come to 0.3–1 a second on average over the hours recorded, and busy no more than a third of all."""
    median, sigma = round(_log(rng, 25, 90), 1), round(float(rng.uniform(0.7, 1.1)), 2)
    day = TestbedLoad(
        peak_hour=round(float(rng.uniform(10, 21)), 1), night_depth=round(float(rng.uniform(0.3, 0.8)), 2)
    )
    activity = float(np.mean([curve(day, (first + hour + 0.5) * HOUR) for hour in range(hours)]))
    held = median * math.exp(sigma**2 / 2) + 10
    calls = min(_log(rng, 0.3, 1.0), 0.17 * subscribers / held) / activity * HOUR / subscribers
    answered, busy, unavailable = (float(rng.uniform(*ends)) for ends in ((0.6, 0.88), (0.02, 0.1), (0.01, 0.1)))
    return TestbedLoad(
        calls_per_hour=round(calls, 2),
        messages_per_hour=round(calls * _log(rng, 0.15, 2.0), 2),
        options_per_hour=round(calls * _log(rng, 0.1, 1.0), 2),
        power_cycles_per_hour=round(_log(rng, 0.08, 0.8), 2),
        reg_event_share=round(float(rng.uniform(0.1, 1.0)), 2),
        hold_median=median,
        hold_sigma=sigma,
        ring_median=round(_log(rng, 2.5, 9), 1),
        answered=round(min(answered, 0.96 - busy - unavailable), 3),
        busy=round(busy, 3),
        unavailable=round(unavailable, 3),
        patience=round(float(rng.uniform(15, 40)), 1),
        caller_ends=round(float(rng.uniform(0.4, 0.75)), 2),
        redial=round(float(rng.uniform(0.0, 0.6)), 2),
        retry_first=round(_log(rng, 4, 30), 1),
        retry_longest=round(_log(rng, 60, patience), 0),
        night_depth=day.night_depth,
        peak_hour=day.peak_hour,
    )


def _settle(network: TestbedNetwork) -> float:
    """Until about as many calls end as begin: a few times as long as one is held."""
    return float(np.clip(round(5 * network.load.hold_median), 150, 300))


# Faults


@dataclass(frozen=True, slots=True)
class _Wish:
    """A fault and its severity, not yet placed in an hour."""

    fault: str
    severity: float


def _strikes(order: list[tuple[int, int]], networks: int, rng: np.random.Generator) -> list[_Wish | None]:
    """What befalls each episode of `order` (hour, network): the most even of many draws."""
    free = _free(order, networks, rng)
    draws = [_faults(order, free, rng) for _ in range(_DRAWS)]
    names = min(draws, key=lambda names: _unevenness(order, names))
    severities = _severities(names, rng)
    return [None if name is None else _Wish(name, severities[name].pop()) for name in names]


def _free(order: list[tuple[int, int]], networks: int, rng: np.random.Generator) -> set[int]:
    """Places of the fault-free episodes: every network's first hour, from which its normal is learnt; then evenly spread
    over the plan, and over its networks.
    """
    free: set[int] = set()
    count = np.zeros(networks)
    later = max(0.0, FAULT_FREE * len(order) - networks) / max(1, len(order) - networks)
    for begin in range(0, len(order), networks):
        block = range(begin, min(begin + networks, len(order)))
        wanted = networks if not begin else round(networks + later * (block.stop - networks)) - len(free)
        jitter = rng.random(networks)
        for place in sorted(block, key=lambda place: (count[order[place][1]], jitter[order[place][1]]))[:wanted]:
            free.add(place)
            count[order[place][1]] += 1
    return free


def _faults(order: list[tuple[int, int]], free: set[int], rng: np.random.Generator) -> list[str | None]:
    """One draw: always a fault that came least often so far, if it can be one that the network has had least often."""
    total: Counter[str] = Counter()
    inside: Counter[tuple[int, str]] = Counter()
    before: dict[int, str] = {}
    names: list[str | None] = []
    for place, (_, network) in enumerate(order):
        if place in free:
            names.append(None)
            continue
        jitter = dict(zip(LEAST_SEVERITY, rng.random(len(LEAST_SEVERITY)), strict=True))
        fit = [name for name in LEAST_SEVERITY if name != before.get(network)]
        name = min(fit, key=lambda name: (total[name], inside[network, name], jitter[name]))
        total[name] += 1
        inside[network, name] += 1
        before[network] = name
        names.append(name)
    return names


def _unevenness(order: list[tuple[int, int]], names: list[str | None]) -> tuple[int, int]:
    """How far apart faults are in number, then how often networks meet a fault again."""
    total = Counter(name for name in names if name)
    inside = Counter((network, name) for (_, network), name in zip(order, names, strict=True) if name)
    return max(total.values(), default=0) - min((total[name] for name in LEAST_SEVERITY), default=0), sum(
        count * count for count in inside.values()
    )


def _severities(names: Iterable[str | None], rng: np.random.Generator) -> dict[str, list[float]]:
    """For each fault as many severities as it has episodes, log-uniform, one of each equal part from mildest to 1.

    Those that follow one another lie half the range apart, so that any few of them hold mild and strong ones.
    """
    drawn = {}
    for name, count in Counter(name for name in names if name).items():
        half = (count + 1) // 2
        parts = [part for pair in zip(range(half), range(half, 2 * half), strict=True) for part in pair if part < count]
        parts = parts if rng.random() < 0.5 else parts[::-1]
        steady = count - (-(-count // 3)) if name in OUTAGES else count
        least = LEAST_SEVERITY[name]
        drawn[name] = [
            1.0 if part >= steady else round(least ** (1 - (part + float(rng.random())) / count), 3) for part in parts
        ]
    return drawn


def _placed(wish: _Wish, network: TestbedNetwork, rng: np.random.Generator) -> FaultEvent:
    """Length, start and recovery; networks whose timers are slow recover for longer."""
    recovery = 180.0 if network.t1_ms >= _SLOW_T1_MS else float(round(rng.uniform(120, 180)))
    length = float(round(_log(rng, SHORTEST, LONGEST)))
    start = float(round(rng.uniform(EARLIEST, HOUR - length - recovery - 60)))
    return FaultEvent(wish.fault, start, length, wish.severity, recovery)


def _log(rng: np.random.Generator, low: float, high: float) -> float:
    """Log-uniform between two positive ends."""
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))


# TOML


def _toml(seed: int, networks: Iterable[TestbedNetwork], episodes: Iterable[PlannedEpisode]) -> str:
    lines = [f"seed = {seed}"]
    for network in networks:
        lines += ["", f"[networks.{network.name}]", *_pairs(network, {"name", "load"})]
        lines += ["", f"[networks.{network.name}.load]", *_pairs(network.load, set())]
    for episode in episodes:
        lines += ["", "[[episodes]]", *_pairs(episode, {"faults"})]
        for strike in episode.faults:
            lines += ["", "[[episodes.faults]]", *_pairs(strike, set())]
    return "\n".join(lines) + "\n"


def _pairs(described: Any, without: set[str]) -> list[str]:
    pairs = ((field.name, getattr(described, field.name)) for field in fields(described) if field.name not in without)
    return [f"{name} = {_value(value)}" for name, value in pairs]


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)
