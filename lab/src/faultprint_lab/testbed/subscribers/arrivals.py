"""When subscribers act: Poisson arrivals under a daily curve, and how long things last. Pure; the generator is given."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from faultprint_lab.testbed.topology.network import TestbedLoad


def curve(load: TestbedLoad, seconds: float) -> float:
    """Activity at `seconds` into the day relative to its peak: 1 at the peak hour, 1 − `night_depth` twelve hours away."""
    phase = seconds / load.day_length - load.peak_hour / 24
    return 1 - load.night_depth * (0.5 - 0.5 * math.cos(2 * math.pi * phase))


def arrivals(load: TestbedLoad, rate: float, start: float, rng: np.random.Generator) -> Iterator[float]:
    """Times (s from the beginning) of a Poisson process with `rate` per second at the peak, from second `start` of the
    day on, thinned by the daily curve (Lewis and Shedler, 1979)."""
    at = 0.0
    if rate <= 0:
        return
    while True:
        at += float(rng.exponential(1 / rate))
        if rng.random() < curve(load, start + at):
            yield at


def lognormal(rng: np.random.Generator, median: float, sigma: float) -> float:
    """A log-normal time by its median, no longer than fifty medians."""
    return min(median * float(rng.lognormal(0.0, sigma)), 50 * median)


@dataclass(frozen=True, slots=True)
class CallPlan:
    """What will become of a call: how the called side answers, and after how long. Seconds.

    `answer` is the final status that the callee wants to give; 0: it lets the phone ring.
    """

    answer: int
    alerting: float
    ringing: float
    hold: float
    caller_ends: bool


def call_plan(load: TestbedLoad, rng: np.random.Generator) -> CallPlan:
    """Draw a call's fate; what is neither answered, busy nor unavailable is not picked up."""
    chance = float(rng.random())
    answer = 0
    for status, share in ((200, load.answered), (486, load.busy), (480, load.unavailable)):
        if chance < share:
            answer = status
            break
        chance -= share
    return CallPlan(
        answer=answer,
        alerting=0.1 + float(rng.exponential(0.3)),
        ringing=lognormal(rng, load.ring_median, 0.6),
        hold=lognormal(rng, load.hold_median, load.hold_sigma),
        caller_ends=bool(rng.random() < load.caller_ends),
    )


def back_off(load: TestbedLoad, failures: int, rng: np.random.Generator) -> float:
    """How long to wait after so many failures in a row: doubling, jittered from half to all (RFC 5626, 4.5)."""
    longest = min(load.retry_longest, load.retry_first * 2.0 ** min(failures - 1, 16))
    return longest * float(rng.uniform(0.5, 1.0))
