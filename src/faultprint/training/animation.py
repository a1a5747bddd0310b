"""The embedding animation: how the vectors of a fixed set of windows move during training."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.training.data.dataset import NORMAL_CODE, TrainingNode, TrainingSet
from faultprint.training.data.window_index import WindowIndex

PROBE_WINDOWS: Final = 360
"""Largest number of windows in the set. It is exceeded only if there are more conditions than that."""
_NORMAL_SHARES: Final = 3
"""Windows of normal traffic for every window of a fault."""
MAX_FRAMES: Final = 200
"""Largest number of frames that are kept, which limits memory and the size of the page."""


@dataclass(frozen=True, slots=True)
class ProbeSet:
    """N windows that are embedded after every epoch.

    conditions   names; condition codes are indices into it
    window       minutes of a window
    nodes        the nodes that the windows are from
    node         (N,) index into `nodes`
    end          (N,) last minute of every window
    held_out     (N,) true for windows of held-out networks
    """

    conditions: tuple[str, ...]
    window: int
    nodes: tuple[TrainingNode, ...]
    node: IntArray
    end: IntArray
    held_out: BoolArray

    @property
    def code(self) -> IntArray:
        """(N,) condition code of every window."""
        codes = [self.nodes[index].code[end] for index, end in zip(self.node, self.end, strict=True)]
        return np.array(codes, dtype=np.int64)

    @property
    def fault_minutes(self) -> IntArray:
        """(N,) faulty minutes in every window."""
        counts = [self.nodes[index].fault_minutes[end] for index, end in zip(self.node, self.end, strict=True)]
        return np.array(counts, dtype=np.int64)


def probe_set(
    train: TrainingSet, held_out: TrainingSet, rng: np.random.Generator, size: int = PROBE_WINDOWS
) -> ProbeSet:
    """Random windows of every condition: half from training networks, half from held-out networks.

    Every network is represented equally. Raises UsageError if fewer than two conditions have windows.
    """
    both = replace(train, nodes=train.nodes + held_out.nodes)
    index = WindowIndex(both)
    held_out_networks = frozenset(held_out.networks)
    share = max(size // (2 * (len(index.codes) - 1 + _NORMAL_SHARES)), 1)
    rows: list[IntArray] = []
    for code in index.codes:
        count = share * _NORMAL_SHARES if code == NORMAL_CODE else share
        for side in (False, True):
            groups = [
                found for network, found in index.by_network[code].items() if (network in held_out_networks) is side
            ]
            rows += _draw_in_turn(groups, count, rng)
    chosen = np.stack(rows)
    used = np.unique(chosen[:, 0])
    nodes = tuple(both.nodes[number] for number in used)
    node_held_out = np.array([node.series.network in held_out_networks for node in nodes], dtype=np.bool_)
    node = np.searchsorted(used, chosen[:, 0])
    return ProbeSet(both.conditions, both.window, nodes, node, chosen[:, 1], node_held_out[node])


def _draw_in_turn(groups: list[IntArray], count: int, rng: np.random.Generator) -> list[IntArray]:
    """At most `count` different rows, one from each group in turn."""
    shuffled = [rng.permutation(groups[index]) for index in rng.permutation(len(groups))]
    longest = max((len(group) for group in shuffled), default=0)
    drawn: list[IntArray] = []
    for position in range(min(count, longest)):
        drawn += [group[position] for group in shuffled if position < len(group)]
    return drawn[:count]


@dataclass(slots=True)
class EmbeddingAnimation:
    """The probe windows and their vectors during training.

    probes   the windows
    frames   number of completed epochs → (N, D) vectors; 0 is the untrained network
    """

    probes: ProbeSet
    frames: dict[int, Float32Array] = field(default_factory=dict)

    def add(self, epochs: int, vectors: Float32Array, best: int) -> None:
        """Add the frame after `epochs` epochs. If there are too many frames, drop every second one.

        The new frame and the frame after `best` epochs are always kept.
        """
        self.frames[epochs] = vectors
        if len(self.frames) > MAX_FRAMES:
            kept = {*sorted(self.frames)[::2], epochs, best}
            self.frames = {number: frame for number, frame in self.frames.items() if number in kept}
