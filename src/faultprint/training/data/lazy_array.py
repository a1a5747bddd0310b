"""Arrays of minutes that are computed or read when a slice of them is requested."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from faultprint.arrays import Float32Array


class LazyArray(ABC):
    """(T, F) float32 values with as much of the array interface as a `Series` needs."""

    shape: tuple[int, int]

    def __len__(self) -> int:
        return self.shape[0]

    @abstractmethod
    def __getitem__(self, part: slice) -> Float32Array:
        """The minutes of a slice, in memory."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """All minutes in memory, for code that needs a NumPy array."""
        return self[:].astype(dtype or np.float32, copy=False)


class OverlayArray(LazyArray):
    """The minutes of `base` with some of them replaced: `overlays` maps a first minute to the rows (·, F) from there on."""

    def __init__(self, base: Float32Array, overlays: Mapping[int, Float32Array]) -> None:
        self.shape = len(base), base.shape[1]
        self._base, self._overlays = base, overlays

    def __getitem__(self, part: slice) -> Float32Array:
        start, stop, step = part.indices(len(self))
        values = np.array(self._base[start:stop], dtype=np.float32)
        for first, rows in self._overlays.items():
            low, high = max(first, start), min(first + len(rows), stop)
            if low < high:
                values[low - start : high - start] = rows[low - first : high - first]
        return values[::step]
