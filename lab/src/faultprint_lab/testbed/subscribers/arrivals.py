"""Random times of the subscribers: Poisson arrivals with a daily curve, call plans, and back-off delays."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from faultprint_lab.testbed.topology.network import BedLoad


def daily_activity(load: BedLoad, seconds: float) -> float:
    """Activity `seconds` into the day: 1 at the peak hour, 1 − `night_depth` twelve hours from it."""
    phase = seconds / load.day_length - load.peak_hour / 24
    return 1 - load.night_depth * (0.5 - 0.5 * math.cos(2 * math.pi * phase))


def arrivals(load: BedLoad, rate: float, start: float, rng: np.random.Generator) -> Iterator[float]:
    """Arrival times of a Poisson process with the daily curve, by thinning (Lewis and Shedler, 1979).

    `rate` is per second at the peak. The process starts at second `start` of the day; times are seconds from there.
    """
    time = 0.0
    if rate <= 0:
        return
    while True:
        time += float(rng.exponential(1 / rate))
        if rng.random() < daily_activity(load, start + time):
            yield time


def lognormal(rng: np.random.Generator, median: float, sigma: float) -> float:
    """A log-normal duration with this median, at most 50 medians."""
    return min(median * float(rng.lognormal(0.0, sigma)), 50 * median)


@dataclass(frozen=True, slots=True)
class CallPlan:
    """How a call will go. Times are seconds.

    answer        final status that the callee sends; 0: it does not pick up
    alerting      until the callee rings
    ringing       from then until it picks up
    hold          length of the call
    caller_ends   whether the caller sends the BYE
    """

    answer: int
    alerting: float
    ringing: float
    hold: float
    caller_ends: bool


def draw_call(load: BedLoad, rng: np.random.Generator) -> CallPlan:
    """Draw a call plan; a call that is neither answered, busy nor unavailable is not picked up."""
    uniform = float(rng.random())
    answer = 0
    for status, share in ((200, load.answered), (486, load.busy), (480, load.unavailable)):
        if uniform < share:
            answer = status
            break
        uniform -= share
    return CallPlan(
        answer=answer,
        alerting=0.1 + float(rng.exponential(0.3)),
        ringing=lognormal(rng, load.ring_median, 0.6),
        hold=lognormal(rng, load.hold_median, load.hold_sigma),
        caller_ends=bool(rng.random() < load.caller_ends),
    )


def backoff_delay(load: BedLoad, failures: int, rng: np.random.Generator) -> float:
    """Seconds to wait after `failures` in a row: doubling, times a random factor from 0.5 to 1 (RFC 5626, 4.5)."""
    longest = min(load.retry_longest, load.retry_first * 2.0 ** min(failures - 1, 16))
    return longest * float(rng.uniform(0.5, 1.0))
