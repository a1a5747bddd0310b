"""A held-out node as it would be seen at work, a stretch at a time: under the profile of its first hour of normal traffic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.training.data.dataset import NORMAL_CODE, STRETCH, TrainingNode
from faultprint.training.data.window_index import LEAST_EXPOSED
from faultprint.windows.levels import Kinds
from faultprint.windows.profile import Profile


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a node: `inputs` (L, I) and `observed` (L,) of its minutes, `ends` the windows' last minutes in it, `code`
    (E,) what they bear."""

    inputs: Float32Array
    observed: BoolArray
    ends: IntArray
    code: IntArray


class HeldOutView:
    """All windows of a node that are scored, in pieces; `normal` (W, I) is the input of its hour, `own` its profile."""

    def __init__(self, node: TrainingNode, kinds: Kinds, people: Profile, window: int) -> None:
        self.node, self._kinds, self._people, self._window = node, kinds, people, window
        self.hour = int(node.hours[0])
        self.own = node.profile(self.hour, self.hour + window, kinds)
        self.normal = self.inputs(self.hour, self.hour + window)
        # A short history is made once and kept; a long one is made anew every time, so that it never stands in memory whole.
        self._kept = [*self._made()] if len(node.series) <= STRETCH else None

    def inputs(self, start: int, stop: int) -> Float32Array:
        """(stop - start, I) of these minutes."""
        return self.node.inputs(start, stop, self._kinds, self.own, self._people)

    @property
    def pieces(self) -> Iterator[Piece]:
        """All of it, in order."""
        return iter(self._kept) if self._kept is not None else self._made()

    def _made(self) -> Iterator[Piece]:
        code, exposed, observed = self.node.code, self.node.exposed, self.node.series.observed
        for first in range(0, len(code), STRETCH):
            stop = min(first + STRETCH, len(code))
            part = slice(first, stop)
            scored = (code[part] == NORMAL_CODE) | ((code[part] > NORMAL_CODE) & (exposed[part] >= LEAST_EXPOSED))
            ends = np.flatnonzero(scored) + first
            begin = max(first - self._window + 1, 0)
            yield Piece(self.inputs(begin, stop), observed[begin:stop], ends - begin, code[ends].astype(np.int64))
