"""The profile of a node's normal traffic: centre and spread of every feature.

One hour of normal traffic is enough for a start, but its spreads are noisy. So a profile stores how many minutes support
it, and `shrink` moves every spread towards the population's (that of the training networks): the fewer minutes, the
further. Spreads are *excess* spreads: they leave out the variation that the number of events explains by chance, as in a
share of three attempts or a count of three.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from faultprint.arrays import BoolArray, Float32Array, Float64Array
from faultprint.errors import ModelError, UsageError
from faultprint.windows.levels import FeatureKinds, Levels

MIN_PROFILE_MINUTES: Final = 30
"""Fewest normal minutes of a profile."""
PRIOR_MINUTES: Final = 60
"""Weight of the population's spread against a node's own, in minutes."""
PRIOR_CENTRE_MINUTES: Final = 1
"""Weight of the population's centre against a node's own, in minutes."""
_MIN_SPREAD: Final = {"count": 0.10, "ratio": 0.01, "seconds": 0.05, "gauge": 0.02}
"""Smallest spread of the population, in units of levels."""
_MAD_TO_SIGMA: Final = 1.4826
"""Standard deviation of a normal distribution divided by its median absolute deviation."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Normal traffic of one node, or of the population. All arrays are (F,) float32, in units of `Levels`.

    minutes       normal minutes that the profile was built from
    centre        median of the level; of a ratio the mean, weighted by events
    spread        excess standard deviation
    event_count   median number of events a minute; of a count its mean
    value_count   number of minutes that had a value
    """

    minutes: int
    centre: Float32Array
    spread: Float32Array
    event_count: Float32Array
    value_count: Float32Array

    def as_dict(self) -> dict[str, Any]:
        """The profile for JSON; `from_dict` reads it back equal."""
        arrays = {key: [float(x) for x in getattr(self, name)] for key, name in _STORED_KEYS.items()}
        return {"minutes": self.minutes, **arrays}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], features: int) -> Profile:
        """Raises ModelError unless `document` is the result of `as_dict` for this number of features."""
        if set(document) != {"minutes", *_STORED_KEYS} or type(document["minutes"]) is not int:
            raise ModelError(f"A profile must have minutes, {', '.join(_STORED_KEYS)} and nothing else; make it again.")
        arrays = {
            name: finite_vector(f"A profile's {key}", document[key], features) for key, name in _STORED_KEYS.items()
        }
        return cls(document["minutes"], **arrays)


_STORED_KEYS: Final = {"centre": "centre", "spread": "spread", "support": "event_count", "seen": "value_count"}
"""Keys of a stored profile, which must not change, and the fields of `Profile`."""


def finite_vector(name: str, numbers: Any, length: int) -> Float32Array:
    """(length,) the numbers of a JSON document. Raises ModelError for another length, or a number that is not finite."""
    try:
        vector = np.array(numbers, dtype=np.float32)
    except (TypeError, ValueError, OverflowError):
        vector = np.empty(0, dtype=np.float32)
    if vector.shape != (length,) or not np.isfinite(vector).all():
        raise ModelError(f"{name} must be {length} finite numbers; make the model again.")
    return vector


def build_profile(
    levels: Levels, kinds: FeatureKinds, selected: BoolArray, min_minutes: int = MIN_PROFILE_MINUTES
) -> Profile:
    """The profile of the minutes `selected` of a series' levels: (T,) bool, observed and known to be normal.

    Raises UsageError for fewer than `min_minutes` minutes.
    """
    minutes = int(np.count_nonzero(selected))
    if minutes < min_minutes:
        raise UsageError(
            f"{minutes} minutes of normal traffic are too few for a profile, which needs {min_minutes}; "
            "mark a longer interval as normal."
        )
    level = levels.level[0, selected].astype(np.float64)
    events = levels.event_count[0, selected].astype(np.float64)
    level[events == 0] = np.nan
    value_count = np.count_nonzero(events, axis=0)
    centre, spread, event_count = (np.zeros(level.shape[1]) for _ in range(3))
    known = value_count > 0
    plain, count, ratio = known & ~kinds.ratio & ~kinds.count, known & kinds.count, known & kinds.ratio
    for mask in (plain, count):
        centre[mask] = np.nanmedian(level[:, mask], axis=0)
    centre[ratio] = _pooled_ratio(level[:, ratio], events[:, ratio])
    event_count[known] = np.nanmedian(np.where(events > 0, events, np.nan)[:, known], axis=0)
    event_count[count] = np.expm1(level[:, count]).mean(axis=0)
    total = (_MAD_TO_SIGMA * np.nanmedian(np.abs(level[:, known] - centre[known]), axis=0)) ** 2
    by_chance = chance_variance(centre, event_count, kinds)[known]
    spread[known] = np.sqrt(np.maximum(total - by_chance, 0))
    return Profile(minutes, *(x.astype(np.float32) for x in (centre, spread, event_count, value_count)))


def _pooled_ratio(ratio: Float64Array, events: Float64Array) -> Float64Array:
    """Mean of ratios weighted by events, each clipped to the middle 90 %, so that one or two bad minutes do not count."""
    low, high = np.nanquantile(ratio, (0.05, 0.95), axis=0) if ratio.size else (0.0, 0.0)
    pooled = np.nansum(np.clip(ratio, low, high) * events, axis=0) / np.maximum(events.sum(axis=0), 1)
    return np.asarray(pooled, dtype=np.float64)


def chance_variance(centre: npt.NDArray[Any], event_count: npt.NDArray[Any], kinds: FeatureKinds) -> Float64Array:
    """Variance of a minute's level that its number of events explains.

    It is p(1 - p)/n for a ratio, and about 1/n for ln(1 + a Poisson count). It is 0 for durations and gauges, since the
    spread of their single events is unknown.
    """
    ratio = np.clip(np.asarray(centre, dtype=np.float64), 0.01, 0.99)
    events = np.asarray(event_count, dtype=np.float64)
    variance = np.where(kinds.ratio, ratio * (1 - ratio) / np.maximum(events, 1), 0.0)
    explained: Float64Array = np.where(kinds.count, events / (1 + events) ** 2, variance)
    return explained


def population_profile(profiles: Sequence[Profile], kinds: FeatureKinds) -> Profile:
    """The profile of the population: medians over the training nodes' profiles, with a smallest spread.

    Raises UsageError without a profile.
    """
    if not profiles:
        raise UsageError(
            "A population needs the profile of at least one node; add normal traffic to the training data."
        )
    merged = []
    for name in ("centre", "spread", "event_count"):
        rows = np.array([getattr(profile, name) for profile in profiles], dtype=np.float64)
        rows[np.array([profile.value_count for profile in profiles]) == 0] = np.nan
        known = ~np.isnan(rows).all(axis=0)
        column = np.zeros(rows.shape[1])
        column[known] = np.nanmedian(rows[:, known], axis=0)
        merged.append(column)
    floor = np.select(
        [kinds.count, kinds.ratio, kinds.seconds],
        [_MIN_SPREAD[kind] for kind in ("count", "ratio", "seconds")],
        _MIN_SPREAD["gauge"],
    )
    merged[1] = np.maximum(merged[1], floor)
    value_count = np.median([profile.value_count for profile in profiles], axis=0)
    minutes = sum(profile.minutes for profile in profiles)
    return Profile(minutes, *(x.astype(np.float32) for x in (*merged, value_count)))


def shrink(profile: Profile, population: Profile) -> Profile:
    """The profile moved towards the population's, as if it had PRIOR_MINUTES more minutes of the population's spread."""
    minutes = profile.value_count.astype(np.float64)
    weight = minutes / (minutes + PRIOR_MINUTES)
    own_variance, prior_variance = (x.spread.astype(np.float64) ** 2 for x in (profile, population))
    spread = np.sqrt(weight * own_variance + (1 - weight) * prior_variance)
    weight_centre = minutes / (minutes + PRIOR_CENTRE_MINUTES)
    centre = weight_centre * profile.centre + (1 - weight_centre) * population.centre
    event_count = weight_centre * profile.event_count + (1 - weight_centre) * population.event_count
    return Profile(profile.minutes, *(x.astype(np.float32) for x in (centre, spread, event_count, minutes)))
