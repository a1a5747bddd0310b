"""The grid: all monitored intervals of all nodes as rows, in order of node and time.

An interval is one minute, unless configured otherwise. A row is an interval that overlaps a coverage interval. A segment
is the part of one coverage interval in one row. A row has several segments only if monitoring stopped and started again
within the interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from faultprint.arrays import Float32Array, IntArray
from faultprint.errors import TableError, UsageError
from faultprint.features.coverage import CoverageInterval

MAX_INTERVALS: Final = 1_051_200
"""Most intervals of one node (two years of minutes): a wrong time stamp must not fill the memory."""
MAX_TIME_US: Final = 7_258_118_400_000_000
"""The year 2200. Coverage lies between 1970 and then, so that no difference of times overflows."""
NOT_COVERED: Final = -1


class Grid:
    """The rows of some coverage.

    nodes, networks      per node: names
    node                 per coverage interval, int64: node code
    start, end           per coverage interval, int64: µs since 1970
    first                per coverage interval, int64: number of its first interval since 1970
    row, segment         per coverage interval, int64: row and segment of that first interval
    rows, segments       totals
    row_of_segment       per segment, int64
    """

    def __init__(self, coverage: Sequence[CoverageInterval], interval_us: int) -> None:
        """`coverage` comes from `merge_intervals`. Raises UsageError, TableError."""
        if interval_us <= 0:
            raise UsageError(f"An interval of {interval_us} µs is impossible; give a number above 0.")
        self.interval_us = interval_us
        networks = {covered.node: covered.network for covered in coverage}
        self.nodes, self.networks = tuple(networks), tuple(networks.values())
        codes = {node: code for code, node in enumerate(self.nodes)}
        self.node = np.array([codes[covered.node] for covered in coverage], dtype=np.int64)
        _check(coverage, interval_us)
        self.start = np.array([covered.start_us for covered in coverage], dtype=np.int64)
        self.end = np.array([covered.end_us for covered in coverage], dtype=np.int64)
        self.first = self.start // interval_us
        last = (self.end - 1) // interval_us
        lengths = last - self.first + 1
        shared = np.zeros(len(coverage), dtype=np.int64)
        shared[1:] = (self.node[1:] == self.node[:-1]) & (self.first[1:] == last[:-1])
        self.segment = np.cumsum(lengths) - lengths
        self.row = self.segment - np.cumsum(shared)
        self.segments = int(lengths.sum())
        self.rows = self.segments - int(shared.sum())
        self._lengths = lengths
        self._before = self.first - self.segment
        self.row_of_segment = np.arange(self.segments) - np.repeat(self.segment - self.row, lengths)
        self._first_of_node = np.searchsorted(self.node, np.arange(len(self.nodes) + 1))

    def locate(self, node: npt.NDArray[np.integer], time: IntArray) -> IntArray:
        """(n,) index of the coverage interval that contains each time, NOT_COVERED if there is none.

        `node` are node codes, negative for an unknown node.
        """
        if not len(self.node):
            return np.full(len(time), NOT_COVERED, dtype=np.int64)
        known = np.maximum(node, 0)
        low = self._first_of_node[known]
        if most := int(np.diff(self._first_of_node).max() - 1):
            high = self._first_of_node[known + 1] - 1
            for _ in range(most.bit_length()):
                middle = (low + high + 1) >> 1
                later = self.start[middle] <= time
                low, high = np.where(later, middle, low), np.where(later, high, np.maximum(low, middle - 1))
        inside = (node >= 0) & (time >= self.start[low]) & (time < self.end[low])
        return np.where(inside, low, NOT_COVERED)

    def place(self, covered: IntArray, time: IntArray) -> tuple[IntArray, IntArray]:
        """(n,) segment and row of each time, which lies in the coverage interval of index `covered`."""
        segment = time // self.interval_us - self._before[covered]
        row: IntArray = self.row_of_segment[segment]
        return segment, row

    def node_of_row(self) -> IntArray:
        """(rows,) node codes."""
        return self._to_rows(np.repeat(self.node, self._lengths))

    def time_of_row(self) -> IntArray:
        """(rows,) start of the interval, µs since 1970."""
        return self._to_rows(self._interval_of_segment() * self.interval_us)

    def observed(self) -> Float32Array:
        """(rows,) share of the interval that is covered."""
        begin = self._interval_of_segment() * self.interval_us
        covered_us = np.minimum(begin + self.interval_us, np.repeat(self.end, self._lengths))
        covered_us -= np.maximum(begin, np.repeat(self.start, self._lengths))
        total = np.zeros(self.rows, dtype=np.int64)
        np.add.at(total, self.row_of_segment, covered_us)
        share: Float32Array = (total / self.interval_us).astype(np.float32)
        return share

    def balance(self, change: IntArray) -> IntArray:
        """(rows,) running sum of `change` (segments,) since the coverage interval began, at the end of each row."""
        running = np.cumsum(change)
        before = (running - change)[self.segment]
        return self._to_rows(running - np.repeat(before, self._lengths))

    def _interval_of_segment(self) -> IntArray:
        interval: IntArray = np.arange(self.segments) - np.repeat(self.segment - self.first, self._lengths)
        return interval

    def _to_rows(self, of_segment: IntArray) -> IntArray:
        """The value of each row's last segment (a repeated index is assigned in order)."""
        values = np.zeros(self.rows, dtype=np.int64)
        values[self.row_of_segment] = of_segment
        return values


def _check(coverage: Sequence[CoverageInterval], interval_us: int) -> None:
    lengths: dict[str, int] = {}
    for node, _, start, end in coverage:
        if not 0 <= start < end <= MAX_TIME_US:
            raise TableError(
                f"The coverage of node {node!r} is from {start} to {end} µs since 1970, but it must lie between 1970 and "
                "2200; correct the time stamps."
            )
        lengths[node] = lengths.get(node, 0) + (end - 1) // interval_us - start // interval_us + 1
        if lengths[node] > MAX_INTERVALS:
            raise TableError(
                f"The coverage of node {node!r} has {lengths[node]} intervals, but at most {MAX_INTERVALS} (two years of "
                "minutes) are possible; correct the time stamps or split the file."
            )
