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
    """Nodes by index, in order of their first row. `names` and `networks` are lists; columns are (N,) int64 arrays.

    A forgotten node leaves a free index, with an empty name. The next new node takes it.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.networks: list[str] = []
        self.added: list[int] = []
        """Indices of nodes that are new since the last save."""
        self.forgotten: list[int] = []
        """Indices of nodes that were forgotten since the last save."""
        self._index: dict[str, int] = {}
        self._free: list[int] = []
        self._columns = {name: np.empty(0, np.int64) for name in COLUMNS}
        self._warming: dict[int, list[tuple[int, Float32Array]]] = {}

    def __len__(self) -> int:
        """The number of indices, free ones included."""
        return len(self.names)

    @property
    def known(self) -> int:
        """The number of nodes."""
        return len(self._index)

    def __getitem__(self, column: str) -> IntArray:
        """A column for all indices, as a writable view."""
        return self._columns[column][: len(self.names)]

    def index(self, names: Iterable[str], networks: Iterable[str]) -> IntArray:
        """(N,) indices of nodes; adds new nodes."""
        indices = []
        for name, network in zip(names, networks, strict=True):
            index = self._index.get(name)
            if index is None:
                index = self._free.pop() if self._free else len(self.names)
                self._place(index, name, network)
                self.added.append(index)
            indices.append(index)
        return np.array(indices, np.int64)

    def restore(self, rows: Iterable[tuple[int, str, str]], count: int) -> None:
        """Fill an empty table with stored nodes (index, name, network), and free indices up to `count`."""
        self._extend(count)
        for index, name, network in rows:
            self._place(index, name, network)
        self._free = [index for index in range(len(self.names) - 1, -1, -1) if not self.holds(index)]

    def holds(self, index: int) -> bool:
        """Whether a node has this index."""
        return self._index.get(self.names[index]) == index

    def forget(self, node: int) -> str:
        """Forget a node; returns its name. Its index is free, and everything at it as for a new node."""
        name = self.names[node]
        del self._index[name]
        self.reset(node)
        self["last_minute"][node] = COLUMNS["last_minute"]
        self.names[node] = self.networks[node] = ""
        self._free.append(node)
        self.forgotten.append(node)
        return name

    def reset(self, node: int) -> None:
        """Let a node warm up again, as a new one. Only its last minute stays."""
        for name, value in COLUMNS.items():
            if name != "last_minute":
                self[name][node] = value
        self._warming.pop(node, None)

    def silent(self, before: int) -> list[int]:
        """The nodes whose last minute is before this number."""
        last = self["last_minute"]
        return [node for node in np.flatnonzero((last >= 0) & (last < before)).tolist() if self.holds(node)]

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

    def count_warm_up(self) -> None:
        """Set the observed minutes of the nodes without a baseline to those that are kept."""
        for node in np.flatnonzero(self["baselined"] == 0).tolist():
            self["observed_minutes"][node] = len(self._warming.get(node, ()))

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
        silent = np.flatnonzero(number - self["last_minute"] >= minutes)
        return silent if not self._free else silent[~np.isin(silent, self._free)]

    def _place(self, index: int, name: str, network: str) -> None:
        self._extend(index + 1)
        self.names[index], self.networks[index] = sys.intern(name), sys.intern(network)
        self._index[self.names[index]] = index

    def _extend(self, count: int) -> None:
        missing = count - len(self.names)
        if missing <= 0:
            return
        self.names += [""] * missing
        self.networks += [""] * missing
        for name, array in self._columns.items():
            if len(array) < count:
                larger = np.full(max(count, 2 * len(array)), COLUMNS[name], np.int64)
                larger[: len(array)] = array
                self._columns[name] = larger
