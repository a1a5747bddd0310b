"""The baselines of many nodes as arrays, one slot a node."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from faultprint.arrays import IntArray
from faultprint.embedding.codecs import BufferCodec
from faultprint.embedding.model import Model, NodeBaseline
from faultprint.windows.normalisation import DeviationScale, deviation_scale
from faultprint.windows.profile import Profile

T = TypeVar("T", bound=np.generic)

SlotIndex = slice | IntArray


class BaselineTable:
    """By slot: the deviation scale, the mean vector of windows, and that of short windows (NaN where there is none)."""

    def __init__(self, model: Model, population: Profile, codec: BufferCodec) -> None:
        """`population`: the profile towards which node profiles shrink; `codec` packs the variances."""
        self._model, self._population, self._codec = model, population, codec
        features = len(model.catalogue)
        self._centre = np.empty((0, features), np.float32)
        self._variances = np.empty((codec.variance_count, 0, features), codec.variance_dtype)
        self.mean, self.short_mean = np.empty((2, 0, model.dimensions), np.float32)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays, room for growth included."""
        return sum(array.nbytes for array in (self._centre, self._variances, self.mean, self.short_mean))

    def grow(self, capacity: int) -> None:
        """Make room for `capacity` slots in all."""
        self._variances = lengthened(self._variances, 1, capacity, 0)
        self._centre, self.mean, self.short_mean = (
            lengthened(array, 0, capacity, 0) for array in (self._centre, self.mean, self.short_mean)
        )

    def set_baseline(self, slot: int, baseline: NodeBaseline) -> DeviationScale:
        """Store the baseline of a slot. Returns its deviation scale as it is before packing."""
        scale = deviation_scale(baseline.profile, self._population, self._model.kinds, self._model.manifest.spans)
        self._centre[slot], self._variances[:, slot] = scale.centre, self._codec.encode_variances(scale)
        self.mean[slot] = baseline.mean
        self.short_mean[slot] = np.nan if baseline.short_mean is None else baseline.short_mean
        return scale

    def scale(self, slots: SlotIndex) -> DeviationScale:
        """The deviation scale of these slots, one row each."""
        return self._codec.decode_scale(self._centre[slots], self._variances[:, slots])


def lengthened(array: npt.NDArray[T], axis: int, length: int, fill: object) -> npt.NDArray[T]:
    """A copy whose `axis` has this length; the new part holds `fill`."""
    shape = list(array.shape)
    shape[axis] = length
    result = np.full(shape, fill, array.dtype)
    result[tuple(slice(size) for size in array.shape)] = array
    return result
