"""Probabilities: they sum to one, follow the distances, and are calibrated where there are labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from faultprint.cases.matching import Matcher, Matches
from faultprint.cases.probability import fit_sharpness, probabilities, probability_of

CENTRES = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]], np.float32)


def windows(spread: float, seed: int) -> tuple[Matches, np.ndarray]:
    """Windows around normal and two faults, the wider the less certain."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, 3000)
    vectors = CENTRES[truth] + rng.normal(0, spread, (3000, 2)).astype(np.float32)
    return Matcher(CENTRES[1:], ["a", "b"]).match(vectors.astype(np.float32)), truth


@given(arrays(np.float32, (5, 2), elements=st.floats(-9, 9, width=32)), st.floats(0.05, 50))
def test_they_sum_to_one_and_the_nearest_is_the_most_probable(vectors: np.ndarray, sharpness: float) -> None:
    matches = Matcher(CENTRES[1:], ["a", "b"]).match(vectors)
    found = probabilities(matches, sharpness)
    assert found.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-6)
    assert (found[np.arange(5), matches.nearest] >= found.max(axis=1) - 1e-9).all()


@pytest.mark.parametrize("spread", [0.7, 1.5, 3.0])
def test_of_windows_with_a_probability_of_p_the_share_p_is_right(spread: float) -> None:
    sharpness = fit_sharpness([windows(spread, seed=1)])
    matches, truth = windows(spread, seed=2)
    found = probabilities(matches, sharpness)
    said, right = found.max(axis=1), found.argmax(axis=1) == truth
    assert abs(float(said.mean()) - float(right.mean())) < 0.03
    unsure = (said > 0.5) & (said < 0.8)
    if unsure.sum() > 200:
        assert abs(float(said[unsure].mean()) - float(right[unsure].mean())) < 0.08


def test_without_a_label_nothing_is_fitted_and_without_a_condition_there_is_none() -> None:
    matches, truth = windows(1.0, seed=3)
    assert fit_sharpness([]) == fit_sharpness([(matches, np.full_like(truth, -1))]) == 1.0
    assert np.isnan(probability_of(matches, np.full_like(truth, -2), 1.0)).all()


def test_a_rare_condition_counts_as_much_as_a_frequent_one() -> None:
    matches, truth = windows(1.5, seed=4)
    rare = (truth != 1) | (np.arange(len(truth)) % 50 == 0)
    both = [fit_sharpness([(matches, truth)]), fit_sharpness([(matches.select(rare), truth[rare])])]
    assert both[0] == pytest.approx(both[1], rel=0.5)
