"""Rolling windows and trailing sums against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultprint.windows.rolling import rolling_windows
from faultprint.windows.trailing import trailing_max, trailing_sum


@given(st.integers(0, 30), st.integers(1, 8), st.integers(1, 7))
def test_rolling_equals_slices(minutes: int, window: int, batch: int) -> None:
    values = np.arange(minutes * 2, dtype=np.float32).reshape(minutes, 2)
    parts = list(rolling_windows(values, window, batch=batch))
    ends = [int(end) for chosen, _ in parts for end in chosen]
    assert ends == list(range(window - 1, minutes))
    assert all(len(windows) <= batch for _, windows in parts)
    for chosen, windows in parts:
        for end, result in zip(chosen, windows, strict=True):
            assert np.array_equal(result, values[end - window + 1 : end + 1])


def test_rolling_at_chosen_ends_only() -> None:
    values = np.arange(20, dtype=np.float32)[:, None]
    ((ends, windows),) = rolling_windows(values, 5, ends=np.array([7, 4]))
    assert ends.tolist() == [7, 4]
    assert windows[:, :, 0].tolist() == [[3, 4, 5, 6, 7], [0, 1, 2, 3, 4]]
    with pytest.raises(ValueError, match="must end at"):
        next(rolling_windows(values, 5, ends=np.array([3])))


@given(st.lists(st.integers(-50, 50), max_size=80), st.integers(1, 70))
def test_trailing_equals_a_loop(numbers: list[int], span: int) -> None:
    values = np.array(numbers, dtype=np.float32)
    parts = [values[max(i - span + 1, 0) : i + 1] for i in range(len(values))]
    assert trailing_sum(values, span).tolist() == [part.sum() for part in parts]
    assert trailing_max(values, span).tolist() == [part.max() for part in parts]


@given(st.integers(0, 40), st.integers(1, 30))
def test_trailing_sums_are_the_same_bits_from_any_start(start: int, span: int) -> None:
    values = np.random.default_rng(span).normal(size=100).astype(np.float32)
    whole = trailing_sum(values, span)[start + span - 1 :]
    assert np.array_equal(whole, trailing_sum(values[start:], span)[span - 1 :])
