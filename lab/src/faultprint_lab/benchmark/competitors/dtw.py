"""Dynamic time warping of every window of a series to some reference windows, within a band.

Windows of one series share their minutes. So every local cost, the squared Euclidean distance of two minutes, is computed
once by a matrix product, and the recursion runs over all windows at the same time.
Sakoe, Chiba: Dynamic programming algorithm optimization for spoken word recognition, IEEE TASSP 26 (1978).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint.arrays import Float32Array, IntArray

BAND: Final = 5
"""Minutes by which a path may leave the diagonal."""
_BATCH: Final = 1024
"""Windows in one batch, to limit the memory."""


def dtw_distances(minutes: Float32Array, ends: IntArray, references: Float32Array, band: int = BAND) -> Float32Array:
    """(N, R) float32 DTW distances of the windows that end at `ends` to `references` (R, W, F).

    `minutes` is (T, F). A window that begins before the first minute is filled up with zeros. The distance is the square root
    of the smallest sum of squared distances along a path that advances by one minute in one or both windows.
    """
    count, window, width = references.shape
    padded = np.concatenate([np.zeros((window - 1, width), np.float32), minutes])
    flat = references.reshape(-1, width)
    cost = np.maximum((padded**2).sum(1)[:, None] - 2 * padded @ flat.T + (flat**2).sum(1)[None], 0)
    cost = cost.reshape(len(padded), count, window)
    squared = np.empty((len(ends), count), np.float32)
    for start in range(0, len(ends), _BATCH):
        chosen = ends[start : start + _BATCH]
        squared[start : start + _BATCH] = _paths(cost, chosen, window, band)
    return np.sqrt(squared)


def _paths(cost: Float32Array, first: IntArray, window: int, band: int) -> Float32Array:
    """(N, R) sums along the best paths; minute i of window n is row `first[n]` + i of `cost` (T, R, W)."""
    shape = (window + 2 * band + 2, len(first), cost.shape[1])
    # Column j is at j + band + 1; everything outside the band or before the first minute is infinite.
    above = np.full(shape, np.inf, np.float32)
    above[band] = 0
    for i in range(window):
        row = np.full(shape, np.inf, np.float32)
        row_cost = cost[first + i]
        for j in range(max(0, i - band), min(window, i + band + 1)):
            column = j + band + 1
            best = np.minimum(np.minimum(above[column], above[column - 1]), row[column - 1])
            row[column] = best + row_cost[:, :, j]
        above = row
    return np.asarray(above[window + band])
