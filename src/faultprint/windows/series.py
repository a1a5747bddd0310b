"""One node's minutes on a regular grid.

A minute without traffic has a row in the minutes table and is observed; a minute that nobody listened to has none and
is a gap. The grid keeps the two apart.
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

LONGEST: Final = 1_051_200
"""Minutes that one series may span (two years): a row with an absurd time stamp must not fill the memory."""
LEAST_OBSERVED: Final = 0.5
"""Share of an interval below which it counts as a gap: its counts would look like a loss of traffic."""


@dataclass(frozen=True, slots=True)
class Series:
    """The minutes of one node, first to last, gaps included.

    `values` is (T, F) float32, NaN where a feature has no value; `observed` is (T,) bool, False in a gap, where the
    whole row of `values` is NaN. Minute `t` starts at `first_us + t * interval_us` (µs, UTC).
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

    def part(self, start: int, stop: int) -> Series:
        """Minutes `start` up to `stop` (indices; views, nothing is copied). Raises ValueError for an empty part."""
        start, stop, _ = slice(start, stop).indices(len(self))
        if stop <= start:
            raise ValueError(f"minutes {start} to {stop} of {len(self)} are no part of a series")
        return Series(
            self.node,
            self.network,
            self.first_us + start * self.interval_us,
            self.interval_us,
            self.names,
            self.values[start:stop],
            self.observed[start:stop],
        )


def series(minutes: pl.DataFrame, names: Sequence[str], interval_us: int = MINUTE_US) -> list[Series]:
    """Every node's minutes on a grid of `interval_us`, in order of node name.

    `minutes` is a MINUTES table, rows in any order; `names` the features wanted, in the model's order. Raises TableError
    if a feature is absent, a row is off the grid or comes twice, a node has two networks or spans more than two years.
    """
    absent = [name for name in names if name not in minutes.columns]
    if absent:
        raise TableError(
            f"The minutes lack feature {absent[0]!r} ({len(absent)} of {len(names)} absent); "
            "make them with the catalogue that the model was trained on."
        )
    if interval_us <= 0:
        raise TableError(f"An interval of {interval_us} µs cannot be used; give one above 0.")
    parts = minutes.partition_by("node", as_dict=True)
    return [_grid(str(node), parts[(node,)], tuple(names), interval_us) for (node,) in sorted(parts)]


def _grid(node: str, rows: pl.DataFrame, names: tuple[str, ...], interval_us: int) -> Series:
    networks = rows.get_column("network").unique().cast(pl.String).sort().to_list()
    if len(networks) > 1:
        raise TableError(
            f"Node {node!r} stands in networks {networks[0]!r} and {networks[1]!r}, but a node belongs to one; rename one."
        )
    start = rows.get_column("minute").dt.epoch("us").to_numpy().astype(np.int64)
    first = int(start.min())
    offset = start - first
    index = offset // interval_us
    length = int(index.max()) + 1
    check_span(node, length)
    if (offset % interval_us).any():
        raise TableError(
            f"The minutes of node {node!r} do not lie on a grid of {interval_us} µs; give the interval that they were made with."
        )
    if len(np.unique(index)) != len(index):
        raise TableError(f"Node {node!r} has two rows for one minute; remove the doubles.")
    seen = rows.get_column("observed").to_numpy() >= LEAST_OBSERVED
    values = np.full((length, len(names)), np.nan, dtype=np.float32)
    values[index[seen]] = matrix(rows, names)[seen]
    observed = np.zeros(length, dtype=np.bool_)
    observed[index] = seen
    return Series(node, networks[0], first, interval_us, names, values, observed)


def check_span(node: str, length: int) -> None:
    """Raise TableError for a series longer than LONGEST."""
    if length > LONGEST:
        raise TableError(
            f"The minutes of node {node!r} span {length} intervals, but at most {LONGEST} (two years) are read at once; "
            "cut the table, and look for an absurd time stamp."
        )


def matrix(rows: pl.DataFrame, names: Sequence[str]) -> Float32Array:
    """(rows, F) float32; nulls and non-finite numbers become NaN."""
    matrix = rows.select(pl.col(names).cast(pl.Float32)).to_numpy(order="c", writable=True)
    matrix[~np.isfinite(matrix)] = np.nan
    return matrix
