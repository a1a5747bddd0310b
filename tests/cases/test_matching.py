"""The search compared with a slow loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultprint.cases import matching
from faultprint.cases.matching import Matcher


@given(st.integers(0, 2**32 - 1), st.integers(0, 30), st.integers(1, 6), st.integers(1, 20))
@settings(max_examples=80)
def test_the_search_equals_a_loop(seed: int, references: int, dimensions: int, windows: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(references, dimensions)).astype(np.float32)
    names = [str(name) for name in rng.choice(["a", "b", "c", "normal"], references)]
    queries = rng.normal(size=(windows, dimensions)).astype(np.float32)
    matches = Matcher(vectors, names).match(queries)

    assert matches.conditions == ("normal", *sorted({*names} - {"normal"}))
    for row, query in enumerate(queries.astype(np.float64)):
        distances = {"normal": float(np.linalg.norm(query))}
        for vector, name in zip(vectors, names, strict=True):
            distances[name] = min(distances.get(name, np.inf), float(np.linalg.norm(query - vector)))
        expected = [distances[name] for name in matches.conditions]
        assert matches.distances[row] == pytest.approx(expected, rel=1e-5, abs=1e-6)
        ranked = sorted(distances, key=lambda name: distances[name])
        assert matches.conditions[matches.nearest[row]] == ranked[0]
        if len(ranked) > 1:
            assert matches.conditions[matches.runner_up[row]] == ranked[1]
        else:
            assert matches.runner_up[row] == -1


def test_a_window_equal_to_its_reference_is_at_distance_zero() -> None:
    vectors = np.full((3, 32), 1000.0, np.float32) + np.arange(3, dtype=np.float32)[:, None]
    matches = Matcher(vectors, ["a", "b", "c"]).match(vectors)
    assert [matches.conditions[index] for index in matches.nearest] == ["a", "b", "c"]
    assert (matches.distances[np.arange(3), matches.nearest] == 0).all()


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    matcher = Matcher(rng.normal(size=(20, 4)).astype(np.float32), ["a", "b"] * 10)
    queries = rng.normal(size=(50, 4)).astype(np.float32)
    whole = matcher.match(queries)
    monkeypatch.setattr(matching, "_CELLS", 100)
    assert np.allclose(matcher.match(queries).distances, whole.distances)


def test_the_distance_to_no_condition_is_nan() -> None:
    matches = Matcher(np.zeros((0, 2), np.float32), []).match(np.ones((1, 2), np.float32))
    assert matches.distance_to(matches.nearest) == pytest.approx([2**0.5])
    assert np.isnan(matches.distance_to(matches.runner_up)).all()


def test_uncertainty_tells_how_near_the_other_conditions_are() -> None:
    matcher = Matcher(np.array([[2, 0], [0, 2]], np.float32), ["a", "b"])
    between, at_a, far = matcher.match(np.array([[1, 1], [2, 0], [20, 0]], np.float32)).uncertainty
    assert between == pytest.approx(1)  # as far from both as from normal
    # Squared distances 0, 4 and 8, at a temperature of 0.4 · 4.
    likelihood = np.exp([-0.0, -4 / 1.6, -8 / 1.6])
    likelihood /= likelihood.sum()
    assert at_a == pytest.approx(-(likelihood * np.log(likelihood)).sum() / np.log(3), abs=1e-6)
    assert 0 <= far < 1e-6
    assert Matcher(np.zeros((0, 2), np.float32), []).match(np.ones((1, 2), np.float32)).uncertainty.tolist() == [0]


def test_a_short_reference_is_lengthened_to_where_normal_windows_are_rare() -> None:
    vectors = np.array([[0.1, 0], [0, 3], [0, -0.1]], np.float32)
    found = Matcher(vectors, ["a", "b", "normal"], 1.0).match(
        np.array([[0.2, 0], [1, 0], [0, 3], [0, -0.1]], np.float32)
    )
    assert [found.conditions[index] for index in found.nearest] == ["normal", "a", "b", "normal"]
    assert found.distances[np.arange(4), found.nearest] == pytest.approx([0.2, 0, 0, 0], abs=1e-6)


def test_a_reference_of_length_zero_has_no_direction_and_stays() -> None:
    found = Matcher(np.zeros((1, 2), np.float32), ["a"], 1.0).match(np.ones((1, 2), np.float32))
    assert found.distances.tolist() == [pytest.approx([2**0.5] * 2)]
