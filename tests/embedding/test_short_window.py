"""Vectors of short windows equal those of a series of these minutes only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultprint.embedding.model import Model
from faultprint.embedding.model_file import ModelArtifact
from faultprint.errors import ModelError
from faultprint.windows.series import Series

from .conftest import random_traffic


@pytest.fixture(scope="module")
def pooled_model(pooled: ModelArtifact) -> Model:
    return Model(pooled)


@settings(max_examples=30)
@given(seed=st.integers(0, 99), minutes=st.integers(10, 20), gap=st.integers(50, 90))
def test_a_vector_equals_that_of_a_series_of_these_minutes(
    pooled_model: Model, seed: int, minutes: int, gap: int
) -> None:
    series = random_traffic(120, seed, slice(gap, gap + 4))
    profile = pooled_model.profile(series)
    ends = np.flatnonzero(series.observed)[minutes - 1 :: 7]
    vectors = pooled_model.embed_short_windows(series, profile, ends, minutes)
    for end, vector in zip(ends, vectors, strict=True):
        part = series.slice(end - minutes + 1, end + 1)
        alone = pooled_model.embed(part, profile, ends=np.array([minutes - 1]), min_minutes=1).vectors
        # `embed` makes no vector of fewer than 10 minutes.
        if len(alone):
            np.testing.assert_allclose(vector, alone[0], atol=1e-5)


def test_minutes_before_the_window_do_not_count(pooled_model: Model, traffic: Callable[..., Series]) -> None:
    series = traffic(100)
    profile, ends = pooled_model.profile(series), np.array([60, 99])
    before = pooled_model.embed_short_windows(series, profile, ends, 6)
    series.values[:54] = np.nan
    np.testing.assert_array_equal(pooled_model.embed_short_windows(series, profile, ends, 6), before)
    series.values[55] = np.nan
    after = pooled_model.embed_short_windows(series, profile, ends, 6)
    assert (after[0] != before[0]).any() and (after[1] == before[1]).all()


def test_too_few_minutes_have_no_vector(pooled_model: Model, traffic: Callable[..., Series]) -> None:
    series = traffic(100, gap=slice(90, 94))
    vectors = pooled_model.embed_short_windows(series, pooled_model.profile(series), np.array([2, 3, 94, 96, 99]), 8)
    assert np.isnan(vectors).all(axis=1).tolist() == [True, False, False, False, False]
    vectors = pooled_model.embed_short_windows(series, pooled_model.profile(series), np.array([94]), 6)
    assert np.isnan(vectors).all()


def test_a_recurrent_encoder_is_refused(recurrent: ModelArtifact, traffic: Callable[..., Series]) -> None:
    model, series = Model(recurrent), traffic(80)
    with pytest.raises(ModelError, match="whole windows"):
        model.embed_short_windows(series, model.profile(series), np.array([70]))
