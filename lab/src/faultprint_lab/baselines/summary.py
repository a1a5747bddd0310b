"""Summary statistics of a window, the input of LightGBM and 1-NN.

For every value of a minute: mean, standard deviation, maximum, minimum and last value over the window. The minimum is
needed because a success share falls during a fault, where an error share rises.
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np

from faultprint.arrays import Float32Array, IntArray
from faultprint.cases.scope import EvaluationScope
from faultprint.windows.levels import FeatureKinds, Levels, compute_levels
from faultprint.windows.normalisation import CHANNELS, fill_missing, normalise
from faultprint.windows.profile import MIN_PROFILE_MINUTES, Profile, build_profile
from faultprint.windows.trailing import trailing_max, trailing_sum

SPANS: Final = (1, 10)
"""Minutes that each value is averaged over."""
STATISTICS: Final = 5
"""Statistics for each value: mean, standard deviation, maximum, minimum, last."""


class WindowDescriber(Protocol):
    """Turns windows into the input vectors of a classifier."""

    def __call__(self, scope: EvaluationScope) -> Float32Array:
        """(N, S) float32 for the windows that end at `scope.last_minutes`."""
        ...


class NormalisedSummaries:
    """Statistics of the normalised input of the encoder (`windows.normalisation`): z-scores over one and ten minutes."""

    def __init__(self, kinds: FeatureKinds, population: Profile, window: int) -> None:
        self.kinds, self.population, self.window = kinds, population, window

    def __call__(self, scope: EvaluationScope) -> Float32Array:
        minute_levels = compute_levels(scope.series, self.kinds, SPANS)
        baseline = node_profile(minute_levels, self.kinds, self.population, scope)
        return summarise(minute_levels, self.kinds, baseline, self.population, self.window, scope.last_minutes)

    def minute_z_scores(self, scope: EvaluationScope) -> Float32Array:
        """(T, F) float32, the z-score of every single minute."""
        minute_levels = compute_levels(scope.series, self.kinds, SPANS[:1])
        baseline = node_profile(minute_levels, self.kinds, self.population, scope)
        inputs = normalise(minute_levels, self.kinds, baseline, self.population)
        return np.ascontiguousarray(inputs.reshape(len(inputs), CHANNELS, -1)[:, 0])


class RawSummaries:
    """Statistics of the features without normalisation."""

    def __init__(self, window: int) -> None:
        self.window = window

    def __call__(self, scope: EvaluationScope) -> Float32Array:
        return statistics(fill_missing(scope.series.values), self.window, scope.last_minutes)


def node_profile(minute_levels: Levels, kinds: FeatureKinds, population: Profile, scope: EvaluationScope) -> Profile:
    """The node's profile from its normal minutes, however few they are; the population's if there are none."""
    normal = scope.baseline_minutes & scope.series.observed
    normal_minutes = int(normal.sum())
    return (
        build_profile(minute_levels, kinds, normal, min(normal_minutes, MIN_PROFILE_MINUTES))
        if normal_minutes
        else population
    )


def summarise(
    levels: Levels, kinds: FeatureKinds, baseline: Profile, population: Profile, window: int, ends: IntArray
) -> Float32Array:
    """(N, 5 · 2 · F) float32 for the windows that end at the minutes `ends`.

    `levels` holds the spans SPANS first; longer spans after them are ignored. A missing value counts as a typical one.
    """
    short = Levels(SPANS, levels.level[: len(SPANS)], levels.event_count[: len(SPANS)])
    minutes, features = short.level.shape[1:]
    inputs = normalise(short, kinds, baseline, population).reshape(minutes, len(SPANS), CHANNELS, features)
    return statistics(np.ascontiguousarray(inputs[:, :, 0].reshape(minutes, -1)), window, ends)


def statistics(values: Float32Array, window: int, ends: IntArray) -> Float32Array:
    """(N, 5 · K) float32 of `values` (T, K) over the windows that end at the minutes `ends`."""
    length = np.minimum(np.arange(len(values)) + 1, window).astype(np.float32)[:, None]
    mean = trailing_sum(values, window) / length
    spread = np.sqrt(np.maximum(trailing_sum(values * values, window) / length - mean * mean, 0))
    parts = (mean, spread, trailing_max(values, window), -trailing_max(-values, window), values)
    return np.concatenate([part[ends] for part in parts], axis=1)
