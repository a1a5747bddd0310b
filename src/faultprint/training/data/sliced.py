"""Minutes that are not in memory as they are, and come a slice at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from faultprint.arrays import Float32Array


class Sliced(ABC):
    """(T, F) float32: as much of an array as a `Series` needs that is taken apart before it is computed with."""

    shape: tuple[int, int]

    def __len__(self) -> int:
        return self.shape[0]

    @abstractmethod
    def __getitem__(self, part: slice) -> Float32Array:
        """These minutes, in memory."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """All of it, in memory, for what cannot do with less."""
        return self[:].astype(dtype or np.float32, copy=False)
