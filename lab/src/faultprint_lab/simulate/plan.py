"""Which fault strikes when: episodes on a network's time axis, and the labels that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from faultprint.arrays import BoolArray, Float64Array

MINIMUM_GAP: Final = 75 * 60.0
"""Seconds between the end of an episode, its recovery included, and the next."""

QUIET_START: Final = 2 * 3600.0
"""Seconds without a fault at the start, long enough to learn what is normal."""

DURATIONS: Final = (8 * 60.0, 90 * 60.0)


@dataclass(frozen=True, slots=True)
class SimulatedEpisode:
    """A fault from `start` to `end` and its recovery to `over`, in seconds from the start of the listening.

    `severity` is 0 to 1; it is reached after `onset` seconds. `share_offset` turns the subscribers' fates, so that each
    episode hits others. `draws` are what the fault drew for this episode.
    """

    fault: str
    start: float
    end: float
    over: float
    severity: float
    onset: float
    share_offset: float
    draws: Mapping[str, Any] = field(default_factory=dict)

    def level(self, t: Float64Array) -> Float64Array:
        """Severity at `t`: rises over the onset, 0 from the end on; (n,)."""
        rising = np.clip((t - self.start) / max(self.onset, 1e-9), 0, 1)
        return self.severity * rising * (t < self.end)

    def remnant(self, t: Float64Array) -> Float64Array:
        """What is left of the severity in the recovery: falls from 1 to 0; 0 before; (n,)."""
        return np.clip((self.over - t) / (self.over - self.end), 0, 1) ** 2 * (t >= self.end)

    def hits(self, place: Float64Array, level: Float64Array) -> BoolArray:
        """Whom the fault hits when it hits a fixed share of subscribers: `place` is theirs, (n,)."""
        return (place + self.share_offset) % 1 < level
