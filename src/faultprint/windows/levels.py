"""Levels: one number a feature and span, and the number of events behind it, before any comparison.

A count becomes ln(1 + x), a duration ln x with a floor of 1 ms, another gauge a signed ln(1 + |x|); a ratio stays as it
is. Each minute also has trailing means over 10 and 30 minutes. A ratio over 10 minutes is its failures divided by its
attempts, not the mean of 10 ratios. So few events have little weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.features.catalogue import Catalogue
from faultprint.windows.series import Series
from faultprint.windows.trailing import trailing_sum

SPANS: Final = (1, 10, 30)
"""Minutes of the trailing means. The first is the minute itself."""
MIN_SECONDS: Final = 1e-3
"""Shorter durations are noise of the clock and of the capture."""


@dataclass(frozen=True, slots=True)
class FeatureKinds:
    """The kinds of a catalogue's features as masks, and the features that count their events.

    count, ratio, seconds, gauge   (F,) bool
    event_features                 (U,) int64, indices of the count features that give the events of others
    event_index                    (F,) int64, index into `event_features`; U where a feature has none: a count, or a
                                   value that is measured once a minute
    """

    count: BoolArray
    ratio: BoolArray
    seconds: BoolArray
    gauge: BoolArray
    event_features: IntArray
    event_index: IntArray

    @classmethod
    def from_catalogue(cls, catalogue: Catalogue) -> FeatureKinds:
        """The kinds of the catalogue's features, in its order."""
        kind = np.array([feature.kind for feature in catalogue.features])
        count = kind == "count"
        support = np.array([catalogue.index(f.support) if f.support else -1 for f in catalogue.features], np.int64)
        supported = (support >= 0) & ~count
        event_features = np.unique(support[supported])
        event_index = np.where(supported, np.searchsorted(event_features, support), len(event_features))
        return cls(count, kind == "ratio", kind == "seconds", kind == "gauge", event_features, event_index)


@dataclass(frozen=True, slots=True)
class Levels:
    """Levels of a series over every span.

    spans         minutes of the trailing means, S of them
    level         (S, T, F) float32, 0 where there is none
    event_count   (S, T, F) float32, events behind the level: at least 1, or 0 where there is no level
    """

    spans: tuple[int, ...]
    level: Float32Array
    event_count: Float32Array

    def slice(self, start: int, stop: int) -> Levels:
        """Minutes `start` up to `stop`, as views."""
        return Levels(self.spans, self.level[:, start:stop], self.event_count[:, start:stop])


def compute_levels(series: Series, kinds: FeatureKinds, spans: tuple[int, ...] = SPANS) -> Levels:
    """The levels of `series`, whose columns follow the catalogue of `kinds`.

    Minute t depends only on minutes t - max(spans) + 1 to t of the series.
    """
    amount, weight = weighted(log_transform(series.values, kinds), kinds)
    level = np.empty((len(spans), *amount.shape), dtype=np.float32)
    event_count = np.empty_like(level)
    for i, span in enumerate(spans):
        if span > 1:
            total, event_count[i] = trailing_sum(amount, span), trailing_sum(weight, span)
        else:
            total, event_count[i] = amount, weight
        level[i] = weighted_mean(total, event_count[i], kinds)
    return Levels(spans, level, event_count)


def log_transform(values: Float32Array, kinds: FeatureKinds) -> Float32Array:
    """(..., F) durations and gauges on a logarithmic scale, counts and ratios unchanged; NaN where there is no value.

    Counts stay linear because `weighted_mean` takes their mean before the logarithm.
    """
    result = values.copy()
    result[..., kinds.count] = np.maximum(result[..., kinds.count], 0)
    result[..., kinds.seconds] = np.log(np.maximum(result[..., kinds.seconds], np.float32(MIN_SECONDS)))
    gauge = result[..., kinds.gauge]
    result[..., kinds.gauge] = np.copysign(np.log1p(np.abs(gauge)), gauge)
    return result


def weighted(transformed: Float32Array, kinds: FeatureKinds) -> tuple[Float32Array, Float32Array]:
    """Two arrays (..., F): the values times their events, and the events; 0 in both where there is no value.

    `transformed` is the result of `log_transform`. A value has at least one event; a count has one, its minute.
    """
    # Missing values come at random, so a branch or np.where is slow here; masking bits needs neither.
    known = np.equal(transformed, transformed).astype(np.int32)
    np.negative(known, out=known)
    values = np.bitwise_and(transformed.view(np.int32), known).view(np.float32)
    events = np.ones((*values.shape[:-1], len(kinds.event_features) + 1), np.float32)
    np.maximum(values[..., kinds.event_features], 1, out=events[..., :-1])
    weight = np.take(events, kinds.event_index, axis=-1)
    bits = weight.view(np.int32)
    np.bitwise_and(bits, known, out=bits)
    return np.multiply(values, weight, out=values), weight


def weighted_mean(total: Float32Array, events: Float32Array, kinds: FeatureKinds) -> Float32Array:
    """(..., F) levels from the amounts and events summed over a span; 0 where there are no events."""
    level = np.maximum(events, 1)  # Without events the amount is 0, too.
    np.divide(total, level, out=level)
    # The mean of a count is taken before its logarithm: the traffic of 10 minutes divided by 10.
    level[..., kinds.count] = np.log1p(level[..., kinds.count])
    return level
