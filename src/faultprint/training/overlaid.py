"""Minutes of which some are others: what `training.history` reads stays where it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


class Overlaid:
    """(T, F) float32 with `over` it, by first minute, rows (·, F) instead of its own: as much of an array as a `Series` needs
    that is taken apart before it is computed with."""

    def __init__(self, under: Array, over: Mapping[int, Array]) -> None:
        self.shape = under.shape
        self._under, self._over = under, over

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, part: slice) -> Array:
        start, stop, step = part.indices(len(self))
        values = np.array(self._under[start:stop], dtype=np.float32)
        for first, rows in self._over.items():
            low, high = max(first, start), min(first + len(rows), stop)
            if low < high:
                values[low - start : high - start] = rows[low - first : high - first]
        return values[::step]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """All of it, in memory, for what cannot do with less."""
        return self[:].astype(dtype or np.float32, copy=False)
