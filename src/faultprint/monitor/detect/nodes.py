"""The table of nodes: debounce states, counters, and the minutes of nodes that are warming up."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from faultprint.arrays import Float32Array, IntArray
from faultprint.cases.decision import VerdictCode
from faultprint.cases.silence import RequestHistory
from faultprint.windows.series import Series

COLUMNS: Final[Mapping[str, int]] = {
    "verdict": VerdictCode.WARMING_UP,
    "candidate": VerdictCode.WARMING_UP,
    "count": 0,
    "observed_minutes": 0,
    "last_minute": -1,
    "fault_minutes": 0,
    "recovered_minutes": 0,
    "baselined": 0,
    "baseline_suspect": 0,
    "rejected_baselines": 0,
    "fault": 0,
    "active": 0,
    "active_count": 0,
    **dict.fromkeys(RequestHistory._fields, 0),
}
"""Column → its value for a new node.

verdict, candidate, count                `cases.decision.DebounceState`
observed_minutes                         observed minutes in the present warm-up
last_minute                              number of the last observed minute
fault_minutes, recovered_minutes         consecutive minutes with an active fault, or without one
baselined                                1 if the node has a baseline
baseline_suspect, rejected_baselines     1 if the last candidate for a baseline looks like a fault; number of such candidates
fault, active, active_count              `cases.recovery.ActiveState`
request_rate … silent                    `cases.silence.RequestHistory`
"""


class NodeTable:
    """Nodes by index, in order of their first row. `names` and `networks` are lists; columns are (N,) int64 arrays."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.networks: list[str] = []
        self._index: dict[str, int] = {}
        self._columns = {name: np.empty(0, np.int64) for name in COLUMNS}
        self._warming: dict[int, list[tuple[int, Float32Array]]] = {}

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, column: str) -> IntArray:
        """A column for all nodes, as a writable view."""
        return self._columns[column][: len(self.names)]

    def index(self, names: Iterable[str], networks: Iterable[str]) -> IntArray:
        """(N,) indices of nodes; adds new nodes."""
        indices = []
        for name, network in zip(names, networks, strict=True):
            index = self._index.get(name)
            if index is None:
                index = len(self.names)
                self.names.append(sys.intern(name))
                self.networks.append(sys.intern(network))
                self._index[self.names[-1]] = index
            indices.append(index)
        self._grow()
        return np.array(indices, np.int64)

    def keep_minute(self, node: int, number: int, values: Float32Array) -> None:
        """Keep a minute of a node that is warming up; `values` (F,)."""
        self._warming.setdefault(node, []).append((number, values))

    def history(self, node: int, interval_us: int, names: tuple[str, ...]) -> Series:
        """The kept minutes of a node that is warming up, on the minute grid."""
        kept = self._warming[node]
        first = kept[0][0]
        values = np.full((kept[-1][0] - first + 1, len(names)), np.nan, np.float32)
        observed = np.zeros(len(values), np.bool_)
        for number, row in kept:
            values[number - first], observed[number - first] = row, True
        return Series(self.names[node], self.networks[node], first * interval_us, interval_us, names, values, observed)

    def restart_warm_up(self, node: int) -> None:
        """Drop the kept minutes of a node; its baseline is selected from later minutes."""
        del self._warming[node]
        self["observed_minutes"][node] = 0

    def trim(self, node: int, minutes: int) -> None:
        """Keep only the last `minutes` of the kept minutes of a node."""
        kept = self._warming.pop(node)[-minutes:] if minutes else []
        if kept:
            self._warming[node] = kept

    def finish_warm_up(self, node: int) -> None:
        """The node has its baseline; drop its kept minutes."""
        del self._warming[node]
        self["baselined"][node] = 1

    @property
    def warming(self) -> tuple[int, ...]:
        """Nodes with kept minutes."""
        return tuple(self._warming)

    @property
    def oldest_warming(self) -> int | None:
        """Number of the first kept minute of all nodes, or None."""
        return min((kept[0][0] for kept in self._warming.values()), default=None)

    def without_data(self, number: int, minutes: int) -> IntArray:
        """Nodes without data in the last `minutes` up to and including this minute."""
        return np.flatnonzero(number - self["last_minute"] >= minutes)

    def _grow(self) -> None:
        for name, array in self._columns.items():
            if len(array) < len(self.names):
                larger = np.full(max(len(self.names), 2 * len(array)), COLUMNS[name], np.int64)
                larger[: len(array)] = array
                self._columns[name] = larger
