"""The injector: strikes a bed with its episode's faults, on time, and writes down what it did when."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from faultprint.tables import NORMAL, RECOVERY
from faultprint_lab.testbed.faults.faults import CYCLE, FAULTS, TestbedFault, read_bed
from faultprint_lab.testbed.plan import FaultEvent
from faultprint_lab.testbed.topology.bed import Bed

Wait = Callable[[float], None]
"""Sleeps until so many seconds of the recording have passed."""
WATCH: Final = 60.0
"""Seconds before a fault that are measured, where they are quiet: at a request a second fewer would tell little."""


@dataclass(frozen=True, slots=True)
class FaultInterval:
    """A row of the labels: what was true of the node from `start` to `end`, µs since 1970."""

    start: int
    end: int
    condition: str
    severity: float | None = None


@dataclass(slots=True)
class Injector:
    """Works through strikes in order; `labels` grows as stretches end."""

    bed: Bed
    rng: np.random.Generator
    wait_until: Wait
    labels: list[FaultInterval] = field(default_factory=list)
    _since: int = 0

    def run(self, strikes: tuple[FaultEvent, ...], length: float) -> None:
        """From the start of the recording to its end."""
        self._since = now_us()
        for strike in sorted(strikes, key=lambda one: one.start):
            self._strike(strike)
        self.wait_until(length)
        self._close(NORMAL)

    def _strike(self, strike: FaultEvent) -> None:
        fault = FAULTS[strike.fault]
        self.wait_until(max(0.0, strike.start - WATCH))
        readings = read_bed(self.bed, lambda: self.wait_until(strike.start))
        self._close(NORMAL)
        try:
            for on, at in turns(fault, strike, self.rng):
                self.wait_until(at)
                if on:
                    fault.begin(self.bed, strike.severity, self.rng, readings)
                else:
                    fault.end(self.bed)
        finally:
            fault.end(self.bed)
        self._close(strike.fault, strike.severity)
        self.wait_until(strike.over)
        self._close(RECOVERY)

    def _close(self, condition: str, severity: float | None = None) -> None:
        now = now_us()
        if now > self._since:
            self.labels.append(FaultInterval(self._since, now, condition, severity))
        self._since = now


def turns(fault: TestbedFault, strike: FaultEvent, rng: np.random.Generator) -> Iterator[tuple[bool, float]]:
    """When a fault is switched on and off: once, or, where it is cycled and milder than 1, once a cycle."""
    end = strike.start + strike.length
    if not fault.cycled or strike.severity >= 1:
        yield True, strike.start
        yield False, end
        return
    at = strike.start
    while at < end:
        yield True, at
        yield False, min(end, at + CYCLE * strike.severity)
        at += CYCLE * float(rng.uniform(0.8, 1.2))
    yield False, end


def now_us() -> int:
    """The clock that also stamps the packets, µs since 1970."""
    return time.time_ns() // 1000
