"""Transactions to minutes, in batch.

A request counts in the interval in which it starts, its outcome in the one in which it completes. Intervals are
aligned to the epoch. An interval that lies, at least in part, in a stretch that was listened to is a row; without traffic its
counts are 0 and what has no denominator is null. An interval in no stretch has no row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from faultprint import storage
from faultprint.features import coverage as coverages
from faultprint.features.catalogue import SIP_CATALOGUE, Catalogue
from faultprint.features.checks import check_columns, check_figures, check_grid, check_metadata
from faultprint.features.coverage import Interval
from faultprint.features.grid import Grid
from faultprint.features.partitions import Partition, PartitionPlan, Survey
from faultprint.features.report import FeatureReport
from faultprint.features.selection import Columns, read, split
from faultprint.features.tally import OPEN, count
from faultprint.tables import CATALOGUE_KEY, MINUTES, TRANSACTIONS
from faultprint.units import MINUTE_US

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class MinutesTable:
    """A MINUTES table and what it follows; the columns of `frame` are MINUTES.names, then `catalogue.names`."""

    frame: pl.DataFrame
    catalogue: Catalogue
    interval_us: int


def minutes(transactions: pl.LazyFrame, coverage: Sequence[Interval], *, interval_us: int = MINUTE_US) -> pl.DataFrame:
    """The MINUTES table of the SIP catalogue, by node and time: node, network, minute, observed, 132 float32 columns.

    `transactions` is a TRANSACTIONS table, rows in any order; `coverage` the stretches that were listened to. Raises
    TableError for a value that the schema does not allow, UsageError for an interval that is not above 0.
    """
    return compute(transactions, coverage, interval_us=interval_us)[0]


def build(
    transactions_path: Path, out: Path, *, interval_us: int = MINUTE_US, progress: Progress | None = None
) -> FeatureReport:
    """Read a TRANSACTIONS file, write the MINUTES file, and say how good the data was. Raises as `minutes` does.

    A file without coverage in its metadata (ready-made records) is taken to have been listened to from the first start
    to the last completion of each node.
    """
    transactions = storage.scan(transactions_path, TRANSACTIONS)
    frame, report = compute(transactions, coverages.read(transactions_path), interval_us=interval_us, progress=progress)
    write_minutes(frame, out, interval_us=interval_us)
    return report


def write_minutes(frame: pl.DataFrame, out: Path, *, interval_us: int = MINUTE_US) -> None:
    """Put a MINUTES table of the SIP catalogue at `out`, all or nothing; `read_minutes` takes it. Raises TableError."""
    named = {"name": SIP_CATALOGUE.name, "hash": SIP_CATALOGUE.hash, "interval_us": interval_us}
    storage.write(frame, MINUTES, out, {CATALOGUE_KEY: json.dumps(named)})


def read_minutes(path: Path, catalogue: Catalogue = SIP_CATALOGUE) -> MinutesTable:
    """The MINUTES file at `path`, all of it checked against `catalogue`.

    Raises TableError where the file follows another catalogue, has other columns, an interval twice or off the grid, or
    values that no interval can have: not finite, or below 0 in a count, ratio or duration.
    """
    frame = storage.read(path, MINUTES)
    interval_us = check_metadata(path, catalogue)
    check_columns(path, frame.columns, catalogue)
    check_grid(frame, path, interval_us)
    check_figures(frame, path, catalogue)
    return MinutesTable(frame.select(*MINUTES.names, *catalogue.names), catalogue, interval_us)


def compute(
    transactions: pl.LazyFrame,
    coverage: Sequence[Interval] | None,
    *,
    interval_us: int,
    progress: Progress | None = None,
) -> tuple[pl.DataFrame, FeatureReport]:
    """The minutes and the report on them; without `coverage` it is inferred. `progress` gets transactions done, all."""
    Grid((), interval_us)
    survey = Survey.of(transactions, interval_us)
    stretches = survey.stretches() if coverage is None else coverages.normalise(coverage)
    grid = Grid(stretches, interval_us)
    survey.check_networks(grid)
    report = _report(survey, grid, stretches, inferred=coverage is None)
    plan = PartitionPlan(grid, survey)
    change = np.zeros(grid.slots, dtype=np.int64)
    parts = []
    done = 0
    for chunk, columns in _ahead(transactions, grid, plan):
        started, completed = split(columns, chunk, grid, plan, change, report)
        values = count(started, completed, chunk.end - chunk.begin).values()
        parts.append(pl.DataFrame(dict(zip(SIP_CATALOGUE.names, values, strict=True)), nan_to_null=True))
        done += len(started.row)
        if progress:
            progress(done, survey.rows)
    return _assemble(grid, plan, parts, change), report


def _ahead(transactions: pl.LazyFrame, grid: Grid, plan: PartitionPlan) -> Iterator[tuple[Partition, Columns]]:
    """The chunks with their transactions, the next one being read while one is worked on."""
    with ThreadPoolExecutor(1) as reader:
        waiting = None
        for chunk in plan.chunks:
            following = chunk, reader.submit(read, transactions, chunk, grid)
            if waiting:
                yield waiting[0], waiting[1].result()
            waiting = following
        if waiting:
            yield waiting[0], waiting[1].result()


def _report(survey: Survey, grid: Grid, stretches: Sequence[Interval], *, inferred: bool) -> FeatureReport:
    between = coverages.gaps(stretches)
    report = FeatureReport(
        rows=survey.rows,
        minutes=grid.rows,
        nodes=len(grid.nodes),
        stretches=len(stretches),
        gaps=len(between),
        gap_us=sum(gap.end_us - gap.start_us for gap in between),
        coverage="inferred" if inferred else "metadata",
    )
    report.dropped["outside_coverage"] = survey.uncovered(grid.nodes)
    return report


def _assemble(grid: Grid, plan: PartitionPlan, parts: list[pl.DataFrame], change: np.ndarray) -> pl.DataFrame:
    """The MINUTES table: the grid's rows beside their features."""
    node = pl.Series(grid.node_of_row())
    columns = {
        "node": pl.Series(grid.nodes, dtype=pl.String).gather(node),
        "network": pl.Series(grid.networks, dtype=pl.String).gather(node),
        "minute": pl.Series(grid.time_of_row()).cast(pl.Datetime("us", "UTC")),
        "observed": pl.Series(grid.observed()),
    }
    empty = pl.DataFrame(schema=dict.fromkeys(SIP_CATALOGUE.names, pl.Float32))
    features = pl.concat([empty, *parts])[plan.position]
    is_open = pl.Series(OPEN, grid.balance(change).astype(np.float32))
    return pl.DataFrame(columns).hstack(features.with_columns(is_open))
