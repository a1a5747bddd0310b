"""Minutes of which some are others: what `training.history` reads stays where it is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from faultprint.training.data.sliced import Sliced


class Overlaid(Sliced):
    """Minutes `under` with, by first minute, rows (·, F) `over` them instead of their own."""

    def __init__(self, under: Float32Array, over: Mapping[int, Float32Array]) -> None:
        self.shape = len(under), under.shape[1]
        self._under, self._over = under, over

    def __getitem__(self, part: slice) -> Float32Array:
        start, stop, step = part.indices(len(self))
        values = np.array(self._under[start:stop], dtype=np.float32)
        for first, rows in self._over.items():
            low, high = max(first, start), min(first + len(rows), stop)
            if low < high:
                values[low - start : high - start] = rows[low - first : high - first]
        return values[::step]
