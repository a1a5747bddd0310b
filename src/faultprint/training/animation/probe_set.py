"""A few hundred windows that are looked at again after every epoch, the same ones throughout."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from faultprint.arrays import BoolArray, IntArray
from faultprint.training.data.dataset import NORMAL_CODE, TrainingNode, TrainingSet
from faultprint.training.data.window_index import WindowIndex

WINDOWS: Final = 360
"""Windows in all, at most (more only where there are more conditions than that)."""
_SHARES_OF_NORMAL: Final = 3
"""Windows of normal for every one of a fault: it is what all of them must stand apart from."""


@dataclass(frozen=True, slots=True)
class ProbeSet:
    """N windows: (N,) index into `nodes`, last minute, and whether their network is held out; `conditions` as codes go."""

    conditions: tuple[str, ...]
    window: int
    nodes: tuple[TrainingNode, ...]
    node: IntArray
    end: IntArray
    held_out: BoolArray

    @property
    def code(self) -> IntArray:
        """(N,) what every window bears."""
        codes = [self.nodes[index].code[end] for index, end in zip(self.node, self.end, strict=True)]
        return np.array(codes, dtype=np.int64)

    @property
    def exposed(self) -> IntArray:
        """(N,) faulty minutes in every window."""
        counts = [self.nodes[index].exposed[end] for index, end in zip(self.node, self.end, strict=True)]
        return np.array(counts, dtype=np.int64)


def probe_set(seen: TrainingSet, held_out: TrainingSet, rng: np.random.Generator, most: int = WINDOWS) -> ProbeSet:
    """Windows of every condition, half of them trained on, half held out, taken from the networks in turn.

    Raises UsageError where fewer than two conditions have windows.
    """
    both = replace(seen, nodes=seen.nodes + held_out.nodes)
    places = WindowIndex(both)
    apart = frozenset(held_out.networks)
    share = max(most // (2 * (len(places.codes) - 1 + _SHARES_OF_NORMAL)), 1)
    rows: list[IntArray] = []
    for code in places.codes:
        wanted = share * _SHARES_OF_NORMAL if code == NORMAL_CODE else share
        for held in (False, True):
            piles = [found for network, found in places.places[code].items() if (network in apart) is held]
            rows += _in_turn(piles, wanted, rng)
    chosen = np.stack(rows)
    used = np.unique(chosen[:, 0])
    nodes = tuple(both.nodes[index] for index in used)
    is_held = np.array([node.series.network in apart for node in nodes], dtype=np.bool_)
    node = np.searchsorted(used, chosen[:, 0])
    return ProbeSet(both.conditions, both.window, nodes, node, chosen[:, 1], is_held[node])


def _in_turn(piles: list[IntArray], wanted: int, rng: np.random.Generator) -> list[IntArray]:
    """At most `wanted` rows, one from each pile in turn, none twice."""
    shuffled = [rng.permutation(piles[index]) for index in rng.permutation(len(piles))]
    deepest = max((len(pile) for pile in shuffled), default=0)
    picked: list[IntArray] = []
    for depth in range(min(wanted, deepest)):
        picked += [pile[depth] for pile in shuffled if depth < len(pile)]
    return picked[:wanted]
