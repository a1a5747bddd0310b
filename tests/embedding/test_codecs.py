"""One byte a number: the largest error of a decoded number."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from faultprint.embedding.codecs import Int8Codec
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.windows.levels import FeatureKinds
from faultprint.windows.normalisation import DeviationScale, deviation_scale
from faultprint.windows.profile import Profile

F = len(SIP_CATALOGUE)
KINDS = FeatureKinds.from_catalogue(SIP_CATALOGUE)
SPANS = (1, 10, 30)
RING = max(SPANS)
POSITIONS = np.arange(RING)


def codec() -> Int8Codec:
    return Int8Codec(KINDS, SPANS)


def node_scale(seed: int) -> DeviationScale:
    rng = np.random.default_rng(seed)
    spread = np.exp(rng.uniform(np.log(0.01), np.log(2), (1, F))).astype(np.float32)
    return DeviationScale(rng.uniform(0, 8, F).astype(np.float32), np.zeros(F, np.float32), spread**2)


def levels(values: np.ndarray) -> np.ndarray:
    return np.where(KINDS.count, np.log1p(np.where(KINDS.count, values, 0)), values)


def values_of_levels(levels: np.ndarray) -> np.ndarray:
    """The values with these levels."""
    values = levels.copy()
    values[:, KINDS.count] = np.expm1(levels[:, KINDS.count])
    return values.astype(np.float32)


@given(st.integers(0, 1000), st.sampled_from([0.0, 0.1, 1.0, 10.0, 300.0]))
def test_a_decoded_value_is_within_half_a_step(seed: int, far: float) -> None:
    scale, rng = node_scale(seed), np.random.default_rng(seed)
    sigma = np.sqrt(scale.fixed[0])
    level = scale.centre + far * sigma * rng.normal(size=(RING, F))
    values = values_of_levels(np.where(KINDS.count, np.clip(level, 0, 20), level))
    result = codec().decode_values(codec().encode_values(values, POSITIONS, scale), POSITIONS, scale)
    wanted = levels(values)
    bound = 0.02 * sigma + 0.041 * np.abs(wanted - scale.centre) + 1e-4 * np.abs(wanted)
    assert (np.abs(levels(result) - wanted) <= bound).all()


@given(st.integers(0, 1000))
def test_the_mean_of_ten_constant_minutes_is_more_exact_than_one_minute(seed: int) -> None:
    scale, rng = node_scale(seed), np.random.default_rng(seed)
    sigma = np.sqrt(scale.fixed[0])
    values = np.broadcast_to(scale.centre + sigma * rng.uniform(0, 3, F), (RING, F)).astype(np.float32)
    values = values_of_levels(values)
    result = levels(codec().decode_values(codec().encode_values(values, POSITIONS, scale), POSITIONS, scale)) - levels(
        values
    )
    plain = ~KINDS.count
    one_minute, ten_minutes = (
        np.abs(result)[:, plain] / sigma[plain],
        np.abs(result[:10].mean(axis=0))[plain] / sigma[plain],
    )
    assert ten_minutes.mean() < one_minute.mean() / 3


def test_missing_values_and_no_others_stay_missing() -> None:
    scale = node_scale(1)
    values = np.full((RING, F), np.nan, np.float32)
    values[:, ::2] = 1e30
    result = codec().decode_values(codec().encode_values(values, POSITIONS, scale), POSITIONS, scale)
    assert np.array_equal(np.isnan(result), np.isnan(values)) and np.isfinite(result[:, ::2]).all()


@given(st.lists(st.floats(0, 64, width=32), min_size=1, max_size=50))
def test_a_decoded_code_is_within_half_a_step_and_zero_stays_zero(codes: list[float]) -> None:
    wanted = np.array([0.0, *codes], np.float32)
    result = codec().decode_codes(codec().encode_codes(wanted))
    assert (np.abs(result - wanted) <= 0.0116 * (wanted + 0.2)).all() and result[0] == 0
    assert (np.diff(result[np.argsort(wanted)]) >= 0).all()


@given(st.integers(0, 1000))
def test_a_decoded_scale_is_within_a_few_thousandths(seed: int) -> None:
    rng = np.random.default_rng(seed)
    profile, population = (
        Profile(60, rng.uniform(0, 5, F), *np.exp(rng.uniform(-4, 4, (2, F))), np.full(F, 60.0)) for _ in range(2)
    )
    wanted = deviation_scale(profile, population, KINDS, SPANS)
    result = codec().decode_scale(wanted.centre[None], codec().encode_variances(wanted)[:, None])
    assert np.array_equal(result.centre[0], wanted.centre)
    np.testing.assert_allclose(result.per_event[0], wanted.per_event, rtol=0.003, atol=1e-7)
    np.testing.assert_allclose(result.fixed[:, 0], wanted.fixed, rtol=0.003, atol=1e-7)
