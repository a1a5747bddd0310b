"""Exact search for the nearest references, one window or many at once.

The distance is Euclidean. The distance to a condition is that to the nearest of its references; `normal`
always has one reference at the origin, because vectors arrive minus their node's normal mean.

A mild example of a fault may lie within what is usual for normal traffic, and would claim much of it. Its direction
tells what it is of, its length little, so that it is drawn out to where normal traffic seldom is.

How sure the nearest is says `doubt`: whether the others lie much further, rather than how far it lies itself. A window of a
fault that nobody has taught comes to lie between those that are known more often than far from all of them.
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
"""Squared distance that makes a condition e times less likely, in mean squared lengths of the references."""
_CELLS: Final = 4_000_000  # distances held at once, 16 MB of float32


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Per window the `distances` (N, C) to each condition, and the nearest and second nearest.

    `nearest` and `runner_up` are (N,) int64 indices into `conditions`; `runner_up` is -1 where there is but one
    condition. `doubt` is (N,) float32: 0 where one condition alone comes into question, 1 where all do alike; its scale is the
    system's own, and of others than Matcher it may go beyond 1.
    """

    conditions: tuple[str, ...]
    distances: Float32Array
    nearest: IntArray
    runner_up: IntArray
    uncertainty: Float32Array

    def part(self, chosen: BoolArray) -> Matches:
        """The windows `chosen` (N,) only."""
        return Matches(
            self.conditions,
            self.distances[chosen],
            self.nearest[chosen],
            self.runner_up[chosen],
            self.uncertainty[chosen],
        )

    def distance_to(self, condition: IntArray) -> Float32Array:
        """(N,) distances to one condition a window, NaN for -1."""
        rows = np.arange(len(condition))
        return np.where(condition >= 0, self.distances[rows, condition], np.float32(np.nan)).astype(np.float32)


def _entropy(chances: NDArray[np.floating]) -> Float32Array:
    """(N,) entropy of chances (N, C) of C conditions, over the most that it can be: 0 (certain) to 1 (all alike)."""
    most = np.log(max(chances.shape[1], 2))
    terms = chances * np.log(np.maximum(chances, np.finfo(np.float32).tiny))
    return np.asarray(-terms.sum(axis=1) / most, np.float32)


def _drawn_out(vectors: Float32Array, fault: BoolArray, least: float) -> Float32Array:
    """The vectors, those of a `fault` (R,) at `least` so long; one of length zero points nowhere and stays."""
    length = np.linalg.norm(vectors, axis=1)
    short = fault & (length > 0) & (length < least)
    factor = np.where(short, least / np.maximum(length, np.finfo(np.float32).tiny), 1.0)
    return np.asarray(vectors * factor[:, None], np.float32)


class Matcher:
    """References laid out for search: grouped by condition, `normal` first (the others by name)."""

    def __init__(self, vectors: Float32Array, conditions: Sequence[str], min_norm: float = 0.0) -> None:
        """`vectors` (R, D) float32 with R ≥ 0, and the condition of each; a fault's that is shorter is drawn out to `least`."""
        if vectors.ndim != 2 or len(vectors) != len(conditions):
            raise ValueError(f"{vectors.shape} vectors do not go with {len(conditions)} conditions")
        vectors = _drawn_out(vectors, np.array([name != NORMAL for name in conditions], np.bool_), min_norm)
        names = [NORMAL, *conditions]
        self.conditions: tuple[str, ...] = (NORMAL, *sorted({*conditions} - {NORMAL}))
        place = {name: index for index, name in enumerate(self.conditions)}
        codes = np.array([place[name] for name in names])
        order = np.argsort(codes, kind="stable")
        origin = np.zeros((1, vectors.shape[1]), np.float32)
        self._vectors = np.ascontiguousarray(np.vstack([origin, vectors])[order], dtype=np.float32)
        self._starts = np.searchsorted(codes[order], np.arange(len(self.conditions)))
        self._squares = np.einsum("rd,rd->r", self._vectors, self._vectors)
        self._heat = TEMPERATURE * float(np.einsum("rd,rd->r", vectors, vectors).mean()) if len(vectors) else 0.0

    @classmethod
    def from_references(cls, references: Sequence[Reference], dimensions: int, least: float = 0.0) -> Self:
        """The matcher of a library's references; `least` as above."""
        vectors = np.array([reference.vector for reference in references], np.float32).reshape(
            len(references), dimensions
        )
        return cls(vectors, [reference.condition for reference in references], least)

    def match(self, vectors: Float32Array) -> Matches:
        """Compare windows (N, D) with every reference; NaN rows give NaN distances."""
        distances = np.empty((len(vectors), len(self.conditions)), np.float32)
        step = max(1, _CELLS // len(self._vectors))
        for start in range(0, len(vectors), step):
            distances[start : start + step] = self._condition_distances(vectors[start : start + step])
        nearest, doubt = np.argmin(distances, axis=1), self._doubt(distances)
        if len(self.conditions) == 1:
            return Matches(self.conditions, distances, nearest, np.full(len(vectors), -1), doubt)
        others = distances.copy()
        others[np.arange(len(vectors)), nearest] = np.inf
        return Matches(self.conditions, distances, nearest, np.argmin(others, axis=1), doubt)

    def _doubt(self, distances: Float32Array) -> Float32Array:
        if not self._heat:
            return np.zeros(len(distances), np.float32)
        squares = distances * distances
        chances = np.exp((squares.min(axis=1, keepdims=True) - squares) / np.float32(self._heat))
        return _entropy(chances / chances.sum(axis=1, keepdims=True))

    def _condition_distances(self, vectors: Float32Array) -> Float32Array:
        # ‖v − r‖² = ‖v‖² + ‖r‖² − 2 v·r ranks by one matrix product; the few winners are then measured
        # directly, because that difference of large numbers loses digits where vectors nearly coincide.
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
