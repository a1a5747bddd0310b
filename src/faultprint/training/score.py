"""Figures of merit of an embedding: macro-F1 of the nearest centroid, and the effective rank."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from faultprint.arrays import Float32Array, IntArray
from faultprint.training.data.dataset import NORMAL_CODE


def centroids(vectors: Float32Array, code: IntArray, conditions: int) -> Float32Array:
    """(K, D) mean vector of every condition: the origin for normal, NaN for a fault without vectors.

    `vectors` (N, D) are relative to the normal mean of their node, `code` (N,) are their condition codes.
    """
    result = np.full((conditions, vectors.shape[1]), np.nan, dtype=np.float32)
    for condition in np.unique(code):
        result[condition] = vectors[code == condition].mean(axis=0)
    result[NORMAL_CODE] = 0
    return result


def nearest_centroid(vectors: Float32Array, known: Float32Array) -> IntArray:
    """(N,) index of the row of `known` (K, D) that is nearest to each of `vectors` (N, D). Rows of NaN are ignored."""
    usable = np.flatnonzero(~np.isnan(known).any(axis=1))
    points = known[usable]
    distance = (points**2).sum(1)[None] - 2 * vectors @ points.T
    chosen: IntArray = usable[np.argmin(distance, axis=1)]
    return chosen


def macro_f1(truth: IntArray, predicted: IntArray) -> float:
    """Mean of the F1 of all conditions that occur in `truth` (N,)."""
    scores = []
    for condition in np.unique(truth):
        hits = np.count_nonzero((truth == condition) & (predicted == condition))
        total = np.count_nonzero(truth == condition) + np.count_nonzero(predicted == condition)
        scores.append(2 * hits / total)
    return float(np.mean(scores)) if scores else 0.0


def effective_rank(vectors: npt.NDArray[Any]) -> float:
    """Number of dimensions that (N, D) vectors use: 1 for a line, D for a ball, 0 if all vectors are equal.

    It is the participation ratio (Σλ)² / Σλ² of the eigenvalues of the covariance. A collapse of the embedding shows here first.
    """
    centred = np.asarray(vectors, dtype=np.float64) - np.mean(vectors, axis=0, dtype=np.float64)
    eigenvalues = np.linalg.svd(centred, compute_uv=False) ** 2
    total = float(eigenvalues.sum())
    return total**2 / float((eigenvalues**2).sum()) if total > 0 else 0.0
