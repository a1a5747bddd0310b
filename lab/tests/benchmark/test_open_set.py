from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultprint_lab.benchmark.open_set import RECALL, open_set

Window = tuple[int, str]
windows = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from(["normal", "known", "new", "newer"])), min_size=1, max_size=30
)


def brute_force(given_windows: list[Window], unknown: set[str]) -> tuple[float, float]:
    """By every pair, and by every threshold."""
    count = {word: sum(other == word for _, other in given_windows) for _, word in given_windows}
    new = [(score, 1 / count[word]) for score, word in given_windows if word in unknown]
    old = [(score, 1 / count[word]) for score, word in given_windows if word not in unknown]
    won = sum(a * b * (1.0 if s > t else 0.5 if s == t else 0.0) for s, a in new for t, b in old)
    whole_new, whole_old = sum(a for _, a in new), sum(b for _, b in old)
    for threshold in sorted({score for score, _ in given_windows}, reverse=True):
        if sum(a for s, a in new if s >= threshold) / whole_new >= RECALL - 1e-9:
            return won / whole_new / whole_old, sum(b for t, b in old if t >= threshold) / whole_old
    raise AssertionError


@given(windows)
def test_figures_equal_a_search_over_pairs_and_thresholds(drawn: list[Window]) -> None:
    unknown = {"new", "newer"}
    words = {word for _, word in drawn}
    scores = np.array([score for score, _ in drawn], np.float64)
    found = open_set(scores, np.array([word for _, word in drawn], dtype=object), frozenset(unknown))
    if not words & unknown or words <= unknown:
        assert found is None
    else:
        assert found is not None
        assert (found.auroc, found.fpr95) == pytest.approx(brute_force(drawn, unknown))
