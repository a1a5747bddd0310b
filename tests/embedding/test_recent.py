"""The last minutes by themselves: the vectors of a series that begins with them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultprint.embedding.model import Model
from faultprint.embedding.model_file import ModelArtifact
from faultprint.embedding.short_window import embed_short_windows
from faultprint.errors import ModelError
from faultprint.windows.series import Series

from .conftest import random_traffic


@pytest.fixture(scope="module")
def pooled_model(pooled: ModelArtifact) -> Model:
    return Model(pooled)


@settings(max_examples=30)
@given(seed=st.integers(0, 99), minutes=st.integers(10, 20), gap=st.integers(50, 90))
def test_they_are_those_of_a_series_that_begins_there(pooled_model: Model, seed: int, minutes: int, gap: int) -> None:
    series = random_traffic(120, seed, slice(gap, gap + 4))
    own = pooled_model.profile(series)
    ends = np.flatnonzero(series.observed)[minutes - 1 :: 7]
    vectors = embed_short_windows(pooled_model, series, own, ends, minutes)
    for end, vector in zip(ends, vectors, strict=True):
        part = series.part(end - minutes + 1, end + 1)
        alone = pooled_model.embed(part, own, ends=np.array([minutes - 1]), shortest=1).vectors
        # Ten minutes is the least that `embed` makes a vector of.
        if len(alone):
            np.testing.assert_allclose(vector, alone[0], atol=1e-5)


def test_nothing_before_them_counts(pooled_model: Model, traffic: Callable[..., Series]) -> None:
    series = traffic(100)
    own, ends = pooled_model.profile(series), np.array([60, 99])
    before = embed_short_windows(pooled_model, series, own, ends, 6)
    series.values[:54] = np.nan
    np.testing.assert_array_equal(embed_short_windows(pooled_model, series, own, ends, 6), before)
    series.values[55] = np.nan
    after = embed_short_windows(pooled_model, series, own, ends, 6)
    assert (after[0] != before[0]).any() and (after[1] == before[1]).all()


def test_too_few_minutes_have_no_vector(pooled_model: Model, traffic: Callable[..., Series]) -> None:
    series = traffic(100, gap=slice(90, 94))
    vectors = embed_short_windows(pooled_model, series, pooled_model.profile(series), np.array([2, 3, 94, 96, 99]), 8)
    assert np.isnan(vectors).all(axis=1).tolist() == [True, False, False, False, False]
    vectors = embed_short_windows(pooled_model, series, pooled_model.profile(series), np.array([94]), 6)
    assert np.isnan(vectors).all()


def test_a_recurrent_encoder_is_refused(posts: ModelArtifact, traffic: Callable[..., Series]) -> None:
    model, series = Model(posts), traffic(80)
    with pytest.raises(ModelError, match="whole windows"):
        embed_short_windows(model, series, model.profile(series), np.array([70]))
