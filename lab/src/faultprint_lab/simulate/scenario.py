"""What a simulation runs on: a network with its subscribers and load curve, and the episodes of faults on its time axis.

Times are seconds from the start of the recorded span.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from faultprint.arrays import BoolArray, Float64Array
from faultprint_lab.simulate.network.load_curve import LoadCurve
from faultprint_lab.simulate.network.network import SimulatedNetwork
from faultprint_lab.simulate.network.subscribers import Subscribers

MIN_GAP: Final = 75 * 60.0
"""Seconds from the end of one episode's recovery to the start of the next episode, at least."""

FAULT_FREE_START: Final = 2 * 3600.0
"""Seconds without a fault at the start of the span: enough to record a baseline."""

DURATIONS: Final = (8 * 60.0, 90 * 60.0)
"""Shortest and longest episode in seconds."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A network, its subscribers and the load over the simulated days."""

    network: SimulatedNetwork
    subscribers: Subscribers
    curve: LoadCurve

    @property
    def span(self) -> float:
        """Length of the recorded span in seconds."""
        return self.curve.span


@dataclass(frozen=True, slots=True)
class SimulatedEpisode:
    """One fault from `start` to `end`, with its recovery until `recovery_end`.

    `severity` is 0 to 1 and is reached `onset` seconds after the start. `share_offset` rotates the subscribers'
    placement, so that each episode affects other subscribers. `draws` holds what the fault drew for this episode.
    """

    fault: str
    start: float
    end: float
    recovery_end: float
    severity: float
    onset: float
    share_offset: float
    draws: Mapping[str, Any] = field(default_factory=dict)

    def level(self, t: Float64Array) -> Float64Array:
        """Severity at the times `t`, (n,): rises during the onset, 0 from `end` on."""
        rising = np.clip((t - self.start) / max(self.onset, 1e-9), 0, 1)
        return self.severity * rising * (t < self.end)

    def residual(self, t: Float64Array) -> Float64Array:
        """Share of the severity that remains during recovery, (n,): falls from 1 to 0; 0 before `end`."""
        return np.clip((self.recovery_end - t) / (self.recovery_end - self.end), 0, 1) ** 2 * (t >= self.end)

    def affects(self, placement: Float64Array, level: Float64Array) -> BoolArray:
        """Whether a fault that affects a fixed share `level` of subscribers affects those at `placement`, (n,)."""
        return (placement + self.share_offset) % 1 < level
