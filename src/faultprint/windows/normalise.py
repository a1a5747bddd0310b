"""From levels to the model's input: how far, and how surely, a minute departs from the node's normal.

Two channels per feature and span. *Surprise* is the departure over its standard deviation, which counts the events behind
the value: one failure of three attempts is nothing, thirty of ninety are something,

    z = (level - centre) / sqrt(chance(events) + spread²),   put through sign(z) ln(1 + |z|).

*Departure* is the difference itself, which tells a fault's severity whatever the node's size. Missing is 0 in both, as if
the node behaved as ever; no time stamp and no label enters.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from faultprint.windows.levels import Kinds, Levels
from faultprint.windows.profile import Profile, chance, settle

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
    gain = np.where(kinds.ratio, _SHARE_GAIN, 1.0).astype(np.float32)
    for i, span in enumerate(levels.spans):
        per_event, fixed = _variance(base, kinds, span)
        departure = levels.level[i] - base.centre
        departure *= levels.support[i] > 0
        deviation = np.maximum(levels.support[i], 1)
        np.divide(per_event, deviation, out=deviation)
        deviation += fixed
        np.sqrt(deviation, out=deviation)
        surprise = np.divide(departure, deviation, out=deviation)
        size = np.abs(surprise)
        np.copysign(np.log1p(size, out=size), surprise, out=result[:, i, 0])
        departure *= gain
        np.clip(departure, -_FURTHEST, _FURTHEST, out=result[:, i, 1])
    return result.reshape(minutes, -1)


def _variance(base: Profile, kinds: Kinds, span: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """(F,) float32 each: the part of a level's variance that its number of events divides, and the part that stays.

    Shares: p(1 - p) an event. Counts: the Poisson part shrinks with the span instead. Durations and gauges: half of the
    spread is taken to come from the single events.
    """
    square = base.spread.astype(np.float64) ** 2
    events = np.maximum(base.support, 1)
    by_chance = chance(base.centre, events, kinds)
    mixed = ~kinds.ratio & ~kinds.count
    per_event = np.where(kinds.ratio, by_chance * events, np.where(mixed, 0.5 * square * events, 0))
    fixed = np.where(mixed, 0.5 * square, square) + np.where(kinds.count, by_chance / span, 0)
    return per_event.astype(np.float32), fixed.astype(np.float32)


def raw(values: Array) -> Array:
    """(T, F) input of the posts' network: features as they are, 0 where one is missing."""
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
