"""What a training looked like: the watched windows' vectors, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from faultprint.training.animation.probe_set import Watched

Array = npt.NDArray[np.float32]

MOST_FRAMES: Final = 200
"""Frames kept: a training of many hours must fill neither the memory nor the page that shows it."""


@dataclass(slots=True)
class Film:
    """`frames`: vectors (N, D) of the `watched` windows by the number of epochs then done, 0 for the untrained network."""

    watched: Watched
    frames: dict[int, Array] = field(default_factory=dict)

    def add(self, done: int, vectors: Array, best: int) -> None:
        """Keep a frame. Of too many, every second one goes, but for the latest and that after `best` epochs."""
        self.frames[done] = vectors
        if len(self.frames) > MOST_FRAMES:
            kept = {*sorted(self.frames)[::2], done, best}
            self.frames = {number: frame for number, frame in self.frames.items() if number in kept}
