"""Long histories in parts: which transactions to hold in memory together.

A first pass counts transactions by node and interval (the survey); time is then cut into parts that hold a bounded
number of transactions and of intervals; where the file keeps its nodes apart, so do the parts. A transaction belongs to
every part in which it starts or completes. A file in order of time, or of node and time, is read about once: the row
groups' statistics tell which of them a part needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl

from faultprint.arrays import BoolArray, Float64Array, IntArray
from faultprint.errors import TableError
from faultprint.features.coverage import Interval, normalise
from faultprint.features.grid import Grid

MOST_TRANSACTIONS: Final = 500_000
MOST_ROWS: Final = 32_768
"""About what one chunk holds: some 250 MB with the chunk that is being read."""

MICROSECONDS: Final = pl.Int64()


@dataclass(frozen=True, slots=True)
class Survey:
    """What the transactions hold: by node, network and interval, how many start, from when to when they run, and where
    in the file they are."""

    counts: pl.DataFrame

    @classmethod
    def of(cls, transactions: pl.LazyFrame, interval_us: int) -> Survey:
        """One streaming pass over node, network, start and completion. Raises TableError for a null among the first three."""
        start, completion = (pl.col(name).cast(MICROSECONDS) for name in ("start", "completion"))
        counts = (
            transactions.with_row_index("place", offset=0)
            .group_by("node", "network", interval=start // interval_us)
            .agg(
                pl.len().alias("rows"),
                start.min().alias("first"),
                pl.max_horizontal(start, completion).max().alias("last"),
                pl.col("place").min().alias("top"),
                pl.col("place").max().alias("bottom"),
            )
            .with_columns(pl.col("node", "network").cast(pl.String))
            .collect(engine="streaming")
        )
        for column in ("node", "network", "interval"):
            if counts.get_column(column).null_count():
                name = "start" if column == "interval" else column
                raise TableError(f"The transactions lack a {name} in some rows, but every row needs one; correct them.")
        return cls(counts)

    @property
    def rows(self) -> int:
        return int(self.counts.get_column("rows").sum())

    @property
    def by_node(self) -> bool:
        """Whether each node's transactions lie (nearly) together in the file."""
        spans = self.counts.group_by("node").agg(pl.col("top").min(), pl.col("bottom").max())
        return int((spans["bottom"] - spans["top"] + 1).sum()) <= 2 * self.rows

    def stretches(self) -> tuple[Interval, ...]:
        """Coverage where none is known: each node from its first start to its last completion (or start)."""
        spans = self.counts.group_by("node", "network").agg(pl.col("first").min(), pl.col("last").max() + 1)
        return normalise(Interval(*row) for row in spans.select("node", "network", "first", "last").iter_rows())

    def check_networks(self, grid: Grid) -> None:
        """Raise TableError where transactions put a node into another network than its coverage does."""
        networks = dict(zip(grid.nodes, grid.networks, strict=True))
        for node, network in self.counts.select("node", "network").unique(maintain_order=True).iter_rows():
            if networks.get(node, network) != network:
                raise TableError(
                    f"Node {node!r} is in network {network!r} by its transactions, but in {networks[node]!r} by its "
                    "coverage; correct one of them."
                )

    def uncovered(self, nodes: Sequence[str]) -> int:
        """Transactions of nodes other than these."""
        return int(self.counts.filter(~pl.col("node").is_in(list(nodes))).get_column("rows").sum())


@dataclass(frozen=True, slots=True)
class Partition:
    """The nodes `first` to `last` (codes of the grid) from `since` until `until` (µs; None: from the beginning, to the end).

    Their rows are those at the positions `begin` up to `end` of the plan.
    """

    begin: int
    end: int
    first: int
    last: int
    since: int | None
    until: int | None

    def select(self, transactions: pl.LazyFrame, nodes: Sequence[str]) -> pl.LazyFrame:
        """The transactions that start or complete in the chunk, and a few that do neither."""
        start, completion = pl.col("start"), pl.col("completion")
        chosen = transactions
        if self.last - self.first + 1 < len(nodes):
            chosen = chosen.filter(pl.col("node").is_in(nodes[self.first : self.last + 1]))
        if self.since is not None:
            chosen = chosen.filter((start >= _instant(self.since)) | (completion >= _instant(self.since)))
        if self.until is not None:
            chosen = chosen.filter(start < _instant(self.until))
        return chosen

    def owns(self, time: IntArray) -> BoolArray:
        """(n,) bool: of the chunk's nodes, the times that lie in this chunk and in no other, be it in a stretch or not."""
        mine = np.ones(len(time), dtype=np.bool_)
        if self.since is not None:
            mine &= time >= self.since
        if self.until is not None:
            mine &= time < self.until
        return mine


def _instant(time_us: int) -> pl.Expr:
    """A time of the columns' own type: a cast of the column instead would hide it from the row groups' statistics."""
    return pl.lit(time_us, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))


class PartitionPlan:
    """The chunks of a grid, each row in one of them. `position` is (rows,): the rows' places in the order of the chunks."""

    def __init__(self, grid: Grid, survey: Survey) -> None:
        node, time = grid.node_of_row(), grid.time_of_row()
        load = _load(grid, survey, node, time)
        group = np.zeros(len(grid.nodes), dtype=np.int64)
        if survey.by_node:
            of_node = np.bincount(node, load, minlength=len(grid.nodes))
            group = np.floor(np.cumsum(of_node) - of_node).astype(np.int64)
        order = np.lexsort((node, time, group[node]))
        self.position = np.empty(grid.rows, dtype=np.int64)
        self.position[order] = np.arange(grid.rows)
        edges = np.flatnonzero(np.diff(group[node[order]], prepend=-1)).tolist()
        self.chunks: list[Partition] = []
        for begin, end in pairwise([*edges, grid.rows]):
            part = order[begin:end]
            self.chunks += _cut(begin, int(node[part].min()), int(node[part].max()), time[part], load[part])


def _cut(begin: int, first: int, last: int, time: IntArray, load: Float64Array) -> Iterator[Partition]:
    """Chunks of some nodes' rows, which lie in order of time from position `begin` on; never within an interval."""
    interval, at = np.unique(time, return_index=True)
    cuts = np.flatnonzero(np.diff(np.floor(np.cumsum(np.add.reduceat(load, at))))) + 1
    edges = [0, *at[cuts].tolist(), len(time)]
    times: list[int | None] = [None, *interval[cuts].tolist(), None]
    for (low, high), (since, until) in zip(pairwise(edges), pairwise(times), strict=True):
        yield Partition(begin + low, begin + high, first, last, since, until)


def _load(grid: Grid, survey: Survey, node: IntArray, time: IntArray) -> Float64Array:
    """(rows,) the share of a chunk that each row fills; about 1 is full."""
    rows = pl.DataFrame({"node": node, "time": time})
    codes = pl.DataFrame(
        {"node": grid.nodes, "code": range(len(grid.nodes))}, schema={"node": pl.String, "code": pl.Int64}
    )
    counts = survey.counts.join(codes, on="node").select(
        node="code", time=pl.col("interval") * grid.interval_us, starts="rows"
    )
    starts = rows.join(counts, on=["node", "time"], how="left", maintain_order="left").get_column("starts")
    return starts.fill_null(0).to_numpy() / MOST_TRANSACTIONS + 1 / MOST_ROWS
