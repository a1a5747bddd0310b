"""Partitions of a long transactions file, each small enough for the memory.

A first pass counts the transactions by node and interval (the survey). Then time is divided into partitions with a
bounded number of transactions and intervals. If the file keeps each node's transactions together, the partitions do, too.
A transaction belongs to every partition in which it starts or completes. A file in order of time, or of node and time,
is read about once: the statistics of its row groups show which of them a partition needs.
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
from faultprint.features.coverage import CoverageInterval, merge_intervals
from faultprint.features.grid import Grid

MAX_TRANSACTIONS: Final = 500_000
MAX_ROWS: Final = 32_768
"""About the content of one partition: some 250 MB, with the partition that is read meanwhile."""

MICROSECONDS: Final = pl.Int64()


@dataclass(frozen=True, slots=True)
class TransactionSurvey:
    """Counts of the transactions by node, network and interval.

    counts   columns node, network, interval, rows; first and last (µs: first start, last completion or start); top and
             bottom (first and last position in the file)
    """

    counts: pl.DataFrame

    @classmethod
    def scan(cls, transactions: pl.LazyFrame, interval_us: int) -> TransactionSurvey:
        """One streaming pass over four columns. Raises TableError for a row without node, network or start."""
        start, completion = (pl.col(name).cast(MICROSECONDS) for name in ("start", "completion"))
        counts = (
            transactions.with_row_index("position", offset=0)
            .group_by("node", "network", interval=start // interval_us)
            .agg(
                pl.len().alias("rows"),
                start.min().alias("first"),
                pl.max_horizontal(start, completion).max().alias("last"),
                pl.col("position").min().alias("top"),
                pl.col("position").max().alias("bottom"),
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
        """Number of transactions."""
        return int(self.counts.get_column("rows").sum())

    @property
    def is_grouped_by_node(self) -> bool:
        """Whether the transactions of each node lie (nearly) together in the file."""
        spans = self.counts.group_by("node").agg(pl.col("top").min(), pl.col("bottom").max())
        return int((spans["bottom"] - spans["top"] + 1).sum()) <= 2 * self.rows

    def inferred_coverage(self) -> tuple[CoverageInterval, ...]:
        """Coverage for a file without one: each node from its first start to its last completion (or start)."""
        spans = self.counts.group_by("node", "network").agg(pl.col("first").min(), pl.col("last").max() + 1)
        rows = spans.select("node", "network", "first", "last").iter_rows()
        return merge_intervals(CoverageInterval(*row) for row in rows)

    def check_networks(self, grid: Grid) -> None:
        """Raise TableError for a node whose transactions and coverage name different networks."""
        networks = dict(zip(grid.nodes, grid.networks, strict=True))
        for node, network in self.counts.select("node", "network").unique(maintain_order=True).iter_rows():
            if networks.get(node, network) != network:
                raise TableError(
                    f"Node {node!r} is in network {network!r} by its transactions, but in {networks[node]!r} by its "
                    "coverage; correct one of them."
                )

    def rows_of_other_nodes(self, nodes: Sequence[str]) -> int:
        """Number of transactions of nodes other than these."""
        return int(self.counts.filter(~pl.col("node").is_in(list(nodes))).get_column("rows").sum())


@dataclass(frozen=True, slots=True)
class RowPartition:
    """Some nodes over some time.

    begin, end            the partition's rows: positions `begin` up to `end` of the plan
    first_node, last_node node codes of the grid, both included
    since_us, until_us    µs; None: from the beginning, to the end
    """

    begin: int
    end: int
    first_node: int
    last_node: int
    since_us: int | None
    until_us: int | None

    def filter(self, transactions: pl.LazyFrame, nodes: Sequence[str]) -> pl.LazyFrame:
        """The transactions that start or complete in the partition, and a few that do neither."""
        start, completion = pl.col("start"), pl.col("completion")
        selected = transactions
        if self.last_node - self.first_node + 1 < len(nodes):
            selected = selected.filter(pl.col("node").is_in(nodes[self.first_node : self.last_node + 1]))
        if self.since_us is not None:
            selected = selected.filter((start >= _instant(self.since_us)) | (completion >= _instant(self.since_us)))
        if self.until_us is not None:
            selected = selected.filter(start < _instant(self.until_us))
        return selected

    def contains(self, time: IntArray) -> BoolArray:
        """(n,) bool: whether each time (µs) of a node of the partition lies in it, covered or not."""
        inside = np.ones(len(time), dtype=np.bool_)
        if self.since_us is not None:
            inside &= time >= self.since_us
        if self.until_us is not None:
            inside &= time < self.until_us
        return inside


def _instant(time_us: int) -> pl.Expr:
    """A time of the columns' own type. A cast of the column would hide it from the statistics of the row groups."""
    return pl.lit(time_us, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))


class PartitionPlan:
    """The partitions of a grid. Each row is in one of them.

    partitions   in order
    position     (rows,) position of each row in the order of the partitions
    """

    def __init__(self, grid: Grid, survey: TransactionSurvey) -> None:
        node, time = grid.node_of_row(), grid.time_of_row()
        load = _load(grid, survey, node, time)
        group = np.zeros(len(grid.nodes), dtype=np.int64)
        if survey.is_grouped_by_node:
            load_of_node = np.bincount(node, load, minlength=len(grid.nodes))
            group = np.floor(np.cumsum(load_of_node) - load_of_node).astype(np.int64)
        order = np.lexsort((node, time, group[node]))
        self.position = np.empty(grid.rows, dtype=np.int64)
        self.position[order] = np.arange(grid.rows)
        edges = np.flatnonzero(np.diff(group[node[order]], prepend=-1)).tolist()
        self.partitions: list[RowPartition] = []
        for begin, end in pairwise([*edges, grid.rows]):
            rows = order[begin:end]
            self.partitions += _divide(begin, int(node[rows].min()), int(node[rows].max()), time[rows], load[rows])


def _divide(begin: int, first_node: int, last_node: int, time: IntArray, load: Float64Array) -> Iterator[RowPartition]:
    """Partitions of some nodes' rows, which are in order of time from position `begin` on. No interval is divided."""
    interval, index = np.unique(time, return_index=True)
    cuts = np.flatnonzero(np.diff(np.floor(np.cumsum(np.add.reduceat(load, index))))) + 1
    edges = [0, *index[cuts].tolist(), len(time)]
    times: list[int | None] = [None, *interval[cuts].tolist(), None]
    for (low, high), (since, until) in zip(pairwise(edges), pairwise(times), strict=True):
        yield RowPartition(begin + low, begin + high, first_node, last_node, since, until)


def _load(grid: Grid, survey: TransactionSurvey, node: IntArray, time: IntArray) -> Float64Array:
    """(rows,) the share of a partition that each row fills. A full partition has about 1."""
    rows = pl.DataFrame({"node": node, "time": time})
    codes = pl.DataFrame(
        {"node": grid.nodes, "code": range(len(grid.nodes))}, schema={"node": pl.String, "code": pl.Int64}
    )
    counts = survey.counts.join(codes, on="node").select(
        node="code", time=pl.col("interval") * grid.interval_us, starts="rows"
    )
    starts = rows.join(counts, on=["node", "time"], how="left", maintain_order="left").get_column("starts")
    return starts.fill_null(0).to_numpy() / MAX_TRANSACTIONS + 1 / MAX_ROWS
