"""Which minutes are given as a node's normal."""

from __future__ import annotations

import numpy as np
import pytest

from faultprint_lab.benchmark.data.scopes import _last

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
def test_a_stretch_is_in_a_row_where_there_is_one(count: int, expected: list[int]) -> None:
    assert _last(SCATTERED, count).tolist() == expected


def test_a_day_need_not_be_in_a_row() -> None:
    minutes = np.delete(np.arange(2000), 1990)
    assert _last(minutes, 1440).tolist() == minutes[-1440:].tolist()
