"""What a node's own normal traffic looks like: centre and spread of every feature.

An hour of normal traffic is enough to begin with, but an hour gives noisy spreads. So a profile keeps how much it rests
on, and `settle` draws every spread towards the population's (that of the training networks): the fewer minutes, the
further. Spreads are *excess* spreads, beyond what the number of events explains by itself (a share of three attempts
varies by chance, and so does a count of three).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from faultprint.arrays import BoolArray, Float32Array, Float64Array
from faultprint.errors import ModelError, UsageError
from faultprint.windows.levels import Kinds, Levels

LEAST_MINUTES: Final = 30
"""Normal minutes below which no profile is made."""
PRIOR_MINUTES: Final = 60
"""Minutes that the population's spread weighs against a node's own."""
PRIOR_CENTRE_MINUTES: Final = 1
"""Minutes that the population's centre weighs against a node's own."""
_NARROWEST: Final = {"count": 0.10, "ratio": 0.01, "seconds": 0.05, "gauge": 0.02}
"""Spreads below these are not believed (levels' units)."""
_SIGMA: Final = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Per feature, in the units of `levels`: `centre`, `spread` (excess standard deviation), `support` (median events a
    minute; a count's mean), all (F,) float32, and `seen`, the (F,) number of minutes that had a value; of `minutes` in all.
    """

    minutes: int
    centre: Float32Array
    spread: Float32Array
    support: Float32Array
    seen: Float32Array

    def as_dict(self) -> dict[str, Any]:
        """For JSON; `from_dict` reads it back equal."""
        arrays = {name: [float(x) for x in getattr(self, name)] for name in _ARRAYS}
        return {"minutes": self.minutes, **arrays}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any], features: int) -> Profile:
        """Raises ModelError unless `found` is what `as_dict` gives for so many features."""
        if set(found) != {"minutes", *_ARRAYS} or type(found["minutes"]) is not int:
            raise ModelError(f"A profile has minutes, {', '.join(_ARRAYS)} and nothing else; make it anew.")
        return cls(found["minutes"], *(finite(f"A profile's {name}", found[name], features) for name in _ARRAYS))


_ARRAYS: Final = ("centre", "spread", "support", "seen")


def finite(what: str, found: Any, length: int) -> Float32Array:
    """(length,) the numbers `found` in a manifest. Raises ModelError unless they are so many finite ones."""
    try:
        vector = np.array(found, dtype=np.float32)
    except (TypeError, ValueError, OverflowError):
        vector = np.empty(0, dtype=np.float32)
    if vector.shape != (length,) or not np.isfinite(vector).all():
        raise ModelError(f"{what} must be {length} finite numbers; make the model anew.")
    return vector


def profile(levels: Levels, kinds: Kinds, chosen: BoolArray, least: int = LEAST_MINUTES) -> Profile:
    """The profile of the minutes `chosen` ((T,) bool: observed and known to be normal) of a series' levels.

    Raises UsageError for fewer than `least` minutes.
    """
    minutes = int(np.count_nonzero(chosen))
    if minutes < least:
        raise UsageError(
            f"{minutes} minutes of normal traffic are too few for a profile, which needs {least}; mark a longer stretch as normal."
        )
    level = levels.level[0, chosen].astype(np.float64)
    support = levels.support[0, chosen].astype(np.float64)
    level[support == 0] = np.nan
    seen = np.count_nonzero(support, axis=0)
    centre, spread, typical = (np.zeros(level.shape[1]) for _ in range(3))
    known = seen > 0
    plain, count, ratio = known & ~kinds.ratio & ~kinds.count, known & kinds.count, known & kinds.ratio
    for which in (plain, count):
        centre[which] = np.nanmedian(level[:, which], axis=0)
    centre[ratio] = _pooled_share(level[:, ratio], support[:, ratio])
    typical[known] = np.nanmedian(np.where(support > 0, support, np.nan)[:, known], axis=0)
    typical[count] = np.expm1(level[:, count]).mean(axis=0)
    total = (_SIGMA * np.nanmedian(np.abs(level[:, known] - centre[known]), axis=0)) ** 2
    by_chance = chance(centre, typical, kinds)[known]
    spread[known] = np.sqrt(np.maximum(total - by_chance, 0))
    return Profile(minutes, *(x.astype(np.float32) for x in (centre, spread, typical, seen)))


def _pooled_share(share: Float64Array, events: Float64Array) -> Float64Array:
    """Events-weighted mean of shares, each drawn in to the middle nine tenths, so that a bad minute or two does not count."""
    low, high = np.nanquantile(share, (0.05, 0.95), axis=0) if share.size else (0.0, 0.0)
    pooled = np.nansum(np.clip(share, low, high) * events, axis=0) / np.maximum(events.sum(axis=0), 1)
    return np.asarray(pooled, dtype=np.float64)


def chance(centre: npt.NDArray[Any], support: npt.NDArray[Any], kinds: Kinds) -> Float64Array:
    """Variance of a minute's level that so many events explain: p(1 - p)/n of a share, about 1/n of ln(1 + a Poisson count).

    Durations and gauges: none, since the spread of their single events is not known.
    """
    share = np.clip(np.asarray(centre, dtype=np.float64), 0.01, 0.99)
    events = np.asarray(support, dtype=np.float64)
    variance = np.where(kinds.ratio, share * (1 - share) / np.maximum(events, 1), 0.0)
    explained: Float64Array = np.where(kinds.count, events / (1 + events) ** 2, variance)
    return explained


def population(profiles: Sequence[Profile], kinds: Kinds) -> Profile:
    """The profile to lean on where a node's own says little: medians over training nodes, spreads with a floor."""
    if not profiles:
        raise UsageError("A population needs the profile of one node at least; give normal traffic to train on.")
    merged = []
    for name in ("centre", "spread", "support"):
        rows = np.array([getattr(p, name) for p in profiles], dtype=np.float64)
        rows[np.array([p.seen for p in profiles]) == 0] = np.nan
        known = ~np.isnan(rows).all(axis=0)
        column = np.zeros(rows.shape[1])
        column[known] = np.nanmedian(rows[:, known], axis=0)
        merged.append(column)
    floor = np.select(
        [kinds.count, kinds.ratio, kinds.seconds],
        [_NARROWEST[k] for k in ("count", "ratio", "seconds")],
        _NARROWEST["gauge"],
    )
    merged[1] = np.maximum(merged[1], floor)
    seen = np.median([p.seen for p in profiles], axis=0)
    return Profile(sum(p.minutes for p in profiles), *(x.astype(np.float32) for x in (*merged, seen)))


def shrink(own: Profile, people: Profile) -> Profile:
    """`own` drawn towards the population `people`: spreads as if it had PRIOR_MINUTES more of the population's kind."""
    seen = own.seen.astype(np.float64)
    weight = seen / (seen + PRIOR_MINUTES)
    spread = np.sqrt(weight * own.spread.astype(np.float64) ** 2 + (1 - weight) * people.spread.astype(np.float64) ** 2)
    trust = seen / (seen + PRIOR_CENTRE_MINUTES)
    centre = trust * own.centre + (1 - trust) * people.centre
    support = trust * own.support + (1 - trust) * people.support
    return Profile(own.minutes, *(x.astype(np.float32) for x in (centre, spread, support, seen)))
