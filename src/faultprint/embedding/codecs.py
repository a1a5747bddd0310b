"""How lanes keep what they keep: as it is, or in a byte a number.

In bytes a minute's value is kept as its distance from what is normal for the node, in the node's own spreads σ: steps of
0.04 σ near normal, of 8 % far from it, nothing beyond 5000 σ. What is rounded is moved by a part of a step first, and back
afterwards, another in each of the ring's minutes, so that a value that never changes is not off by as much, and to the same
side, in all of them: a trailing mean is nearer than a minute. A code, which is not negative, is kept in steps of 0.005 near
0, of 2.3 % far from it, nothing beyond 64. A variance is kept as its root, in half precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from faultprint.arrays import Float32Array, IntArray
from faultprint.windows.levels import Kinds
from faultprint.windows.normalise import Scale

Packed = npt.NDArray[Any]


class BufferCodec(Protocol):
    """Packs minutes' values and codes and nodes' scales, and unpacks them; shapes stay as they are.

    Values are as `windows.levels.scaled` gives them, NaN where there is none. `slots` (M,) are the values' places (M, ..., F)
    in their ring; `measure` is that of their nodes.
    """

    name: str
    kept: np.dtype[Any]
    """Of values and codes."""
    missing: float
    """What is kept of a value that is not there; of a code it is 0."""
    measured: np.dtype[Any]
    """Of the variances of a scale."""
    variances: int
    """V, how many there are of a feature."""

    def values(self, values: Float32Array, slots: IntArray, measure: Scale) -> Packed:
        """Values (M, ..., F) packed."""

    def values_of(self, kept: Packed, slots: IntArray, measure: Scale) -> Float32Array:
        """And unpacked."""

    def codes(self, codes: Float32Array) -> Packed:
        """Codes packed."""

    def codes_of(self, kept: Packed) -> Float32Array:
        """And unpacked."""

    def variances_in(self, scale: Scale) -> Packed:
        """(V, F) variances packed, of one node's scale."""

    def scale_of(self, centre: Float32Array, kept: Packed) -> Scale:
        """The scale of nodes with these centres (N, F) and packed variances (V, N, F)."""


class Float32Codec:
    """Everything in single precision, as it is."""

    name = "float32"
    kept: np.dtype[Any] = np.dtype(np.float32)
    measured: np.dtype[Any] = np.dtype(np.float32)
    missing = np.nan

    def __init__(self, spans: Sequence[int]) -> None:
        self.variances = 1 + len(spans)

    def values(self, values: Float32Array, slots: IntArray, measure: Scale) -> Packed:
        return values

    values_of = values

    def codes(self, codes: Float32Array) -> Packed:
        return codes

    codes_of = codes

    def variances_in(self, scale: Scale) -> Packed:
        return np.concatenate([scale.per_event[None], scale.fixed])

    def scale_of(self, centre: Float32Array, kept: Packed) -> Scale:
        return Scale(centre, kept[0], kept[1:])


_SPREADS: Final = 0.5
"""σ up to which steps are even."""
_FURTHEST: Final = 5000.0
"""σ that can be told."""
_STEP: Final = float(np.arcsinh(_FURTHEST / _SPREADS)) / 127
_NARROWEST: Final = np.float32(1e-4)
"""Least σ, so that there is something to divide by."""
_HIGHEST: Final = np.float32(80)
"""Logarithm of a count that single precision can hold many of."""
_LINEAR: Final = 0.2
"""Code up to which steps are even."""
_LARGEST: Final = 64.0
"""Code that can be told."""
_CODE_STEP: Final = float(np.log1p(_LARGEST / _LINEAR)) / 255
_TURN: Final = (5**0.5 - 1) / 2
"""Multiples of it, less their whole parts, lie evenly between 0 and 1, however few of them there are."""


class Int8Codec:
    """Values and codes in a byte each, variances as their roots in half precision.

    Of variances the part that events divide is kept, of a count that which minutes divide, and what stays in the longest span.
    """

    name = "bytes"
    kept: np.dtype[Any] = np.dtype(np.uint8)
    measured: np.dtype[Any] = np.dtype(np.float16)
    missing = 0.0
    variances = 2

    def __init__(self, kinds: Kinds, spans: Sequence[int]) -> None:
        self._count, self._counts = kinds.count, np.flatnonzero(kinds.count)
        share = 1 / np.array(spans)
        self._shorter = (share - share[-1]).astype(np.float32)[:, None, None]
        """By how much more of a minute's chance there is in a span than in the longest."""
        self._moved = (np.arange(max(spans)) * _TURN % 1 - 0.5).astype(np.float32)
        number = np.arange(256) - 128 - self._moved[:, None]
        self._distances = (_SPREADS * np.sinh(number * _STEP)).astype(np.float32)
        self._distances[:, int(self.missing)] = np.nan
        self._codes = (_LINEAR * np.expm1(np.arange(256) * _CODE_STEP)).astype(np.float32)

    def values(self, values: Float32Array, slots: IntArray, measure: Scale) -> Packed:
        level = values.copy()
        level[..., self._counts] = np.log1p(level[..., self._counts])
        level -= measure.centre
        level /= _spread(measure)
        number = np.arcsinh(level / np.float32(_SPREADS)) / np.float32(_STEP)
        number += self._moved[slots].reshape(-1, *[1] * (values.ndim - 1))
        np.clip(np.rint(number, out=number), -127, 127, out=number)
        packed: Packed = np.where(np.isnan(number), np.float32(self.missing), number + 128).astype(self.kept)
        return packed

    def values_of(self, kept: Packed, slots: IntArray, measure: Scale) -> Float32Array:
        level = np.empty(kept.shape, np.float32)
        for at, slot in enumerate(slots.tolist()):
            np.take(self._distances[slot], kept[at], out=level[at], mode="clip")
        level *= _spread(measure)
        level += measure.centre
        counts = np.minimum(level[..., self._counts], _HIGHEST)
        level[..., self._counts] = np.maximum(np.expm1(counts, out=counts), 0, out=counts)
        return level

    def codes(self, codes: Float32Array) -> Packed:
        number = np.log1p(codes / np.float32(_LINEAR)) / np.float32(_CODE_STEP)
        packed: Packed = np.clip(np.rint(number), 0, 255).astype(self.kept)
        return packed

    def codes_of(self, kept: Packed) -> Float32Array:
        codes: Float32Array = np.take(self._codes, kept, mode="clip")
        return codes

    def variances_in(self, scale: Scale) -> Packed:
        by_minute = (scale.fixed[0] - scale.fixed[-1]) / max(float(self._shorter[0, 0, 0]), 1e-9)
        found = np.stack([np.where(self._count, by_minute, scale.per_event), scale.fixed[-1]])
        packed: Packed = np.sqrt(found).astype(self.measured)
        return packed

    def scale_of(self, centre: Float32Array, kept: Packed) -> Scale:
        root: Float32Array = kept.astype(np.float32)
        divided, stays = root * root
        by_minute = np.where(self._count, divided, np.float32(0))
        return Scale(centre, divided - by_minute, stays + by_minute * self._shorter)


def _spread(measure: Scale) -> Float32Array:
    """(..., F) σ of a minute's levels."""
    spread: Float32Array = np.maximum(np.sqrt(measure.fixed[0]), _NARROWEST)
    return spread
