"""Which minutes are chosen as a node's normal minutes."""

from __future__ import annotations

import numpy as np
import pytest

from faultprint_lab.benchmark.data.scopes import latest_minutes

SCATTERED = np.array([0, 1, 2, 3, 4, 10, 11, 12, 20, 21, 30])


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, []),
        (2, [20, 21]),  # the last two in a row, though 30 is later
        (3, [10, 11, 12]),
        (5, [0, 1, 2, 3, 4]),
        (6, [4, 10, 11, 12, 20, 21, 30][-6:]),  # nowhere in a row: the last there are
    ],
)
def test_minutes_are_consecutive_where_possible(count: int, expected: list[int]) -> None:
    assert latest_minutes(SCATTERED, count).tolist() == expected


def test_a_day_need_not_be_consecutive() -> None:
    minutes = np.delete(np.arange(2000), 1990)
    assert latest_minutes(minutes, 1440).tolist() == minutes[-1440:].tolist()
