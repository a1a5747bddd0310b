"""Sums and maxima over the last minutes, at every minute, by doubling.

A result depends only on the minutes of its span and on a fixed order of operations. So a series gives the same bits
whether it is processed whole, in blocks or minute by minute. Differences of running totals would not.
"""

from __future__ import annotations

import numpy as np

from faultprint.arrays import Float32Array


def trailing_sum(values: Float32Array, span: int) -> Float32Array:
    """(T, ...) sum over minutes t - span + 1 to t; fewer at the start."""
    return _trailing(values, span, np.add)


def trailing_max(values: Float32Array, span: int) -> Float32Array:
    """(T, ...) maximum over minutes t - span + 1 to t; fewer at the start."""
    return _trailing(values, span, np.maximum)


def reduce_window(values: Float32Array, combine: np.ufunc) -> Float32Array:
    """(...) the last minute of `trailing_sum` or `trailing_max` over a span of T. `values` (T, ...) is newest first, T > 0."""
    blocks = values
    result: Float32Array | None = None
    while len(blocks):
        if len(blocks) & 1:
            result = blocks[0] if result is None else combine(result, blocks[0])
            blocks = blocks[1:]
        blocks = combine(blocks[0::2], blocks[1::2])
    assert result is not None
    return result


def _trailing(values: Float32Array, span: int, combine: np.ufunc) -> Float32Array:
    """Combine spans of 1, 2, 4, … minutes, each from two of half its length, into one of `span`: O(T log span)."""
    if span < 1:
        raise ValueError(f"a span of {span} minutes is impossible; give a number above 0")
    block, size = values.copy(), 1
    result, covered = None, 0
    while True:
        if span & size:
            if result is None:
                result = block.copy()
            else:
                combine(result[covered:], block[: max(len(block) - covered, 0)], out=result[covered:])
            covered += size
        if size * 2 > span:
            break
        combine(block[size:], block[: max(len(block) - size, 0)], out=block[size:])
        size *= 2
    assert result is not None
    return result
