"""How a fault's tale is told of normal minutes: departures put upon them, and values drawn that so many events can have."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint.arrays import BoolArray, Float32Array
from faultprint.features.catalogue import Catalogue
from faultprint.training.augment.template import FaultTemplate
from faultprint.windows.levels import Kinds, scaled

_STRENGTH: Final = (0.35, 1.1)
"""Times the example's own."""
_LEFT_OUT: Final = (0.1, 0.15)
"""Chances that an operation shows nothing of the fault, and that a statistic does."""
_OPERATION: Final = (0.5, 1.2)
_STATISTIC: Final = (0.6, 1.2)
"""Times as strongly as the example did they show it otherwise."""
_OTHERWISE: Final = 0.3
"""Chance that failures show by another of these statistics than in the example: networks answer the same fault differently."""
_FAILURES: Final = ("client_error_share", "server_error_share", "timeout_share")
_MOVED: Final = 0.01
"""Shares told to move by less than this are left as they are."""
_MOST: Final = 100.0
"""Bound of shares that are several an attempt."""
_LARGEST: Final = 20.0
"""Bound of a logarithm that is told, so that what was wild stays finite."""


class FaultSynthesizer:
    """What is the same for all tales: a catalogue's features by operation and statistic, and the generator."""

    def __init__(self, catalogue: Catalogue, kinds: Kinds, rng: np.random.Generator) -> None:
        self._kinds, self._rng = kinds, rng
        parts = [name.rpartition(".") for name in catalogue.names]
        self._operations, self._operation = np.unique([operation for operation, _, _ in parts], return_inverse=True)
        self._statistics, self._statistic = np.unique([statistic for _, _, statistic in parts], return_inverse=True)
        places = {(operation, statistic): place for place, (operation, _, statistic) in enumerate(parts)}
        rows = [[places.get((operation, failure), -1) for failure in _FAILURES] for operation in self._operations]
        self._failures = np.array([row for row in rows if min(row) >= 0], np.int64).reshape(-1, len(_FAILURES))

    def told(self, around: Float32Array, part: slice, tale: FaultTemplate) -> Float32Array:
        """(L, F) the minutes `part` of normal minutes around (T, F), had the fault been there, in their own length."""
        usual = _level(around, self._kinds)
        level = usual[part]
        pace = np.round(np.linspace(0, len(tale.level) - 1, len(level))).astype(np.int64)
        strength = np.float32(self._rng.uniform(*_STRENGTH))
        step = np.nan_to_num(self._varied(tale.departure[pace])) * strength
        nothing = np.isnan(level)
        # What normal traffic gave no occasion to measure departs from what there was around, or is as it was told.
        typical = np.broadcast_to(_median(usual), level.shape)
        instead = np.where(np.isnan(typical), tale.level[pace], typical + step)
        # A share keeps to 1, unless it is one of several an attempt, such as retransmissions, that went beyond.
        most = np.nanmax(np.concatenate((usual, tale.level, np.ones_like(usual[:1]))), axis=0)
        moved = (np.abs(step) > _MOVED) | nothing
        return self._measured(around[part], np.where(nothing, instead, level + step), moved, most)

    def _varied(self, departure: Float32Array) -> Float32Array:
        """The departure (L, F) as another network might have shown it."""
        rng = self._rng
        if rng.random() < _OTHERWISE:
            departure = departure.copy()
            departure[:, self._failures] = departure[:, self._failures[:, rng.permutation(len(_FAILURES))]]
        factors = []
        for number, chance, bounds in zip(
            (len(self._operations), len(self._statistics)), _LEFT_OUT, (_OPERATION, _STATISTIC), strict=True
        ):
            factors.append(np.where(rng.random(number) < chance, 0, rng.uniform(*bounds, number)))
        return departure * (factors[0][self._operation] * factors[1][self._statistic]).astype(np.float32)

    def _measured(
        self, values: Float32Array, level: Float32Array, moved: BoolArray, most: Float32Array
    ) -> Float32Array:
        """(L, F) the minutes with levels that have become these; shares that have not moved stay, others are at most `most`."""
        kinds, values = self._kinds, values.copy()
        number = np.expm1(np.clip(level, 0, _LARGEST))
        values[:, kinds.count] = np.floor(number + self._rng.random(number.shape))[:, kinds.count]
        values[:, kinds.seconds] = np.exp(np.clip(level, -_LARGEST, _LARGEST))[:, kinds.seconds]
        gauge = np.copysign(np.expm1(np.clip(np.abs(level), 0, _LARGEST)), level)
        values[:, kinds.gauge] = gauge[:, kinds.gauge]
        none = np.full((len(values), 1), np.inf, np.float32)
        # Infinite for what no event stands behind, such as a count.
        events = np.concatenate((np.nan_to_num(values[:, kinds.supports]), none), axis=1)[:, kinds.events]
        drawn = self._drawn(np.clip(np.nan_to_num(level), 0, np.minimum(most, _MOST)), events)
        moved = kinds.ratio & moved
        values[moved] = drawn[moved]
        values[events == 0] = np.nan
        return values

    def _drawn(self, share: Float32Array, events: Float32Array) -> Float32Array:
        """(L, F) shares as so many events show them: by chance."""
        counted = np.isfinite(events)
        number = np.where(counted, events, 0).astype(np.int64)
        one_each = self._rng.binomial(number, np.minimum(share, 1))
        more = self._rng.poisson(share * number)
        drawn = np.where(share > 1, more, one_each) / np.maximum(number, 1)
        return np.where(counted, drawn, share).astype(np.float32)


def _level(values: Float32Array, kinds: Kinds) -> Float32Array:
    """(T, F) levels of single minutes, NaN where there are none."""
    level = scaled(values, kinds)
    level[:, kinds.count] = np.log1p(level[:, kinds.count])
    return level


def _median(level: Float32Array) -> Float32Array:
    """(F,) medians of what there is, NaN where there is nothing."""
    known = ~np.isnan(level).all(axis=0)
    median = np.full(level.shape[1], np.nan, np.float32)
    median[known] = np.nanmedian(level[:, known], axis=0)
    return median
