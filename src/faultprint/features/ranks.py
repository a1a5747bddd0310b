"""Nearest-rank quantiles of integers in groups.

The q-quantile of n values is the ceil(q·n)-th smallest: one of the values themselves, so that neither the order of
rows nor the arithmetic of a platform can change it, and a live computation finds the same.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import numpy as np

from faultprint.arrays import IntArray

MEDIAN: Final = Fraction(1, 2)
P95: Final = Fraction(19, 20)
NO_VALUE: Final = -1


def quantiles(group: IntArray, value: IntArray, groups: int, *shares: Fraction) -> IntArray:
    """(len(shares), groups) int64: each group's nearest-rank quantiles, NO_VALUE for a group without values.

    `group` is (n,) in 0 … groups − 1, `value` (n,) not negative.
    """
    ordered = _ordered(group, value)
    count = np.bincount(group, minlength=groups)
    begin = np.cumsum(count) - count
    found = np.full((len(shares), groups), NO_VALUE, dtype=np.int64)
    filled = np.flatnonzero(count)
    for index, share in enumerate(shares):
        rank = -(-count[filled] * share.numerator // share.denominator)
        found[index, filled] = ordered[begin[filled] + rank - 1]
    return found


def _ordered(group: IntArray, value: IntArray) -> IntArray:
    """The values by group, ascending within it."""
    if not len(value):
        return value
    bits = int(value.max()).bit_length()
    if int(group.max()).bit_length() + bits > 63:
        return value[np.lexsort((value, group))]
    # One sort of packed words is several times faster than a sort by two keys.
    packed = (group << bits) | value
    packed.sort()
    packed &= (1 << bits) - 1
    return packed
