"""What the monitor knows of each node, as arrays over all of them: the standing, the counters, the minutes of warming up."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from faultprint.arrays import Float32Array, IntArray
from faultprint.cases.decision import WARMING_CODE
from faultprint.windows.series import Series

COLUMNS: Final[Mapping[str, int]] = {
    "verdict": WARMING_CODE,
    "rival": WARMING_CODE,
    "agreed": 0,
    "seen": 0,
    "last": -1,
    "alarmed": 0,
    "calm": 0,
    "ready": 0,
    "doubtful": 0,
    "refused": 0,
    "raised": 0,
    "there": 0,
    "against": 0,
}
"""Column → its value for a new node.

verdict, rival, agreed   the standing (`cases.decision.Standing`)
seen, last               observed minutes that count, and the number of the last one
alarmed, calm            minutes in a row that were alarming, or normal
ready                    1 once the node has its normal
doubtful, refused        1 if what was last to be its normal looks like a fault; how often that was so
raised, there, against   whether the verdict is a fault, whether that is still there (`cases.clearing.Standings`)
"""


class NodeTable:
    """Nodes by index, in order of their first row. `names` and `networks` are lists; the columns are (N,) int64 arrays."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.networks: list[str] = []
        self._index: dict[str, int] = {}
        self._columns = {name: np.empty(0, np.int64) for name in COLUMNS}
        self._warming: dict[int, list[tuple[int, Float32Array]]] = {}

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, column: str) -> IntArray:
        """A column's values for all nodes; a view, to read and to write."""
        return self._columns[column][: len(self.names)]

    def index(self, names: Iterable[str], networks: Iterable[str]) -> IntArray:
        """(N,) indices of nodes, those not known before added."""
        found = []
        for name, network in zip(names, networks, strict=True):
            index = self._index.get(name)
            if index is None:
                index = len(self.names)
                self.names.append(sys.intern(name))
                self.networks.append(sys.intern(network))
                self._index[self.names[-1]] = index
            found.append(index)
        self._grow()
        return np.array(found, np.int64)

    def keep(self, node: int, number: int, values: Float32Array) -> None:
        """A minute of a node that is warming up; `values` (F,)."""
        self._warming.setdefault(node, []).append((number, values))

    def history(self, node: int, interval_us: int, names: tuple[str, ...]) -> Series:
        """All minutes kept of a node that is warming up, on their grid."""
        kept = self._warming[node]
        first = kept[0][0]
        values = np.full((kept[-1][0] - first + 1, len(names)), np.nan, np.float32)
        observed = np.zeros(len(values), np.bool_)
        for number, row in kept:
            values[number - first], observed[number - first] = row, True
        return Series(self.names[node], self.networks[node], first * interval_us, interval_us, names, values, observed)

    def refuse(self, node: int) -> None:
        """The minutes kept of a node are not to be its normal; those to come are."""
        del self._warming[node]
        self["seen"][node] = 0

    def trim(self, node: int, minutes: int) -> None:
        """Let go all but the last so many that are kept of a node."""
        kept = self._warming.pop(node)[-minutes:] if minutes else []
        if kept:
            self._warming[node] = kept

    def warmed(self, node: int) -> None:
        """The node has its normal; what was kept for it is let go."""
        del self._warming[node]
        self["ready"][node] = 1

    @property
    def warming(self) -> tuple[int, ...]:
        """The nodes of which minutes are kept."""
        return tuple(self._warming)

    @property
    def oldest_warming(self) -> int | None:
        """Number of the first minute that is still kept for a node that is warming up."""
        return min((kept[0][0] for kept in self._warming.values()), default=None)

    def silent(self, number: int, minutes: int) -> IntArray:
        """The nodes that nobody has listened to for so many minutes, the one of this number included."""
        return np.flatnonzero(number - self["last"] >= minutes)

    def _grow(self) -> None:
        for name, array in self._columns.items():
            if len(array) < len(self.names):
                larger = np.full(max(len(self.names), 2 * len(array)), COLUMNS[name], np.int64)
                larger[: len(array)] = array
                self._columns[name] = larger
