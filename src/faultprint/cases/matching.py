"""Exact search for the nearest references, for one window or many at once.

The distance is Euclidean. The distance to a condition is that to the nearest of its references. `normal` always has a
reference at the origin, because vectors are measured from their node's baseline.

A mild example of a fault may lie among normal windows, and would then attract many of them. Its direction tells the
fault and its length only the severity, so it is lengthened to where normal windows are rare.

The uncertainty tells whether other conditions are nearly as near, not how far the nearest is: a window of a fault that was
never enrolled usually lies between the known ones, not far from all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.cases.reference import Reference
from faultprint.tables import NORMAL

NORMAL_INDEX: Final = 0
TEMPERATURE: Final = 0.4
"""Softmax temperature: this squared distance, in mean squared reference lengths, makes a condition e times less likely."""
_CELLS: Final = 4_000_000  # distances held at once, 16 MB of float32


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Distances of N windows to C conditions.

    conditions   their names, `normal` first
    distances    (N, C) float32
    nearest      (N,) int64 index into the conditions
    runner_up    (N,) the same for the second nearest; -1 if there is one condition only
    uncertainty  (N,) float32: 0 if one condition stands out, 1 if all are equally near; other systems than Matcher have
                 their own scale, which may exceed 1
    scale        this squared distance makes a condition e times less likely, before calibration
    """

    conditions: tuple[str, ...]
    distances: Float32Array
    nearest: IntArray
    runner_up: IntArray
    uncertainty: Float32Array
    scale: float = 1.0

    def select(self, chosen: BoolArray) -> Matches:
        """Only the windows `chosen` (N,) bool."""
        return Matches(
            self.conditions,
            self.distances[chosen],
            self.nearest[chosen],
            self.runner_up[chosen],
            self.uncertainty[chosen],
            self.scale,
        )

    def distance_to(self, condition: IntArray) -> Float32Array:
        """(N,) the distance of each window to its condition (N,); NaN for -1."""
        rows = np.arange(len(condition))
        return np.where(condition >= 0, self.distances[rows, condition], np.float32(np.nan)).astype(np.float32)


def _entropy(probability: NDArray[np.floating]) -> Float32Array:
    """(N,) normalised entropy of probabilities (N, C): 0 (certain) to 1 (all equal)."""
    maximum = np.log(max(probability.shape[1], 2))
    terms = probability * np.log(np.maximum(probability, np.finfo(np.float32).tiny))
    return np.asarray(-terms.sum(axis=1) / maximum, np.float32)


def _rescale_short(vectors: Float32Array, fault: BoolArray, min_norm: float) -> Float32Array:
    """The vectors (R, D), those of a `fault` (R,) at least `min_norm` long. A zero vector has no direction and stays."""
    length = np.linalg.norm(vectors, axis=1)
    short = fault & (length > 0) & (length < min_norm)
    factor = np.where(short, min_norm / np.maximum(length, np.finfo(np.float32).tiny), 1.0)
    return np.asarray(vectors * factor[:, None], np.float32)


class Matcher:
    """References arranged for the search: grouped by condition, `normal` first, the others by name."""

    def __init__(self, vectors: Float32Array, conditions: Sequence[str], min_norm: float = 0.0) -> None:
        """`vectors` (R, D) float32 with R ≥ 0, and the condition of each. Those of faults are lengthened to `min_norm`."""
        if vectors.ndim != 2 or len(vectors) != len(conditions):
            raise ValueError(f"vectors of shape {vectors.shape} do not match {len(conditions)} conditions")
        vectors = _rescale_short(vectors, np.array([name != NORMAL for name in conditions], np.bool_), min_norm)
        names = [NORMAL, *conditions]
        self.conditions: tuple[str, ...] = (NORMAL, *sorted({*conditions} - {NORMAL}))
        code_of = {name: code for code, name in enumerate(self.conditions)}
        codes = np.array([code_of[name] for name in names])
        order = np.argsort(codes, kind="stable")
        origin = np.zeros((1, vectors.shape[1]), np.float32)
        self._vectors = np.ascontiguousarray(np.vstack([origin, vectors])[order], dtype=np.float32)
        self._starts = np.searchsorted(codes[order], np.arange(len(self.conditions)))
        self._squares = np.einsum("rd,rd->r", self._vectors, self._vectors)
        squared_lengths = np.einsum("rd,rd->r", vectors, vectors)
        self._temperature = TEMPERATURE * float(squared_lengths.mean()) if len(vectors) else 0.0

    @classmethod
    def from_references(cls, references: Sequence[Reference], dimensions: int, min_norm: float = 0.0) -> Self:
        """The matcher of a library's references of D `dimensions`."""
        vectors = np.array([reference.vector for reference in references], np.float32).reshape(
            len(references), dimensions
        )
        return cls(vectors, [reference.condition for reference in references], min_norm)

    def match(self, vectors: Float32Array) -> Matches:
        """Compare windows (N, D) with every reference; NaN rows give NaN distances."""
        distances = np.empty((len(vectors), len(self.conditions)), np.float32)
        step = max(1, _CELLS // len(self._vectors))
        for start in range(0, len(vectors), step):
            distances[start : start + step] = self._condition_distances(vectors[start : start + step])
        nearest, uncertainty = np.argmin(distances, axis=1), self._uncertainty(distances)
        if len(self.conditions) == 1:
            return Matches(
                self.conditions, distances, nearest, np.full(len(vectors), -1), uncertainty, self._temperature or 1.0
            )
        others = distances.copy()
        others[np.arange(len(vectors)), nearest] = np.inf
        runner_up = np.argmin(others, axis=1)
        return Matches(self.conditions, distances, nearest, runner_up, uncertainty, self._temperature or 1.0)

    def _uncertainty(self, distances: Float32Array) -> Float32Array:
        if not self._temperature:
            return np.zeros(len(distances), np.float32)
        squares = distances * distances
        likelihood = np.exp((squares.min(axis=1, keepdims=True) - squares) / np.float32(self._temperature))
        return _entropy(likelihood / likelihood.sum(axis=1, keepdims=True))

    def _condition_distances(self, vectors: Float32Array) -> Float32Array:
        # ‖v − r‖² = ‖v‖² + ‖r‖² − 2 v·r ranks by one matrix product. The winners are then measured
        # directly: the difference of large numbers loses digits if vectors nearly coincide.
        scores = vectors @ self._vectors.T
        scores *= -2
        scores += self._squares
        result = np.empty((len(vectors), len(self.conditions)), np.float32)
        rows = np.arange(len(vectors))
        for index, start in enumerate(self._starts):
            end = self._starts[index + 1] if index + 1 < len(self._starts) else len(self._vectors)
            winner = start + np.argmin(scores[rows, start:end], axis=1)
            difference = vectors - self._vectors[winner]
            result[:, index] = np.sqrt(np.einsum("nd,nd->n", difference, difference))
        return result
