"""A history too long for the memory: laid out once in a file, node by node, and read a stretch at a time."""

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

from faultprint.arrays import BoolArray, IntArray
from faultprint.errors import TableError
from faultprint.features.minutes_file import MinutesFile
from faultprint.training.data.sliced import Sliced
from faultprint.windows.series import LEAST_OBSERVED, Series, check_span, matrix


@contextmanager
def laid_out(files: Sequence[MinutesFile], folder: Path) -> Iterator[list[Series]]:
    """The series of every node of all files, in order of node name, whose values are in a file without a name in `folder`.

    What they hold is what `windows.series.series` gives. The file takes 4 bytes a feature and minute, and is gone at the end
    of the block, and after a kill as well. Raises TableError, for files that are not of one kind and a node in two of them, too.
    """
    _check_alike(files)
    with tempfile.TemporaryFile(dir=folder) as file:
        made: dict[str, tuple[_Grid, MinutesFile]] = {}
        first_row = 0
        for minutes in files:
            for node, network, first, last in (
                minutes.nodes().with_columns(pl.col("first", "last").dt.epoch("us")).rows()
            ):
                if node in made:
                    raise TableError(
                        f"Node {node!r} is in {made[node][1].path} and in {minutes.path}; rename one, or give one file."
                    )
                length = (last - first) // minutes.interval_us + 1
                check_span(node, length)
                rows = HistoryRows(file.fileno(), first_row, np.zeros(length, dtype=np.bool_), len(minutes.catalogue))
                made[node] = _Grid(node, network, first, np.zeros(length, dtype=np.bool_), rows), minutes
                first_row += length
        os.ftruncate(file.fileno(), first_row * 4 * len(files[0].catalogue))
        for minutes in files:
            for piece in minutes.pieces():
                parts = piece.with_columns(pl.col("node").cast(pl.String)).partition_by("node", as_dict=True)
                for (node,), part in parts.items():
                    made[str(node)][0].put(part, minutes)
        yield [grid.series(minutes) for _, (grid, minutes) in sorted(made.items())]


def _check_alike(files: Sequence[MinutesFile]) -> None:
    for other in files[1:]:
        if (other.catalogue.hash, other.interval_us) != (files[0].catalogue.hash, files[0].interval_us):
            raise TableError(
                f"{other.path} and {files[0].path} have other features or intervals; make both with the same ones."
            )


class HistoryRows(Sliced):
    """Minutes in a file.

    A slice is read when it is asked for; minutes that are not `observed` are NaN.
    """

    def __init__(self, file: int, first_row: int, observed: BoolArray, features: int) -> None:
        self.shape = len(observed), features
        self.observed = observed
        self._file, self._first_row = file, first_row

    def __getitem__(self, part: slice) -> Float32Array:
        start, stop, step = part.indices(len(self))
        values = np.empty((max(stop - start, 0), self.shape[1]), dtype=np.float32)
        self._whole(os.preadv, start, values)
        values[~self.observed[start:stop]] = np.nan
        return values[::step]

    def put(self, index: IntArray, values: Float32Array) -> None:
        """Write the observed rows of these indices (ascending)."""
        self.observed[index] = True
        edges = np.flatnonzero(np.diff(index) != 1) + 1
        for rows, run in zip(np.split(index, edges), np.split(values, edges), strict=True):
            if len(rows):
                self._whole(os.pwritev, int(rows[0]), np.ascontiguousarray(run))

    def _whole(self, move: Any, row: int, values: Float32Array) -> None:
        """Move all bytes between `values` and the file: one call need not."""
        at, left = (self._first_row + row) * 4 * self.shape[1], values.reshape(-1).view(np.uint8).data
        while left:
            done = move(self._file, [left], at)
            if not done:
                raise OSError("the file of the history is shorter than it was made")
            at, left = at + done, left[done:]


@dataclass(frozen=True, slots=True)
class _Grid:
    """A node's minutes as they are put together; `met` are those that had a row, `rows` those listened to as well."""

    node: str
    network: str
    first_us: int
    met: BoolArray
    rows: HistoryRows

    def put(self, part: pl.DataFrame, minutes: MinutesFile) -> None:
        """Take in some rows of the node."""
        part = part.sort("minute")
        index = (part["minute"].dt.epoch("us").to_numpy() - self.first_us) // minutes.interval_us
        if self.met[index].any() or (np.diff(index) == 0).any():
            raise TableError(f"{minutes.path}: node {self.node!r} has two rows for one minute; make the minutes again.")
        self.met[index] = True
        seen = part["observed"].to_numpy() >= LEAST_OBSERVED
        self.rows.put(index[seen], matrix(part, minutes.catalogue.names)[seen])

    def series(self, minutes: MinutesFile) -> Series:
        """What was put together. Its values are read from the file by slices, as all that trains asks for them."""
        values = cast("Float32Array", self.rows)
        names, observed = minutes.catalogue.names, self.rows.observed
        return Series(self.node, self.network, self.first_us, minutes.interval_us, names, values, observed)
