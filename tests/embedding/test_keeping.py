"""A byte a number: how far off what comes back is, at most."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from faultprint.embedding.codecs import Int8Codec
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.windows.levels import Kinds
from faultprint.windows.normalise import Scale, scale
from faultprint.windows.profile import Profile

F = len(SIP_CATALOGUE)
KINDS = Kinds.of(SIP_CATALOGUE)
SPANS = (1, 10, 30)
RING = max(SPANS)
SLOTS = np.arange(RING)


def keeping() -> Int8Codec:
    return Int8Codec(KINDS, SPANS)


def measure(seed: int) -> Scale:
    rng = np.random.default_rng(seed)
    spread = np.exp(rng.uniform(np.log(0.01), np.log(2), (1, F))).astype(np.float32)
    return Scale(rng.uniform(0, 8, F).astype(np.float32), np.zeros(F, np.float32), spread**2)


def levels(values: np.ndarray) -> np.ndarray:
    return np.where(KINDS.count, np.log1p(np.where(KINDS.count, values, 0)), values)


def minute_of(levels: np.ndarray) -> np.ndarray:
    """The values that have these levels."""
    values = levels.copy()
    values[:, KINDS.count] = np.expm1(levels[:, KINDS.count])
    return values.astype(np.float32)


@given(st.integers(0, 1000), st.sampled_from([0.0, 0.1, 1.0, 10.0, 300.0]))
def test_a_value_comes_back_within_half_a_step(seed: int, far: float) -> None:
    own, rng = measure(seed), np.random.default_rng(seed)
    sigma = np.sqrt(own.fixed[0])
    level = own.centre + far * sigma * rng.normal(size=(RING, F))
    values = minute_of(np.where(KINDS.count, np.clip(level, 0, 20), level))
    found = keeping().values_of(keeping().values(values, SLOTS, own), SLOTS, own)
    wanted = levels(values)
    bound = 0.02 * sigma + 0.041 * np.abs(wanted - own.centre) + 1e-4 * np.abs(wanted)
    assert (np.abs(levels(found) - wanted) <= bound).all()


@given(st.integers(0, 1000))
def test_a_value_that_never_changes_comes_back_nearer_in_the_mean_of_ten_minutes(seed: int) -> None:
    own, rng = measure(seed), np.random.default_rng(seed)
    sigma = np.sqrt(own.fixed[0])
    values = np.broadcast_to(own.centre + sigma * rng.uniform(0, 3, F), (RING, F)).astype(np.float32)
    values = minute_of(values)
    found = levels(keeping().values_of(keeping().values(values, SLOTS, own), SLOTS, own)) - levels(values)
    plain = ~KINDS.count
    one, ten = np.abs(found)[:, plain] / sigma[plain], np.abs(found[:10].mean(axis=0))[plain] / sigma[plain]
    assert ten.mean() < one.mean() / 3


def test_what_is_missing_stays_missing_and_nothing_else_is() -> None:
    own = measure(1)
    values = np.full((RING, F), np.nan, np.float32)
    values[:, ::2] = 1e30
    found = keeping().values_of(keeping().values(values, SLOTS, own), SLOTS, own)
    assert np.array_equal(np.isnan(found), np.isnan(values)) and np.isfinite(found[:, ::2]).all()


@given(st.lists(st.floats(0, 64, width=32), min_size=1, max_size=50))
def test_a_code_comes_back_within_half_a_step_and_nothing_as_nothing(codes: list[float]) -> None:
    wanted = np.array([0.0, *codes], np.float32)
    found = keeping().codes_of(keeping().codes(wanted))
    assert (np.abs(found - wanted) <= 0.0116 * (wanted + 0.2)).all() and found[0] == 0
    assert (np.diff(found[np.argsort(wanted)]) >= 0).all()


@given(st.integers(0, 1000))
def test_a_scale_comes_back_within_a_few_thousandths(seed: int) -> None:
    rng = np.random.default_rng(seed)
    own, people = (
        Profile(60, rng.uniform(0, 5, F), *np.exp(rng.uniform(-4, 4, (2, F))), np.full(F, 60.0)) for _ in range(2)
    )
    wanted = scale(own, people, KINDS, SPANS)
    found = keeping().scale_of(wanted.centre[None], keeping().variances_in(wanted)[:, None])
    assert np.array_equal(found.centre[0], wanted.centre)
    np.testing.assert_allclose(found.per_event[0], wanted.per_event, rtol=0.003, atol=1e-7)
    np.testing.assert_allclose(found.fixed[:, 0], wanted.fixed, rtol=0.003, atol=1e-7)
