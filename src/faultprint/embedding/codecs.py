"""Codecs of the streaming buffers: 32-bit floats, or one byte a number.

In bytes, a minute's value is stored as its distance from the node's centre in the node's own standard deviations σ. The
steps are 0.04 σ near the centre and 8 % far from it; the maximum is 5000 σ. Before rounding, each position of the ring
shifts the value by its own part of a step, and decoding shifts it back. So a constant value does not get the same rounding
error in every minute, and a trailing mean is more exact than one minute. A code is never negative. Its steps are 0.005
near 0 and 2.3 % far from it; the maximum is 64. A variance is stored as its root in half precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from faultprint.arrays import Float32Array, IntArray
from faultprint.windows.levels import FeatureKinds
from faultprint.windows.normalisation import DeviationScale

Packed = npt.NDArray[Any]


class BufferCodec(Protocol):
    """Packs values and codes of minutes and scales of nodes, and unpacks them. Shapes stay the same.

    Values are as `windows.levels.log_transform` gives them, NaN where there is none. `positions` (M,) are the ring
    positions of the values (M, ..., F); `scale` is that of their nodes.
    """

    name: str
    """The stored name of the codec. A monitor's state holds it."""
    dtype: np.dtype[Any]
    """Type of packed values and codes."""
    missing: float
    """Packed form of a missing value; a missing code is 0."""
    variance_dtype: np.dtype[Any]
    """Type of packed variances."""
    variance_count: int
    """V, packed variances of a feature."""

    def encode_values(self, values: Float32Array, positions: IntArray, scale: DeviationScale) -> Packed:
        """Pack values (M, ..., F)."""

    def decode_values(self, packed: Packed, positions: IntArray, scale: DeviationScale) -> Float32Array:
        """Unpack values (M, ..., F)."""

    def encode_codes(self, codes: Float32Array) -> Packed:
        """Pack codes."""

    def decode_codes(self, packed: Packed) -> Float32Array:
        """Unpack codes."""

    def encode_variances(self, scale: DeviationScale) -> Packed:
        """(V, F) packed variances of one node's scale."""

    def decode_scale(self, centre: Float32Array, packed: Packed) -> DeviationScale:
        """The scale of nodes with centres (N, F) and packed variances (V, N, F)."""


class Float32Codec:
    """All numbers in single precision, unchanged."""

    name = "float32"
    dtype: np.dtype[Any] = np.dtype(np.float32)
    variance_dtype: np.dtype[Any] = np.dtype(np.float32)
    missing = np.nan

    def __init__(self, spans: Sequence[int]) -> None:
        self.variance_count = 1 + len(spans)

    def encode_values(self, values: Float32Array, positions: IntArray, scale: DeviationScale) -> Packed:
        return values

    def decode_values(self, packed: Packed, positions: IntArray, scale: DeviationScale) -> Float32Array:
        return packed

    def encode_codes(self, codes: Float32Array) -> Packed:
        return codes

    def decode_codes(self, packed: Packed) -> Float32Array:
        return packed

    def encode_variances(self, scale: DeviationScale) -> Packed:
        return np.concatenate([scale.per_event[None], scale.fixed])

    def decode_scale(self, centre: Float32Array, packed: Packed) -> DeviationScale:
        return DeviationScale(centre, packed[0], packed[1:])


_LINEAR_SIGMA: Final = 0.5
"""σ below which the steps of values are even."""
_MAX_SIGMA: Final = 5000.0
"""Largest distance that can be stored, σ."""
_VALUE_STEP: Final = float(np.arcsinh(_MAX_SIGMA / _LINEAR_SIGMA)) / 127
_MIN_SIGMA: Final = np.float32(1e-4)
"""Smallest σ, so that the division is safe."""
_MAX_LOG_COUNT: Final = np.float32(80)
"""Largest logarithm of a count: sums of many such counts still fit single precision."""
_LINEAR_CODE: Final = 0.2
"""Code below which the steps are even."""
_MAX_CODE: Final = 64.0
"""Largest code that can be stored."""
_CODE_STEP: Final = float(np.log1p(_MAX_CODE / _LINEAR_CODE)) / 255
_GOLDEN_RATIO: Final = (5**0.5 - 1) / 2
"""The fractional parts of its multiples spread evenly between 0 and 1, however few there are."""


class Int8Codec:
    """Values and codes as one byte each, variances as roots in half precision.

    Two variances of a feature are stored: the part that shrinks with events (of a count: with minutes), and the part that
    remains over the longest span.
    """

    name = "bytes"
    dtype: np.dtype[Any] = np.dtype(np.uint8)
    variance_dtype: np.dtype[Any] = np.dtype(np.float16)
    missing = 0.0
    variance_count = 2

    def __init__(self, kinds: FeatureKinds, spans: Sequence[int]) -> None:
        self._is_count, self._counts = kinds.count, np.flatnonzero(kinds.count)
        share = 1 / np.array(spans)
        self._excess_share = (share - share[-1]).astype(np.float32)[:, None, None]
        """How much more of a minute's chance variance a span has than the longest span."""
        self._shift = (np.arange(max(spans)) * _GOLDEN_RATIO % 1 - 0.5).astype(np.float32)
        number = np.arange(256) - 128 - self._shift[:, None]
        self._distances = (_LINEAR_SIGMA * np.sinh(number * _VALUE_STEP)).astype(np.float32)
        self._distances[:, int(self.missing)] = np.nan
        self._codes = (_LINEAR_CODE * np.expm1(np.arange(256) * _CODE_STEP)).astype(np.float32)

    def encode_values(self, values: Float32Array, positions: IntArray, scale: DeviationScale) -> Packed:
        level = values.copy()
        level[..., self._counts] = np.log1p(level[..., self._counts])
        level -= scale.centre
        level /= _sigma(scale)
        number = np.arcsinh(level / np.float32(_LINEAR_SIGMA)) / np.float32(_VALUE_STEP)
        number += self._shift[positions].reshape(-1, *[1] * (values.ndim - 1))
        np.clip(np.rint(number, out=number), -127, 127, out=number)
        packed: Packed = np.where(np.isnan(number), np.float32(self.missing), number + 128).astype(self.dtype)
        return packed

    def decode_values(self, packed: Packed, positions: IntArray, scale: DeviationScale) -> Float32Array:
        level = np.empty(packed.shape, np.float32)
        for index, position in enumerate(positions.tolist()):
            np.take(self._distances[position], packed[index], out=level[index], mode="clip")
        level *= _sigma(scale)
        level += scale.centre
        counts = np.minimum(level[..., self._counts], _MAX_LOG_COUNT)
        level[..., self._counts] = np.maximum(np.expm1(counts, out=counts), 0, out=counts)
        return level

    def encode_codes(self, codes: Float32Array) -> Packed:
        number = np.log1p(codes / np.float32(_LINEAR_CODE)) / np.float32(_CODE_STEP)
        packed: Packed = np.clip(np.rint(number), 0, 255).astype(self.dtype)
        return packed

    def decode_codes(self, packed: Packed) -> Float32Array:
        codes: Float32Array = np.take(self._codes, packed, mode="clip")
        return codes

    def encode_variances(self, scale: DeviationScale) -> Packed:
        by_minute = (scale.fixed[0] - scale.fixed[-1]) / max(float(self._excess_share[0, 0, 0]), 1e-9)
        variances = np.stack([np.where(self._is_count, by_minute, scale.per_event), scale.fixed[-1]])
        packed: Packed = np.sqrt(variances).astype(self.variance_dtype)
        return packed

    def decode_scale(self, centre: Float32Array, packed: Packed) -> DeviationScale:
        root: Float32Array = packed.astype(np.float32)
        shrinking, remaining = root * root
        by_minute = np.where(self._is_count, shrinking, np.float32(0))
        return DeviationScale(centre, shrinking - by_minute, remaining + by_minute * self._excess_share)


def _sigma(scale: DeviationScale) -> Float32Array:
    """(..., F) σ of a minute's levels."""
    sigma: Float32Array = np.maximum(np.sqrt(scale.fixed[0]), _MIN_SIGMA)
    return sigma
