"""The figure that training steers by: macro-F1 of the nearest reference, on networks held out."""

from __future__ import annotations

import numpy as np

from faultprint.arrays import Float32Array, IntArray
from faultprint.training.data.dataset import NORMAL_CODE


def references(vectors: Float32Array, code: IntArray, conditions: int) -> Float32Array:
    """(K, D) mean vector of every condition; the origin for normal, NaN for a fault without a vector.

    `vectors` (N, D) come minus their node's normal mean.
    """
    result = np.full((conditions, vectors.shape[1]), np.nan, dtype=np.float32)
    for one in np.unique(code):
        result[one] = vectors[code == one].mean(axis=0)
    result[NORMAL_CODE] = 0
    return result


def nearest(vectors: Float32Array, known: Float32Array) -> IntArray:
    """(N,) index of the reference of `known` (K, D) that is nearest to every vector; rows of NaN are never nearest."""
    usable = np.flatnonzero(~np.isnan(known).any(axis=1))
    points = known[usable]
    distance = (points**2).sum(1)[None] - 2 * vectors @ points.T
    chosen: IntArray = usable[np.argmin(distance, axis=1)]
    return chosen


def macro_f1(truth: IntArray, said: IntArray) -> float:
    """Mean F1 over the conditions that occur in `truth`."""
    scores = []
    for one in np.unique(truth):
        hit = np.count_nonzero((truth == one) & (said == one))
        scores.append(2 * hit / (np.count_nonzero(truth == one) + np.count_nonzero(said == one)))
    return float(np.mean(scores)) if scores else 0.0
