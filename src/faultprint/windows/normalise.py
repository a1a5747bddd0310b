"""From levels to the model's input: how far, and how surely, a minute departs from the node's normal.

Two channels per feature and span. *Surprise* is the departure over its standard deviation, which counts the events behind
the value: one failure of three attempts is nothing, thirty of ninety are something,

    z = (level - centre) / sqrt(chance(events) + spread²),   put through sign(z) ln(1 + |z|).

*Departure* is the difference itself, which tells a fault's severity whatever the node's size. Missing is 0 in both, as if
the node behaved as ever; no time stamp and no label enters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from faultprint.arrays import Float32Array
from faultprint.windows.levels import Kinds, Levels
from faultprint.windows.profile import Profile, chance, shrink

CHANNELS: Final = 2
_FURTHEST: Final = 4.0
"""Bound of the departure, in levels' units (a factor of e⁴ = 55 in a count or duration)."""
_SHARE_GAIN: Final = 3.0
"""Shares depart by at most 1 where counts and durations depart by several units."""


def width(features: int, spans: int) -> int:
    """Inputs of a minute: every feature over every span in two channels."""
    return features * spans * CHANNELS


@dataclass(frozen=True, slots=True)
class Scale:
    """What a departure is measured by: `centre` and `per_event` (..., F), `fixed` (S, ..., F), all float32.

    `per_event` is the part of a level's variance that its number of events divides, `fixed` the part that stays. Without
    further axes it is one node's, for all its minutes; with one, it is a node's in each row.
    """

    centre: Float32Array
    per_event: Float32Array
    fixed: Float32Array


def scale(own: Profile, people: Profile, kinds: Kinds, spans: Sequence[int]) -> Scale:
    """The scale of a node with the profile `own` in the population `people`.

    Shares: p(1 - p) an event. Counts: the Poisson part shrinks with the span instead. Durations and gauges: half of the
    spread is taken to come from the single events.
    """
    base = shrink(own, people)
    square = base.spread.astype(np.float64) ** 2
    events = np.maximum(base.support, 1)
    by_chance = chance(base.centre, events, kinds)
    mixed = ~kinds.ratio & ~kinds.count
    per_event = np.where(kinds.ratio, by_chance * events, np.where(mixed, 0.5 * square * events, 0))
    fixed = [np.where(mixed, 0.5 * square, square) + np.where(kinds.count, by_chance / span, 0) for span in spans]
    return Scale(base.centre, per_event.astype(np.float32), np.array(fixed, dtype=np.float32))


def normalise(levels: Levels, kinds: Kinds, own: Profile, people: Profile) -> Float32Array:
    """(T, S · 2 · F) float32 input of the minute encoder, finite; in order span, channel, feature.

    `own` is the node's profile, `people` the population's.
    """
    return deviations(levels, kinds, scale(own, people, kinds, levels.spans))


def deviations(levels: Levels, kinds: Kinds, scale: Scale) -> Float32Array:
    """(T, S · 2 · F) as `normalise`; where the scale has rows, levels' second axis is these instead of time."""
    spans, minutes, features = levels.level.shape
    result = np.empty((minutes, spans, CHANNELS, features), dtype=np.float32)
    gain = np.where(kinds.ratio, _SHARE_GAIN, 1.0).astype(np.float32)
    for i in range(spans):
        departure = levels.level[i] - scale.centre
        departure *= levels.support[i] > 0
        deviation = np.maximum(levels.support[i], 1)
        np.divide(scale.per_event, deviation, out=deviation)
        deviation += scale.fixed[i]
        np.sqrt(deviation, out=deviation)
        surprise = np.divide(departure, deviation, out=deviation)
        size = np.abs(surprise)
        np.copysign(np.log1p(size, out=size), surprise, out=result[:, i, 0])
        departure *= gain
        np.clip(departure, -_FURTHEST, _FURTHEST, out=result[:, i, 1])
    return result.reshape(minutes, -1)


def raw(values: Float32Array) -> Float32Array:
    """(T, F) input of the posts' network: features as they are, 0 where one is missing."""
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
