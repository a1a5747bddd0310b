"""Levels, profiles and the model's input, on a small catalogue with every kind of feature."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import pytest

from faultprint.arrays import BoolArray, Float32Array
from faultprint.errors import ModelError, UsageError
from faultprint.features.catalogue import Catalogue, Feature
from faultprint.units import MINUTE_US
from faultprint.windows.levels import FeatureKinds, compute_levels
from faultprint.windows.normalisation import CHANNELS, fill_missing, input_width, normalise
from faultprint.windows.profile import Profile, build_profile, population_profile, shrink
from faultprint.windows.series import Series

CATALOGUE = Catalogue(
    "small",
    1,
    (
        Feature("n", "", "count", "n"),
        Feature("failed", "", "ratio", "n"),
        Feature("delay", "s", "seconds", "n"),
        Feature("load", "", "gauge"),
    ),
)
KINDS = FeatureKinds.from_catalogue(CATALOGUE)
N, FAILED, DELAY, LOAD = range(4)


def node(values: npt.ArrayLike, observed: BoolArray | None = None) -> Series:
    array = np.array(values, dtype=np.float32)
    seen = np.ones(len(array), dtype=np.bool_) if observed is None else observed
    return Series("n1", "net", 0, MINUTE_US, CATALOGUE.names, array, seen)


def traffic(minutes: int, attempts: float, share: float, seed: int = 1) -> Float32Array:
    rng = np.random.default_rng(seed)
    n = rng.poisson(attempts, minutes)
    with np.errstate(invalid="ignore"):
        failed = rng.binomial(n, share) / n
    delay = np.where(n > 0, np.exp(rng.normal(-2, 0.1, minutes)), np.nan)
    return np.column_stack([n, failed, delay, rng.normal(5, 1, minutes)]).astype(np.float32)


def test_a_trailing_share_is_failures_over_attempts() -> None:
    result = compute_levels(node([[2, 0.5, 0.1, 1], [0, np.nan, np.nan, 1], [98, 0.0, 0.1, 1]]), KINDS, (1, 3))
    assert result.level[1, 2, FAILED] == pytest.approx(0.01)
    assert result.event_count[1, 2, FAILED] == 100
    assert result.level[1, 2, N] == pytest.approx(np.log1p(100 / 3))
    assert result.event_count[0, 1, FAILED] == 0


def test_levels_are_causal_and_independent_of_the_first_minute() -> None:
    values = traffic(90, 20, 0.1)
    whole = compute_levels(node(values), KINDS)
    changed = values.copy()
    changed[60:] = 1
    assert np.array_equal(compute_levels(node(changed), KINDS).level[:, :60], whole.level[:, :60])
    later = compute_levels(node(values[20:]), KINDS)
    assert np.array_equal(later.level[:, 30:], whole.level[:, 50:])


def test_a_gap_does_not_count() -> None:
    values = traffic(40, 20, 0.1)
    observed = np.ones(40, dtype=np.bool_)
    observed[10:20] = False
    values[10:20] = np.nan
    result = compute_levels(node(values, observed), KINDS)
    assert np.isfinite(result.level).all()
    assert (result.event_count[0, 10:20] == 0).all()
    assert result.level[1, 21, N] == pytest.approx(np.log1p(values[[20, 21], N].mean()))


def test_a_profile_has_centre_and_spread() -> None:
    values = traffic(600, 50, 0.2)
    all_levels = compute_levels(node(values), KINDS)
    result = build_profile(all_levels, KINDS, np.ones(600, dtype=np.bool_))
    assert result.minutes == 600
    assert result.centre[N] == pytest.approx(np.log1p(50), abs=0.03)
    assert result.centre[FAILED] == pytest.approx(0.2, abs=0.02)
    assert result.centre[DELAY] == pytest.approx(-2, abs=0.02)
    assert result.spread[DELAY] == pytest.approx(0.1, abs=0.02)
    # Chance explains the whole variation of these counts and ratios.
    assert result.spread[N] < 0.1
    assert result.spread[FAILED] < 0.05


def test_a_profile_survives_json_and_two_bad_minutes() -> None:
    values = traffic(60, 50, 0.2)
    clean = build_profile(compute_levels(node(values), KINDS), KINDS, np.ones(60, dtype=np.bool_))
    back = Profile.from_dict(json.loads(json.dumps(clean.as_dict())), 4)
    assert all(
        np.array_equal(getattr(back, name), getattr(clean, name))
        for name in ("centre", "spread", "event_count", "value_count")
    )
    values[10:12, FAILED] = 1.0
    dirty = build_profile(compute_levels(node(values), KINDS), KINDS, np.ones(60, dtype=np.bool_))
    assert dirty.centre[FAILED] == pytest.approx(clean.centre[FAILED], abs=0.02)


def test_too_few_minutes_and_damaged_profiles() -> None:
    all_levels = compute_levels(node(traffic(60, 50, 0.2)), KINDS)
    with pytest.raises(UsageError, match="29 minutes of normal traffic are too few"):
        build_profile(all_levels, KINDS, np.arange(60) < 29)
    good = build_profile(all_levels, KINDS, np.ones(60, dtype=np.bool_)).as_dict()
    for damage in (
        {"centre": [1.0]},
        {"spread": ["x"] * 4},
        {"seen": [float("nan")] * 4},
        {"minutes": "60"},
        {"more": 1},
    ):
        with pytest.raises(ModelError, match="make"):
            Profile.from_dict({**good, **damage}, 4)


def test_a_short_profile_shrinks_towards_the_population() -> None:
    rows = [
        build_profile(compute_levels(node(traffic(600, 50, 0.2, seed)), KINDS), KINDS, np.ones(600, dtype=np.bool_))
        for seed in range(3)
    ]
    population = population_profile(rows, KINDS)
    values = traffic(60, 50, 0.2)
    values[:, DELAY] = 0.1  # An hour without spread must not turn all_levels later millisecond into a deviation.
    node_profile = build_profile(compute_levels(node(values), KINDS), KINDS, np.ones(60, dtype=np.bool_))
    assert node_profile.spread[DELAY] == 0
    assert shrink(node_profile, population).spread[DELAY] == pytest.approx(
        population.spread[DELAY] / np.sqrt(2), rel=0.01
    )
    never = traffic(60, 50, 0.2)
    never[:, DELAY] = np.nan
    unseen = build_profile(compute_levels(node(never), KINDS), KINDS, np.ones(60, dtype=np.bool_))
    assert shrink(unseen, population).centre[DELAY] == pytest.approx(population.centre[DELAY], abs=1e-5)


def test_few_events_give_a_small_z_score() -> None:
    normal = traffic(600, 300, 0.02)
    node_profile = build_profile(compute_levels(node(normal), KINDS), KINDS, np.ones(600, dtype=np.bool_))
    few = compute_levels(node([[3, 1 / 3, 0.13, 5]]), KINDS)
    many = compute_levels(node([[300, 1 / 3, 0.13, 5]]), KINDS)
    shape = (1, 3, CHANNELS, 4)
    z_score = [normalise(x, KINDS, node_profile, node_profile).reshape(shape)[0, 0, 0, FAILED] for x in (few, many)]
    assert z_score[0] < np.log1p(4) < np.log1p(8) < z_score[1]


def test_inputs_are_finite_zero_where_missing_and_of_the_declared_width() -> None:
    values = traffic(200, 2, 0.2)
    observed = np.ones(200, dtype=np.bool_)
    observed[50:90], values[50:90] = False, np.nan
    all_levels = compute_levels(node(values, observed), KINDS)
    node_profile = build_profile(all_levels, KINDS, observed)
    result = normalise(all_levels, KINDS, node_profile, population_profile([node_profile], KINDS))
    assert result.shape == (200, input_width(4, 3))
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    assert (result.reshape(200, 3, -1)[60, 0] == 0).all()
    missing = np.isnan(values[:, FAILED])
    assert missing.any()
    assert (result.reshape(200, 3, CHANNELS, 4)[missing, 0, :, FAILED] == 0).all()


def test_normal_traffic_of_any_size_looks_alike() -> None:
    spread = []
    for attempts in (4, 40, 4000):
        all_levels = compute_levels(node(traffic(2000, attempts, 0.1)), KINDS)
        node_profile = build_profile(all_levels, KINDS, np.ones(2000, dtype=np.bool_))
        z = normalise(all_levels, KINDS, node_profile, node_profile).reshape(2000, 3, CHANNELS, 4)[:, 0, 0, :2]
        spread.append(np.abs(z).mean(axis=0))
    assert np.max(spread, axis=0) == pytest.approx(np.min(spread, axis=0), rel=0.5)


def test_missing_features_are_filled_for_the_2017_baseline() -> None:
    assert fill_missing(np.array([[1, np.nan, np.inf]], dtype=np.float32)).tolist() == [[1, 0, 0]]
