"""A network's load curve over the day, and Poisson arrivals drawn from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from faultprint.arrays import Float64Array
from faultprint_lab.simulate.network.network import NetworkLoad

WARM_UP = 3600.0
"""Seconds simulated before the recorded span, so that calls and registrations are in progress when it starts."""


@dataclass(frozen=True, slots=True)
class LoadCurve:
    """Load relative to the busy hour, by minute from −WARM_UP on, (m,).

    expected   the daily curve alone
    level      the daily curve times a slow random walk
    span       length of the recorded span in seconds
    """

    expected: Float64Array
    level: Float64Array
    span: float

    def at(self, t: Float64Array | float) -> Float64Array:
        """The load at `t` seconds, in the shape of `t`."""
        minute = np.floor((np.asarray(t) + WARM_UP) / 60).astype(np.int64)
        load: Float64Array = self.level[np.clip(minute, 0, len(self.level) - 1)]
        return load

    def expected_between(self, start: float, end: float) -> Float64Array:
        """The expected load in the minutes from `start` to `end` (at least one minute)."""
        return self.expected[
            int((start + WARM_UP) // 60) : max(int((end + WARM_UP) // 60), int((start + WARM_UP) // 60) + 1)
        ]

    def follow_curve(self, t: Float64Array) -> Float64Array:
        """Move the times `t` within the span so that uniform times follow the curve in part, (n,)."""
        rate = 0.25 + 0.75 * self.expected
        grid = np.concatenate([[0.0], np.cumsum(rate)])
        grid *= 60 * len(rate) / grid[-1]
        inside = (t > -WARM_UP) & (t < self.span)
        moved = np.interp(t + WARM_UP, grid, 60.0 * np.arange(len(grid))) - WARM_UP
        return np.where(inside, moved, t)

    def arrivals(self, per_minute: float, rng: np.random.Generator, constant_share: float = 0.0) -> Float64Array:
        """Sorted times of a Poisson process with `per_minute` events at the peak.

        `constant_share` of the rate does not follow the curve.
        """
        rate = per_minute * (constant_share + (1 - constant_share) * self.level)
        cumulative = np.concatenate([[0.0], np.cumsum(rate)])
        count = rng.poisson(cumulative[-1])
        minutes = np.interp(np.sort(rng.random(count)) * cumulative[-1], cumulative, np.arange(len(cumulative)))
        times: Float64Array = minutes * 60 - WARM_UP
        return times


def draw_load_curve(load: NetworkLoad, start: datetime, span: float, rng: np.random.Generator) -> LoadCurve:
    """Draw the curve of `span` seconds from `start`."""
    minutes = np.arange(int(np.ceil((span + WARM_UP) / 60)))
    first = start - timedelta(seconds=WARM_UP)
    hours = first.hour + first.minute / 60 + minutes / 60
    weekday = (first.weekday() + (hours // 24).astype(np.int64)) % 7
    weekend = weekday >= 5
    hour = (hours - load.weekend_shift * weekend) % 24
    day = np.zeros(len(minutes))
    for centre, width, height in load.peaks:
        distance = (hour - centre + 12) % 24 - 12
        day += height * np.exp(-0.5 * (distance / width) ** 2)
    fine = np.linspace(0, 24, 289)
    highest = max(
        sum(
            height * np.exp(-0.5 * (((h - centre + 12) % 24 - 12) / width) ** 2) for centre, width, height in load.peaks
        )
        for h in fine
    )
    expected = (load.night + (1 - load.night) * day / highest) * np.where(weekend, load.weekend, 1.0)
    return LoadCurve(expected, expected * np.exp(_random_walk(len(minutes), load, rng)), span)


def _random_walk(n: int, load: NetworkLoad, rng: np.random.Generator) -> Float64Array:
    """A slow random walk around 0 (first-order autoregressive), (n,): real traffic is burstier than Poisson."""
    keep = np.exp(-1 / load.walk_minutes)
    noise = rng.normal(0, load.walk_sigma * np.sqrt(1 - keep**2), size=n)
    values = np.empty(n)
    value = rng.normal(0, load.walk_sigma)
    for i, step in enumerate(noise):
        value = keep * value + step
        values[i] = value
    return values
