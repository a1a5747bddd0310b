"""The injector: injects the faults of an episode at their times and records the labels."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from faultprint.tables import NORMAL, RECOVERY
from faultprint_lab.testbed.faults.fault import CYCLE, FAULTS, BedFault, measure_load
from faultprint_lab.testbed.plan import FaultEvent
from faultprint_lab.testbed.topology.bed import Bed

Wait = Callable[[float], None]
"""Sleeps until the given second of the recording."""
MEASURE_SECONDS: Final = 60.0
"""Seconds of load measurement before a fault; at one request a second, fewer would not be enough."""


@dataclass(frozen=True, slots=True)
class LabelInterval:
    """A row of the labels: the condition from `start` to `end`, µs since 1970."""

    start: int
    end: int
    condition: str
    severity: float | None = None


@dataclass(slots=True)
class Injector:
    """Injects the events of one episode in order of time and appends to `labels`."""

    bed: Bed
    rng: np.random.Generator
    wait_until: Wait
    labels: list[LabelInterval] = field(default_factory=list)
    _since_us: int = 0

    def run(self, events: tuple[FaultEvent, ...], length: float) -> None:
        """Run from the start of the recording to its end."""
        self._since_us = now_us()
        for event in sorted(events, key=lambda event: event.start):
            self._run_event(event)
        self.wait_until(length)
        self._end_interval(NORMAL)

    def _run_event(self, event: FaultEvent) -> None:
        fault = FAULTS[event.fault]
        self.wait_until(max(0.0, event.start - MEASURE_SECONDS))
        load = measure_load(self.bed, lambda: self.wait_until(event.start))
        self._end_interval(NORMAL)
        try:
            for on, second in on_off_times(fault, event, self.rng):
                self.wait_until(second)
                if on:
                    fault.begin(self.bed, event.severity, self.rng, load)
                else:
                    fault.end(self.bed)
        finally:
            fault.end(self.bed)
        self._end_interval(event.fault, event.severity)
        self.wait_until(event.recovery_end)
        self._end_interval(RECOVERY)

    def _end_interval(self, condition: str, severity: float | None = None) -> None:
        now = now_us()
        if now > self._since_us:
            self.labels.append(LabelInterval(self._since_us, now, condition, severity))
        self._since_us = now


def on_off_times(fault: BedFault, event: FaultEvent, rng: np.random.Generator) -> Iterator[tuple[bool, float]]:
    """When a fault is switched on (True) and off: once, or once a cycle if it is intermittent and below severity 1."""
    end = event.start + event.length
    if not fault.intermittent or event.severity >= 1:
        yield True, event.start
        yield False, end
        return
    second = event.start
    while second < end:
        yield True, second
        yield False, min(end, second + CYCLE * event.severity)
        second += CYCLE * float(rng.uniform(0.8, 1.2))
    yield False, end


def now_us() -> int:
    """The clock of the packet time stamps, µs since 1970."""
    return time.time_ns() // 1000
