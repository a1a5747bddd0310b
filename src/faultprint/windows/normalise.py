"""From levels to the model's input: how far, and how surely, a minute departs from the node's normal.

Two channels per feature and span. *Surprise* is the departure over its standard deviation, which counts the events behind
the value: one failure of three attempts is nothing, thirty of ninety are something,

    z = (level - centre) / sqrt(chance(events) + spread²),   put through sign(z) ln(1 + |z|).

*Departure* is the difference itself, which tells a fault's severity whatever the node's size. Missing is 0 in both, as if
the node behaved as ever; no time stamp and no label enters.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from faultprint.windows.levels import Kinds, Levels
from faultprint.windows.profile import Profile, settle

Array = npt.NDArray[np.float32]

CHANNELS: Final = 2
_FURTHEST: Final = 4.0
"""Bound of the departure, in levels' units (a factor of e⁴ = 55 in a count or duration)."""
_SHARE_GAIN: Final = 3.0
"""Shares depart by at most 1 where counts and durations depart by several units."""


def width(features: int, spans: int) -> int:
    """Inputs of a minute: every feature over every span in two channels."""
    return features * spans * CHANNELS


def normalise(levels: Levels, kinds: Kinds, own: Profile, people: Profile) -> Array:
    """(T, S · 2 · F) float32 input of the minute encoder, finite; in order span, channel, feature.

    `own` is the node's profile, `people` the population's.
    """
    base = settle(own, people)
    spans, minutes, features = levels.level.shape
    result = np.empty((minutes, spans, CHANNELS, features), dtype=np.float32)
    centre, spread = base.centre, base.spread
    share = np.clip(centre, 0.01, 0.99)
    gain = np.where(kinds.ratio, _SHARE_GAIN, 1.0).astype(np.float32)
    rate = np.maximum(base.support, 0)
    for i, span in enumerate(levels.spans):
        there = levels.support[i] > 0
        events = np.maximum(levels.support[i], 1)
        departure = np.where(there, levels.level[i] - centre, 0)
        per_event = np.where(kinds.ratio, share * (1 - share), np.where(kinds.count, 0, 0.5 * spread**2 * rate))
        own_part = np.where(
            kinds.ratio, spread**2, np.where(kinds.count, spread**2 + rate / (1 + rate) ** 2 / span, 0.5 * spread**2)
        )
        z = departure / np.sqrt(per_event.astype(np.float32) / events + own_part.astype(np.float32))
        result[:, i, 0] = np.copysign(np.log1p(np.abs(z)), z)
        result[:, i, 1] = np.clip(departure * gain, -_FURTHEST, _FURTHEST)
    return result.reshape(minutes, -1)


def raw(values: Array) -> Array:
    """(T, F) input of the posts' network: features as they are, 0 where one is missing."""
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
