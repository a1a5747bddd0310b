"""What a training looked like: the watched windows' vectors, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from faultprint.arrays import Float32Array
from faultprint.training.animation.probe_set import ProbeSet

MOST_FRAMES: Final = 200
"""Frames kept: a training of many hours must fill neither the memory nor the page that shows it."""


@dataclass(slots=True)
class EmbeddingAnimation:
    """`frames`: vectors (N, D) of the `watched` windows by the number of epochs then done, 0 for the untrained network."""

    watched: ProbeSet
    frames: dict[int, Float32Array] = field(default_factory=dict)

    def add(self, done: int, vectors: Float32Array, best: int) -> None:
        """Keep a frame. Of too many, every second one goes, but for the latest and that after `best` epochs."""
        self.frames[done] = vectors
        if len(self.frames) > MOST_FRAMES:
            kept = {*sorted(self.frames)[::2], done, best}
            self.frames = {number: frame for number, frame in self.frames.items() if number in kept}
