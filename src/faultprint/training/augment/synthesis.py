"""Fault synthesis: applies a fault template to normal minutes of another node, with random variation."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint.arrays import BoolArray, Float32Array
from faultprint.features.catalogue import Catalogue
from faultprint.training.augment.template import FaultTemplate
from faultprint.windows.levels import FeatureKinds, log_transform

_STRENGTH: Final = (0.35, 1.1)
"""Range of the factor on the whole deviation of the example."""
_DROP_CHANCES: Final = (0.1, 0.15)
"""Chances that the fault does not show in an operation, and in a statistic."""
_OPERATION_FACTORS: Final = (0.5, 1.2)
_STATISTIC_FACTORS: Final = (0.6, 1.2)
"""Ranges of the factors on the deviation of each operation, and of each statistic."""
_SWAP_FAILURES: Final = 0.3
"""Chance that failures show in another of the _FAILURES statistics: networks answer the same fault with other codes."""
_FAILURES: Final = ("client_error_share", "server_error_share", "timeout_share")
_MIN_CHANGE: Final = 0.01
"""Shares that change by less than this keep their original value."""
_MAX_SHARE: Final = 100.0
"""Upper bound of shares that can exceed 1, such as retransmissions per attempt."""
_MAX_LOG: Final = 20.0
"""Bound of logarithms, so that extreme deviations stay finite."""


class FaultSynthesizer:
    """Applies templates to normal minutes. It knows the operation and the statistic of every feature of a catalogue."""

    def __init__(self, catalogue: Catalogue, kinds: FeatureKinds, rng: np.random.Generator) -> None:
        self._kinds, self._rng = kinds, rng
        names = [name.rpartition(".") for name in catalogue.names]
        self._operations, self._operation = np.unique([operation for operation, _, _ in names], return_inverse=True)
        self._statistics, self._statistic = np.unique([statistic for _, _, statistic in names], return_inverse=True)
        index = {(operation, statistic): i for i, (operation, _, statistic) in enumerate(names)}
        rows = [[index.get((operation, failure), -1) for failure in _FAILURES] for operation in self._operations]
        self._failures = np.array([row for row in rows if min(row) >= 0], np.int64).reshape(-1, len(_FAILURES))

    def apply(self, normal: Float32Array, part: slice, template: FaultTemplate) -> Float32Array:
        """(L, F) the minutes `part` of the normal minutes (T, F), as if the fault had occurred in them.

        The template is lengthened or shortened to the length of `part`.
        """
        normal_level = _minute_levels(normal, self._kinds)
        level = normal_level[part]
        rows = np.round(np.linspace(0, len(template.level) - 1, len(level))).astype(np.int64)
        strength = np.float32(self._rng.uniform(*_STRENGTH))
        deviation = np.nan_to_num(self._vary(template.deviation[rows])) * strength
        missing = np.isnan(level)
        # A feature without a value here starts from its median in the normal minutes; without one, from the template.
        typical = np.broadcast_to(_medians(normal_level), level.shape)
        replacement = np.where(np.isnan(typical), template.level[rows], typical + deviation)
        # A share stays at most 1, unless the normal minutes or the template exceed 1 (several events per attempt).
        limit = np.nanmax(np.concatenate((normal_level, template.level, np.ones_like(normal_level[:1]))), axis=0)
        changed = (np.abs(deviation) > _MIN_CHANGE) | missing
        return self._to_values(normal[part], np.where(missing, replacement, level + deviation), changed, limit)

    def _vary(self, deviation: Float32Array) -> Float32Array:
        """The deviation (L, F) as another network might show it."""
        rng = self._rng
        if rng.random() < _SWAP_FAILURES:
            deviation = deviation.copy()
            deviation[:, self._failures] = deviation[:, self._failures[:, rng.permutation(len(_FAILURES))]]
        factors = []
        for count, chance, bounds in zip(
            (len(self._operations), len(self._statistics)),
            _DROP_CHANCES,
            (_OPERATION_FACTORS, _STATISTIC_FACTORS),
            strict=True,
        ):
            factors.append(np.where(rng.random(count) < chance, 0, rng.uniform(*bounds, count)))
        return deviation * (factors[0][self._operation] * factors[1][self._statistic]).astype(np.float32)

    def _to_values(
        self, values: Float32Array, level: Float32Array, changed: BoolArray, limit: Float32Array
    ) -> Float32Array:
        """(L, F) feature values for these levels. Shares change only where `changed`, and to at most `limit` (F,)."""
        kinds, values = self._kinds, values.copy()
        counts = np.expm1(np.clip(level, 0, _MAX_LOG))
        values[:, kinds.count] = np.floor(counts + self._rng.random(counts.shape))[:, kinds.count]
        values[:, kinds.seconds] = np.exp(np.clip(level, -_MAX_LOG, _MAX_LOG))[:, kinds.seconds]
        gauges = np.copysign(np.expm1(np.clip(np.abs(level), 0, _MAX_LOG)), level)
        values[:, kinds.gauge] = gauges[:, kinds.gauge]
        # Infinite for features without events, such as a count.
        unlimited = np.full((len(values), 1), np.inf, np.float32)
        event_counts = np.concatenate((np.nan_to_num(values[:, kinds.event_features]), unlimited), axis=1)
        events = event_counts[:, kinds.event_index]
        shares = self._draw_shares(np.clip(np.nan_to_num(level), 0, np.minimum(limit, _MAX_SHARE)), events)
        changed = kinds.ratio & changed
        values[changed] = shares[changed]
        values[events == 0] = np.nan
        return values

    def _draw_shares(self, share: Float32Array, events: Float32Array) -> Float32Array:
        """(L, F) random shares that this number of events can show: binomial, or Poisson for shares above 1."""
        limited = np.isfinite(events)
        count = np.where(limited, events, 0).astype(np.int64)
        binomial = self._rng.binomial(count, np.minimum(share, 1))
        poisson = self._rng.poisson(share * count)
        shares = np.where(share > 1, poisson, binomial) / np.maximum(count, 1)
        return np.where(limited, shares, share).astype(np.float32)


def _minute_levels(values: Float32Array, kinds: FeatureKinds) -> Float32Array:
    """(T, F) levels of single minutes, NaN where a feature has no value."""
    level = log_transform(values, kinds)
    level[:, kinds.count] = np.log1p(level[:, kinds.count])
    return level


def _medians(level: Float32Array) -> Float32Array:
    """(F,) median of the values of every feature, NaN for a feature without values."""
    known = ~np.isnan(level).all(axis=0)
    median = np.full(level.shape[1], np.nan, np.float32)
    median[known] = np.nanmedian(level[:, known], axis=0)
    return median
