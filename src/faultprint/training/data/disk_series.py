"""Training data that do not fit into memory: the minutes are sorted by node into a temporary file and read block by block."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.errors import TableError
from faultprint.features.minutes_file import MinutesFile
from faultprint.training.data.lazy_array import LazyArray
from faultprint.windows.series import MIN_OBSERVED_SHARE, Series, check_length, feature_matrix


@contextmanager
def disk_backed_series(files: Sequence[MinutesFile], folder: Path) -> Iterator[list[Series]]:
    """The series of all nodes in all files, sorted by node name. Their values are in a temporary file in `folder`.

    The series are equal to those of `windows.series.build_series`. The file takes 4 bytes per feature and minute. It has no
    name, so the system deletes it at the end of the block and also after a kill. Raises TableError if the files have different
    features or intervals, or if a node is in two of them.
    """
    _check_compatible(files)
    with tempfile.TemporaryFile(dir=folder) as file:
        nodes: dict[str, tuple[_NodeRows, MinutesFile]] = {}
        first_row = 0
        for minutes in files:
            for node, network, first, last in (
                minutes.node_ranges().with_columns(pl.col("first", "last").dt.epoch("us")).rows()
            ):
                if node in nodes:
                    raise TableError(
                        f"Node {node!r} is in {nodes[node][1].path} and in {minutes.path}; rename one of the nodes, or give "
                        "only one of the files."
                    )
                length = (last - first) // minutes.interval_us + 1
                check_length(node, length)
                rows = DiskRows(file.fileno(), first_row, np.zeros(length, dtype=np.bool_), len(minutes.catalogue))
                nodes[node] = _NodeRows(node, network, first, np.zeros(length, dtype=np.bool_), rows), minutes
                first_row += length
        os.ftruncate(file.fileno(), first_row * 4 * len(files[0].catalogue))
        for minutes in files:
            for batch in minutes.batches():
                parts = batch.with_columns(pl.col("node").cast(pl.String)).partition_by("node", as_dict=True)
                for (node,), part in parts.items():
                    nodes[str(node)][0].put(part, minutes)
        yield [node_rows.series(minutes) for _, (node_rows, minutes) in sorted(nodes.items())]


def _check_compatible(files: Sequence[MinutesFile]) -> None:
    for other in files[1:]:
        if (other.catalogue.hash, other.interval_us) != (files[0].catalogue.hash, files[0].interval_us):
            raise TableError(
                f"{other.path} and {files[0].path} have different features or intervals; run `faultprint features` with the same "
                "options for both."
            )


class DiskRows(LazyArray):
    """The minutes of one node in the file. A slice is read when it is requested; minutes that are not `observed` are NaN."""

    def __init__(self, file: int, first_row: int, observed: BoolArray, features: int) -> None:
        self.shape = len(observed), features
        self.observed = observed
        self._file, self._first_row = file, first_row

    def __getitem__(self, part: slice) -> Float32Array:
        start, stop, step = part.indices(len(self))
        values = np.empty((max(stop - start, 0), self.shape[1]), dtype=np.float32)
        self._transfer(os.preadv, start, values)
        values[~self.observed[start:stop]] = np.nan
        return values[::step]

    def put(self, index: IntArray, values: Float32Array) -> None:
        """Write the observed rows with these indices (ascending)."""
        self.observed[index] = True
        edges = np.flatnonzero(np.diff(index) != 1) + 1
        for rows, run in zip(np.split(index, edges), np.split(values, edges), strict=True):
            if len(rows):
                self._transfer(os.pwritev, int(rows[0]), np.ascontiguousarray(run))

    def _transfer(self, operation: Any, row: int, values: Float32Array) -> None:
        """Move all bytes between `values` and the file. One system call may move only a part of them."""
        offset, remaining = (self._first_row + row) * 4 * self.shape[1], values.reshape(-1).view(np.uint8).data
        while remaining:
            done = operation(self._file, [remaining], offset)
            if not done:
                raise OSError(
                    "the temporary file of the training minutes became shorter; check the disk and start again"
                )
            offset, remaining = offset + done, remaining[done:]


@dataclass(frozen=True, slots=True)
class _NodeRows:
    """The minutes of one node while they are collected.

    has_row   (T,) true for minutes that had a row in the table
    rows      the values; their `observed` is true where the probe was also running
    """

    node: str
    network: str
    first_us: int
    has_row: BoolArray
    rows: DiskRows

    def put(self, part: pl.DataFrame, minutes: MinutesFile) -> None:
        """Add some rows of the node."""
        part = part.sort("minute")
        index = (part["minute"].dt.epoch("us").to_numpy() - self.first_us) // minutes.interval_us
        if self.has_row[index].any() or (np.diff(index) == 0).any():
            raise TableError(
                f"{minutes.path}: node {self.node!r} has two rows for one minute; run `faultprint features` again."
            )
        self.has_row[index] = True
        observed = part["observed"].to_numpy() >= MIN_OBSERVED_SHARE
        self.rows.put(index[observed], feature_matrix(part, minutes.catalogue.names)[observed])

    def series(self, minutes: MinutesFile) -> Series:
        """The series of the collected rows. Slices of its values are read from the file."""
        # Training only takes slices of the values, which a LazyArray supports.
        values = cast("Float32Array", self.rows)
        names, observed = minutes.catalogue.names, self.rows.observed
        return Series(self.node, self.network, self.first_us, minutes.interval_us, names, values, observed)
