"""When things happen: a network's daily curve, and arrivals drawn from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from faultprint.arrays import Float64Array
from faultprint_lab.simulate.network.networks import NetworkLoad

WARM_UP = 3600.0
"""Seconds simulated before the listening begins, so that calls and registrations are under way when it does."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Load relative to the busy hour's, by minute from −WARM_UP on, (m,); `plain` is without the random wandering."""

    plain: Float64Array
    level: Float64Array
    span: float

    def at(self, t: Float64Array | float) -> Float64Array:
        """The load at `t` seconds, of `t`'s shape."""
        minute = np.floor((np.asarray(t) + WARM_UP) / 60).astype(np.int64)
        found: Float64Array = self.level[np.clip(minute, 0, len(self.level) - 1)]
        return found

    def plain_between(self, start: float, end: float) -> Float64Array:
        """The load expected in the minutes from `start` to `end`."""
        return self.plain[
            int((start + WARM_UP) // 60) : max(int((end + WARM_UP) // 60), int((start + WARM_UP) // 60) + 1)
        ]

    def by_day(self, t: Float64Array) -> Float64Array:
        """Times `t` moved within the span so that evenly spread ones come to follow the curve in part, (n,)."""
        rate = 0.25 + 0.75 * self.plain
        grid = np.concatenate([[0.0], np.cumsum(rate)])
        grid *= 60 * len(rate) / grid[-1]
        inside = (t > -WARM_UP) & (t < self.span)
        moved = np.interp(t + WARM_UP, grid, 60.0 * np.arange(len(grid))) - WARM_UP
        return np.where(inside, moved, t)

    def arrivals(self, per_minute: float, rng: np.random.Generator, flat: float = 0.0) -> Float64Array:
        """Sorted times of a Poisson process of `per_minute` at the peak; `flat` of it does not follow the curve."""
        rate = per_minute * (flat + (1 - flat) * self.level)
        cumulative = np.concatenate([[0.0], np.cumsum(rate)])
        count = rng.poisson(cumulative[-1])
        minutes = np.interp(np.sort(rng.random(count)) * cumulative[-1], cumulative, np.arange(len(cumulative)))
        times: Float64Array = minutes * 60 - WARM_UP
        return times


def draw_curve(load: NetworkLoad, start: datetime, span: float, rng: np.random.Generator) -> Curve:
    """The curve of `span` seconds from `start`."""
    minutes = np.arange(int(np.ceil((span + WARM_UP) / 60)))
    first = start - timedelta(seconds=WARM_UP)
    hours = first.hour + first.minute / 60 + minutes / 60
    weekday = (first.weekday() + (hours // 24).astype(np.int64)) % 7
    weekend = weekday >= 5
    hour = (hours - load.weekend_shift * weekend) % 24
    day = np.zeros(len(minutes))
    for centre, width, height in load.bumps:
        distance = (hour - centre + 12) % 24 - 12
        day += height * np.exp(-0.5 * (distance / width) ** 2)
    fine = np.linspace(0, 24, 289)
    highest = max(
        sum(
            height * np.exp(-0.5 * (((h - centre + 12) % 24 - 12) / width) ** 2) for centre, width, height in load.bumps
        )
        for h in fine
    )
    plain = (load.night + (1 - load.night) * day / highest) * np.where(weekend, load.weekend, 1.0)
    return Curve(plain, plain * np.exp(_wander(len(minutes), load, rng)), span)


def _wander(n: int, load: NetworkLoad, rng: np.random.Generator) -> Float64Array:
    """A slow random walk about 0 (first-order autoregressive), (n,): traffic is burstier than Poisson."""
    keep = np.exp(-1 / load.wander_minutes)
    noise = rng.normal(0, load.wander * np.sqrt(1 - keep**2), size=n)
    values = np.empty(n)
    value = rng.normal(0, load.wander)
    for i, step in enumerate(noise):
        value = keep * value + step
        values[i] = value
    return values
