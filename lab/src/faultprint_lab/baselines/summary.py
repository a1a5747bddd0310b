"""Summary features of a window, for systems without a network: what tree and neighbour methods are given.

Of every minute's input the mean, standard deviation, maximum, minimum (a share of successes falls where a share of errors
rises) and last value over the window.
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np

from faultprint.arrays import Float32Array, IntArray
from faultprint.cases.scope import EvaluationScope
from faultprint.windows.levels import Kinds, Levels, levels
from faultprint.windows.normalise import CHANNELS, normalise, raw
from faultprint.windows.profile import LEAST_MINUTES, Profile, profile
from faultprint.windows.trailing import trailing_max, trailing_sum

SPANS: Final = (1, 10)
STATISTICS: Final = 5


class Describe(Protocol):
    """What a classifier is given of a window."""

    def __call__(self, place: EvaluationScope) -> Float32Array:
        """(N, S) float32 of the windows that end at `place.last_minutes`."""
        ...


class Summaries:
    """Of the normalised input that the encoder receives, too (`windows.normalise`): surprise, the minute's and ten minutes'."""

    def __init__(self, kinds: Kinds, people: Profile, window: int) -> None:
        self.kinds, self.people, self.window = kinds, people, window

    def __call__(self, place: EvaluationScope) -> Float32Array:
        every = levels(place.series, self.kinds, SPANS)
        own = own_profile(every, self.kinds, self.people, place)
        return summarise(every, self.kinds, own, self.people, self.window, place.last_minutes)

    def minutes(self, place: EvaluationScope) -> Float32Array:
        """(T, F) float32, the surprise of every minute alone."""
        every = levels(place.series, self.kinds, SPANS[:1])
        own = own_profile(every, self.kinds, self.people, place)
        inputs = normalise(every, self.kinds, own, self.people)
        return np.ascontiguousarray(inputs.reshape(len(inputs), CHANNELS, -1)[:, 0])


class RawSummaries:
    """Of the features as they are."""

    def __init__(self, window: int) -> None:
        self.window = window

    def __call__(self, place: EvaluationScope) -> Float32Array:
        return statistics(raw(place.series.values), self.window, place.last_minutes)


def own_profile(every: Levels, kinds: Kinds, people: Profile, place: EvaluationScope) -> Profile:
    """The profile of as little normal traffic as is known of the node; the population's if there is none."""
    normal = place.baseline_minutes & place.series.observed
    known = int(normal.sum())
    return profile(every, kinds, normal, min(known, LEAST_MINUTES)) if known else people


def summarise(levels: Levels, kinds: Kinds, own: Profile, people: Profile, window: int, ends: IntArray) -> Float32Array:
    """(N, 5 · 2 · F) float32 for the windows that end at the minutes `ends`.

    `levels` has the spans SPANS, and perhaps longer ones behind them. A missing value counts as a usual one.
    """
    short = Levels(SPANS, levels.level[: len(SPANS)], levels.support[: len(SPANS)])
    minutes, features = short.level.shape[1:]
    inputs = normalise(short, kinds, own, people).reshape(minutes, len(SPANS), CHANNELS, features)
    return statistics(np.ascontiguousarray(inputs[:, :, 0].reshape(minutes, -1)), window, ends)


def statistics(values: Float32Array, window: int, ends: IntArray) -> Float32Array:
    """(N, 5 · K) float32 of `values` (T, K) over the windows that end at the minutes `ends`."""
    length = np.minimum(np.arange(len(values)) + 1, window).astype(np.float32)[:, None]
    mean = trailing_sum(values, window) / length
    spread = np.sqrt(np.maximum(trailing_sum(values * values, window) / length - mean * mean, 0))
    parts = (mean, spread, trailing_max(values, window), -trailing_max(-values, window), values)
    return np.concatenate([part[ends] for part in parts], axis=1)
