"""A node of a held-out network, prepared as in operation: with the profile of its first normal hour, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.training.data.dataset import BLOCK_MINUTES, NORMAL_CODE, TrainingNode
from faultprint.training.data.window_index import MIN_FAULT_MINUTES
from faultprint.windows.levels import FeatureKinds
from faultprint.windows.profile import Profile


@dataclass(frozen=True, slots=True)
class HeldOutBlock:
    """Some consecutive minutes of a held-out node, and the windows that end in them.

    inputs     (L, I) network input of the minutes
    observed   (L,) true for observed minutes
    ends       (E,) index of the last minute of every scored window
    code       (E,) condition code of these windows
    """

    inputs: Float32Array
    observed: BoolArray
    ends: IntArray
    code: IntArray


class HeldOutView:
    """All scored windows of a held-out node, in blocks.

    hour            first minute of the first normal hour
    profile         profile of this hour
    normal_inputs   (W, I) network input of this hour
    """

    def __init__(self, node: TrainingNode, kinds: FeatureKinds, population: Profile, window: int) -> None:
        self.node, self._kinds, self._population, self._window = node, kinds, population, window
        self.hour = int(node.normal_hours[0])
        self.profile = node.profile(self.hour, self.hour + window, kinds)
        self.normal_inputs = self.inputs(self.hour, self.hour + window)
        # A short series is prepared once and kept. A long one is prepared again for every pass, to save memory.
        self._kept = [*self._compute_blocks()] if len(node.series) <= BLOCK_MINUTES else None

    def inputs(self, start: int, stop: int) -> Float32Array:
        """(stop - start, I) network input of these minutes."""
        return self.node.inputs(start, stop, self._kinds, self.profile, self._population)

    @property
    def blocks(self) -> Iterator[HeldOutBlock]:
        """All blocks, in order of time."""
        return iter(self._kept) if self._kept is not None else self._compute_blocks()

    def _compute_blocks(self) -> Iterator[HeldOutBlock]:
        code, fault_minutes, observed = self.node.code, self.node.fault_minutes, self.node.series.observed
        for first in range(0, len(code), BLOCK_MINUTES):
            stop = min(first + BLOCK_MINUTES, len(code))
            part = slice(first, stop)
            clear_fault = (code[part] > NORMAL_CODE) & (fault_minutes[part] >= MIN_FAULT_MINUTES)
            ends = np.flatnonzero((code[part] == NORMAL_CODE) | clear_fault) + first
            begin = max(first - self._window + 1, 0)
            yield HeldOutBlock(
                self.inputs(begin, stop), observed[begin:stop], ends - begin, code[ends].astype(np.int64)
            )
