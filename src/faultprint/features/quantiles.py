"""Nearest-rank quantiles of integers in groups.

The q-quantile of n values is the ceil(q·n)-th smallest. It is one of the values, so neither the order of rows nor a
platform's arithmetic can change it, and live computation gives the same result.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import numpy as np

from faultprint.arrays import IntArray

MEDIAN: Final = Fraction(1, 2)
P95: Final = Fraction(19, 20)
NO_VALUE: Final = -1


def nearest_rank_quantiles(group: IntArray, value: IntArray, groups: int, *shares: Fraction) -> IntArray:
    """(len(shares), groups) int64: the quantiles of each group, NO_VALUE for a group without values.

    group    (n,) in 0 … groups - 1
    value    (n,) not negative
    shares   the quantiles wanted, above 0 and at most 1
    """
    ordered = _sorted_by_group(group, value)
    count = np.bincount(group, minlength=groups)
    begin = np.cumsum(count) - count
    result = np.full((len(shares), groups), NO_VALUE, dtype=np.int64)
    filled = np.flatnonzero(count)
    for index, share in enumerate(shares):
        rank = -(-count[filled] * share.numerator // share.denominator)
        result[index, filled] = ordered[begin[filled] + rank - 1]
    return result


def _sorted_by_group(group: IntArray, value: IntArray) -> IntArray:
    """The values by group, ascending within it."""
    if not len(value):
        return value
    bits = int(value.max()).bit_length()
    if int(group.max()).bit_length() + bits > 63:
        return value[np.lexsort((value, group))]
    # One sort of packed integers is several times faster than a sort by two keys.
    packed = (group << bits) | value
    packed.sort()
    packed &= (1 << bits) - 1
    return packed
