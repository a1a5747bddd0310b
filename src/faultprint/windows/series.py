"""The series of one node: its minutes on a regular grid.

A minute without traffic has a row in the minutes table and is observed. A minute that no probe recorded has no row and is
a gap. The grid keeps the two apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.errors import TableError
from faultprint.units import MINUTE_US

MAX_MINUTES: Final = 1_051_200
"""Longest series (two years of minutes): a row with a wrong time stamp must not fill the memory."""
MIN_OBSERVED_SHARE: Final = 0.5
"""An interval observed for a smaller share counts as a gap: its low counts would look like a loss of traffic."""


@dataclass(frozen=True, slots=True)
class Series:
    """The minutes of one node, first to last, gaps included.

    node, network   names
    first_us        start of the first minute, µs UTC
    interval_us     length of a minute, µs
    names           the F features, in order
    values          (T, F) float32, NaN where a feature has no value and in gaps
    observed        (T,) bool, False in a gap
    """

    node: str
    network: str
    first_us: int
    interval_us: int
    names: tuple[str, ...]
    values: Float32Array
    observed: BoolArray

    def __len__(self) -> int:
        return len(self.observed)

    @property
    def minute_us(self) -> IntArray:
        """(T,) start of every minute, µs UTC."""
        return self.first_us + self.interval_us * np.arange(len(self), dtype=np.int64)

    def slice(self, start: int, stop: int) -> Series:
        """Minutes `start` up to `stop` (indices), as views. Raises ValueError for an empty slice."""
        start, stop, _ = slice(start, stop).indices(len(self))
        if stop <= start:
            raise ValueError(f"minutes {start} to {stop} are no part of a series of {len(self)} minutes")
        return Series(
            self.node,
            self.network,
            self.first_us + start * self.interval_us,
            self.interval_us,
            self.names,
            self.values[start:stop],
            self.observed[start:stop],
        )


def build_series(minutes: pl.DataFrame, names: Sequence[str], interval_us: int = MINUTE_US) -> list[Series]:
    """The series of every node, in order of node name.

    `minutes` is a MINUTES table, rows in any order; `names` are the features wanted, in the model's order. Raises
    TableError for a missing feature, a row off the grid or twice, or a node in two networks or longer than two years.
    """
    missing = [name for name in names if name not in minutes.columns]
    if missing:
        raise TableError(
            f"The minutes lack feature {missing[0]!r} ({len(missing)} of {len(names)} missing); "
            "compute them with the model's catalogue."
        )
    if interval_us <= 0:
        raise TableError(f"An interval of {interval_us} µs is impossible; give a number above 0.")
    rows_by_node = minutes.partition_by("node", as_dict=True)
    return [_series(str(node), rows_by_node[(node,)], tuple(names), interval_us) for (node,) in sorted(rows_by_node)]


def _series(node: str, rows: pl.DataFrame, names: tuple[str, ...], interval_us: int) -> Series:
    networks = rows.get_column("network").unique().cast(pl.String).sort().to_list()
    if len(networks) > 1:
        raise TableError(
            f"Node {node!r} is in networks {networks[0]!r} and {networks[1]!r}, but a node belongs to one; rename one node."
        )
    start = rows.get_column("minute").dt.epoch("us").to_numpy().astype(np.int64)
    first = int(start.min())
    offset = start - first
    index = offset // interval_us
    length = int(index.max()) + 1
    check_length(node, length)
    if (offset % interval_us).any():
        raise TableError(
            f"The minutes of node {node!r} do not lie on a grid of {interval_us / 1e6:g} s; make them again: "
            f"faultprint features --interval {interval_us / 1e6:g}"
        )
    if len(np.unique(index)) != len(index):
        raise TableError(f"Node {node!r} has two rows for one minute; remove the duplicates.")
    observed_rows = rows.get_column("observed").to_numpy() >= MIN_OBSERVED_SHARE
    values = np.full((length, len(names)), np.nan, dtype=np.float32)
    values[index[observed_rows]] = feature_matrix(rows, names)[observed_rows]
    observed = np.zeros(length, dtype=np.bool_)
    observed[index] = observed_rows
    return Series(node, networks[0], first, interval_us, names, values, observed)


def check_length(node: str, length: int) -> None:
    """Raise TableError for a series of more than MAX_MINUTES minutes."""
    if length > MAX_MINUTES:
        raise TableError(
            f"The minutes of node {node!r} span {length} intervals, but at most {MAX_MINUTES} (two years) are possible; "
            "correct wrong time stamps, or split the table."
        )


def infinite_rows(rows: pl.DataFrame, names: Sequence[str]) -> BoolArray:
    """(rows,) which rows hold an infinite number."""
    schema = rows.schema  # Polars makes it anew each time.
    floats = [name for name in names if schema[name].is_float()]
    if not floats or rows.is_empty():
        return np.zeros(len(rows), np.bool_)
    found = rows.select(pl.any_horizontal(pl.col(floats).is_infinite()).fill_null(False))
    return found.to_series().to_numpy().astype(np.bool_)


def feature_matrix(rows: pl.DataFrame, names: Sequence[str]) -> Float32Array:
    """(rows, F) float32; nulls and non-finite numbers become NaN."""
    matrix = rows.select(pl.col(names).cast(pl.Float32)).to_numpy(order="c", writable=True)
    matrix[~np.isfinite(matrix)] = np.nan
    return matrix
