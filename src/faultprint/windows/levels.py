"""What a minute says, before any comparison: one level per feature, and the number of events that stand behind it.

Counts are taken as ln(1 + x), durations as ln x with a floor of a millisecond, other gauges as a signed ln(1 + |x|),
shares as they are. Beside the minute itself stand the trailing means over 10 and 30 minutes: a share over ten minutes is
its failures over its attempts, not the mean of ten shares, so few events weigh little.
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
"""Minutes of the trailing means; the first is the minute itself."""
SHORTEST_SECONDS: Final = 1e-3
"""Durations below this are noise of the clock and of the capture."""


@dataclass(frozen=True, slots=True)
class Kinds:
    """Where in a catalogue's order the kinds lie: (F,) bool each.

    `supports` (U,) are the features that tell the events behind others; `events` (F,) which of these is a feature's, U where it
    has none: a count, and what is measured once a minute.
    """

    count: BoolArray
    ratio: BoolArray
    seconds: BoolArray
    gauge: BoolArray
    supports: IntArray
    events: IntArray

    @classmethod
    def of(cls, catalogue: Catalogue) -> Kinds:
        kind = np.array([feature.kind for feature in catalogue.features])
        count = kind == "count"
        support = np.array([catalogue.index(f.support) if f.support else -1 for f in catalogue.features], np.int64)
        backed = (support >= 0) & ~count
        supports = np.unique(support[backed])
        events = np.where(backed, np.searchsorted(supports, support), len(supports))
        return cls(count, kind == "ratio", kind == "seconds", kind == "gauge", supports, events)


@dataclass(frozen=True, slots=True)
class Levels:
    """Levels of a series over every span: (S, T, F) float32 `level` (0 where there is none), `support` (events behind it,
    at least 1 where there is a level, 0 where there is none)."""

    spans: tuple[int, ...]
    level: Float32Array
    support: Float32Array

    def part(self, start: int, stop: int) -> Levels:
        """Minutes `start` up to `stop`; views."""
        return Levels(self.spans, self.level[:, start:stop], self.support[:, start:stop])


def levels(series: Series, kinds: Kinds, spans: tuple[int, ...] = SPANS) -> Levels:
    """The levels of `series`, whose columns are in the order of the catalogue behind `kinds`.

    Causal: minute t depends on minutes t - max(spans) + 1 to t, and on nothing outside the series given.
    """
    amount, weight = weighted(scaled(series.values, kinds), kinds)
    level = np.empty((len(spans), *amount.shape), dtype=np.float32)
    support = np.empty_like(level)
    for i, span in enumerate(spans):
        if span > 1:
            total, support[i] = trailing_sum(amount, span), trailing_sum(weight, span)
        else:
            total, support[i] = amount, weight
        level[i] = weighted_mean(total, support[i], kinds)
    return Levels(spans, level, support)


def scaled(values: Float32Array, kinds: Kinds) -> Float32Array:
    """(..., F) counts and shares as they are, durations and gauges on a logarithmic scale; NaN where there is none."""
    result = values.copy()
    result[..., kinds.count] = np.maximum(result[..., kinds.count], 0)
    result[..., kinds.seconds] = np.log(np.maximum(result[..., kinds.seconds], np.float32(SHORTEST_SECONDS)))
    gauge = result[..., kinds.gauge]
    result[..., kinds.gauge] = np.copysign(np.log1p(np.abs(gauge)), gauge)
    return result


def weighted(scaled: Float32Array, kinds: Kinds) -> tuple[Float32Array, Float32Array]:
    """(..., F) each: what `scaled` gives times the events behind it, and these; 0 in both where there is no value.

    Events are the value's support, at least one; for a count one, its minute.
    """
    # Where values are missing is as good as random, which a choice of either waits for; bits are masked without one.
    there = np.equal(scaled, scaled).astype(np.int32)
    np.negative(there, out=there)
    known = np.bitwise_and(scaled.view(np.int32), there).view(np.float32)
    events = np.ones((*known.shape[:-1], len(kinds.supports) + 1), np.float32)
    np.maximum(known[..., kinds.supports], 1, out=events[..., :-1])
    weight = np.take(events, kinds.events, axis=-1)
    bits = weight.view(np.int32)
    np.bitwise_and(bits, there, out=bits)
    return np.multiply(known, weight, out=known), weight


def weighted_mean(total: Float32Array, events: Float32Array, kinds: Kinds) -> Float32Array:
    """(..., F) levels from amounts and events summed over a span; 0 where there are no events."""
    level = np.maximum(events, 1)  # there is one at least, or none and no amount
    np.divide(total, level, out=level)
    # The mean of a count is taken before its logarithm: ten minutes' traffic over ten minutes.
    level[..., kinds.count] = np.log1p(level[..., kinds.count])
    return level
