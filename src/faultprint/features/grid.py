"""The grid: every interval of every node that was listened to, as rows in order of node and time.

A row is an interval in which at least a part of a stretch lies; a slot is a stretch's part of a row. They differ only
where listening stopped and went on within one interval: such a row has several slots.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from faultprint.arrays import Float32Array, IntArray
from faultprint.errors import TableError, UsageError
from faultprint.features.coverage import Interval

LONGEST: Final = 1_051_200
"""Intervals that one node may have (two years of minutes): an absurd time stamp must not fill the memory."""
LATEST_US: Final = 7_258_118_400_000_000
"""The year 2200; coverage lies between 1970 and then, so that no difference of times overflows."""
NOWHERE: Final = -1


class Grid:
    """The rows of some stretches.

    Per node: `nodes`, `networks`. Per stretch, as int64 arrays: `node`, `start`, `end` (µs), `first` (number of its
    first interval since the epoch), `row` and `slot` of that interval. `rows` and `slots` are the totals. Per slot:
    `row_of_slot`.
    """

    def __init__(self, stretches: Sequence[Interval], interval_us: int) -> None:
        """`stretches` as `coverage.normalise` leaves them. Raises UsageError, TableError."""
        if interval_us <= 0:
            raise UsageError(f"An interval of {interval_us} µs cannot be used; give one above 0.")
        self.interval_us = interval_us
        networks = {stretch.node: stretch.network for stretch in stretches}
        self.nodes, self.networks = tuple(networks), tuple(networks.values())
        codes = {node: code for code, node in enumerate(self.nodes)}
        self.node = np.array([codes[stretch.node] for stretch in stretches], dtype=np.int64)
        _check(stretches, interval_us)
        self.start = np.array([stretch.start_us for stretch in stretches], dtype=np.int64)
        self.end = np.array([stretch.end_us for stretch in stretches], dtype=np.int64)
        self.first = self.start // interval_us
        last = (self.end - 1) // interval_us
        lengths = last - self.first + 1
        shared = np.zeros(len(stretches), dtype=np.int64)
        shared[1:] = (self.node[1:] == self.node[:-1]) & (self.first[1:] == last[:-1])
        self.slot = np.cumsum(lengths) - lengths
        self.row = self.slot - np.cumsum(shared)
        self.slots = int(lengths.sum())
        self.rows = self.slots - int(shared.sum())
        self._lengths = lengths
        self._before = self.first - self.slot
        self.row_of_slot = np.arange(self.slots) - np.repeat(self.slot - self.row, lengths)
        self._stretch_of_node = np.searchsorted(self.node, np.arange(len(self.nodes) + 1))

    def locate(self, node: npt.NDArray[np.integer], time: IntArray) -> IntArray:
        """(n,) the stretch in which each time lies, NOWHERE if in none; `node` are codes, negative for none."""
        if not len(self.node):
            return np.full(len(time), NOWHERE, dtype=np.int64)
        known = np.maximum(node, 0)
        low = self._stretch_of_node[known]
        if most := int(np.diff(self._stretch_of_node).max() - 1):
            high = self._stretch_of_node[known + 1] - 1
            for _ in range(most.bit_length()):
                middle = (low + high + 1) >> 1
                later = self.start[middle] <= time
                low, high = np.where(later, middle, low), np.where(later, high, np.maximum(low, middle - 1))
        inside = (node >= 0) & (time >= self.start[low]) & (time < self.end[low])
        return np.where(inside, low, NOWHERE)

    def place(self, stretch: IntArray, time: IntArray) -> tuple[IntArray, IntArray]:
        """(n,) slot and row of each time; every time lies in its stretch."""
        slot = time // self.interval_us - self._before[stretch]
        row: IntArray = self.row_of_slot[slot]
        return slot, row

    def node_of_row(self) -> IntArray:
        """(rows,) node codes."""
        return self._to_rows(np.repeat(self.node, self._lengths))

    def time_of_row(self) -> IntArray:
        """(rows,) start of the interval, µs since the epoch."""
        return self._to_rows(self._interval_of_slot() * self.interval_us)

    def observed(self) -> Float32Array:
        """(rows,) share of the interval that lies in stretches."""
        begin = self._interval_of_slot() * self.interval_us
        heard = np.minimum(begin + self.interval_us, np.repeat(self.end, self._lengths))
        heard -= np.maximum(begin, np.repeat(self.start, self._lengths))
        total = np.zeros(self.rows, dtype=np.int64)
        np.add.at(total, self.row_of_slot, heard)
        share: Float32Array = (total / self.interval_us).astype(np.float32)
        return share

    def balance(self, change: IntArray) -> IntArray:
        """(rows,) running sum of `change` (slots,) since the start of the stretch, at the end of each row."""
        running = np.cumsum(change)
        before = (running - change)[self.slot]
        return self._to_rows(running - np.repeat(before, self._lengths))

    def _interval_of_slot(self) -> IntArray:
        interval: IntArray = np.arange(self.slots) - np.repeat(self.slot - self.first, self._lengths)
        return interval

    def _to_rows(self, of_slot: IntArray) -> IntArray:
        """Of a row's slots the last one's value (a repeated index is assigned in order)."""
        values = np.zeros(self.rows, dtype=np.int64)
        values[self.row_of_slot] = of_slot
        return values


def _check(stretches: Sequence[Interval], interval_us: int) -> None:
    lengths: dict[str, int] = {}
    for node, _, start, end in stretches:
        if not 0 <= start < end <= LATEST_US:
            raise TableError(
                f"Node {node!r} was listened to from {start} to {end} µs since 1970, but time runs from 1970 to 2200; "
                "correct the time stamps."
            )
        lengths[node] = lengths.get(node, 0) + (end - 1) // interval_us - start // interval_us + 1
        if lengths[node] > LONGEST:
            raise TableError(
                f"Node {node!r} was listened to for {lengths[node]} intervals, but at most {LONGEST} (two years of "
                "minutes) can be described at once; correct the time stamps or split the file."
            )
