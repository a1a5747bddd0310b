"""The model's input: how far a minute deviates from the node's baseline, and how certain that is.

There are two channels per feature and span. The *z-score* is the deviation divided by its standard deviation, which
depends on the events behind the value: 1 failure of 3 attempts is chance, 30 of 90 are not.

    z = (level - centre) / sqrt(chance_variance(events) + spread²),   stored as sign(z) ln(1 + |z|)

The *deviation* is the difference itself, which shows a fault's severity for nodes of every size. A missing value is 0 in
both channels, as if it equalled the baseline. No time stamp and no label enters the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from faultprint.arrays import Float32Array
from faultprint.windows.levels import FeatureKinds, Levels
from faultprint.windows.profile import Profile, chance_variance, shrink

CHANNELS: Final = 2
_MAX_DEVIATION: Final = 4.0
"""Bound of the deviation, in units of levels (a factor of e⁴ = 55 for a count or duration)."""
_RATIO_GAIN: Final = 3.0
"""Factor for ratios, which deviate by at most 1 where counts and durations deviate by several units."""


def input_width(features: int, spans: int) -> int:
    """Numbers in a minute's input: every feature over every span in two channels."""
    return features * spans * CHANNELS


@dataclass(frozen=True, slots=True)
class DeviationScale:
    """The scale of deviations: of one node for all its minutes, or with one more axis, of one node a row.

    centre      (..., F) float32, centre of the levels
    per_event   (..., F) float32, part of a level's variance that its number of events divides
    fixed       (S, ..., F) float32, part of the variance that does not depend on events
    """

    centre: Float32Array
    per_event: Float32Array
    fixed: Float32Array


def deviation_scale(profile: Profile, population: Profile, kinds: FeatureKinds, spans: Sequence[int]) -> DeviationScale:
    """The scale of a node with this profile, which shrinks towards the population's.

    A ratio has p(1 - p) an event. The chance variance of a count shrinks with the span instead. For durations and gauges,
    half of the spread is assumed to come from the single events.
    """
    shrunk = shrink(profile, population)
    variance = shrunk.spread.astype(np.float64) ** 2
    events = np.maximum(shrunk.event_count, 1)
    by_chance = chance_variance(shrunk.centre, events, kinds)
    halved = ~kinds.ratio & ~kinds.count
    per_event = np.where(kinds.ratio, by_chance * events, np.where(halved, 0.5 * variance * events, 0))
    fixed = [np.where(halved, 0.5 * variance, variance) + np.where(kinds.count, by_chance / span, 0) for span in spans]
    return DeviationScale(shrunk.centre, per_event.astype(np.float32), np.array(fixed, dtype=np.float32))


def normalise(levels: Levels, kinds: FeatureKinds, profile: Profile, population: Profile) -> Float32Array:
    """(T, S · 2 · F) float32, finite input of the minute encoder; in order of span, channel, feature."""
    return normalise_by(levels, kinds, deviation_scale(profile, population, kinds, levels.spans))


def normalise_by(levels: Levels, kinds: FeatureKinds, scale: DeviationScale) -> Float32Array:
    """(T, S · 2 · F) as `normalise`. If the scale has rows, the second axis of the levels is these rows, not time."""
    spans, minutes, features = levels.level.shape
    result = np.empty((minutes, spans, CHANNELS, features), dtype=np.float32)
    gain = np.where(kinds.ratio, _RATIO_GAIN, 1.0).astype(np.float32)
    for i in range(spans):
        deviation = levels.level[i] - scale.centre
        deviation *= levels.event_count[i] > 0
        # One buffer holds events, variance, standard deviation and z-score in turn: large arrays are slow to allocate.
        sigma = np.maximum(levels.event_count[i], 1)
        np.divide(scale.per_event, sigma, out=sigma)
        sigma += scale.fixed[i]
        np.sqrt(sigma, out=sigma)
        z_score = np.divide(deviation, sigma, out=sigma)
        size = np.abs(z_score)
        np.copysign(np.log1p(size, out=size), z_score, out=result[:, i, 0])
        deviation *= gain
        np.clip(deviation, -_MAX_DEVIATION, _MAX_DEVIATION, out=result[:, i, 1])
    return result.reshape(minutes, -1)


def fill_missing(values: Float32Array) -> Float32Array:
    """(T, F) input of the 2017 baseline's network: features as they are, 0 where one is missing."""
    return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
