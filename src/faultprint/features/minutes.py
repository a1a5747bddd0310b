"""Minutes from transactions, as one batch.

A request counts in the interval in which it starts, its outcome in the one in which it completes. Intervals are aligned
to 1970. An interval that overlaps the coverage has a row. Without traffic its counts are 0, and a ratio without a
denominator is null. An interval outside the coverage has no row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from faultprint import storage
from faultprint.arrays import IntArray
from faultprint.features.catalogue import SIP_CATALOGUE, Catalogue
from faultprint.features.checks import check_columns, check_feature_values, check_grid, check_metadata
from faultprint.features.coverage import CoverageInterval, coverage_gaps, merge_intervals, read_coverage
from faultprint.features.events import Columns, place_events, read_transactions
from faultprint.features.grid import Grid
from faultprint.features.partitions import PartitionPlan, RowPartition, TransactionSurvey
from faultprint.features.report import FeatureReport
from faultprint.features.tally import OPEN, tally_events
from faultprint.progress import Progress
from faultprint.tables import CATALOGUE_KEY, MINUTES, TRANSACTIONS
from faultprint.units import MINUTE_US


@dataclass(frozen=True, slots=True)
class MinutesTable:
    """A MINUTES table with its catalogue and interval. The columns are MINUTES.names, then `catalogue.names`."""

    frame: pl.DataFrame
    catalogue: Catalogue
    interval_us: int


def compute_minutes(
    transactions: pl.LazyFrame, coverage: Sequence[CoverageInterval], *, interval_us: int = MINUTE_US
) -> pl.DataFrame:
    """The MINUTES table of the SIP catalogue, by node and time: node, network, minute, observed, 132 float32 columns.

    `transactions` is a TRANSACTIONS table, rows in any order. Raises TableError for a value that the schema does not
    allow, UsageError for an interval that is not above 0.
    """
    return compute_minutes_with_report(transactions, coverage, interval_us=interval_us)[0]


def build_minutes_file(
    transactions_path: Path, out: Path, *, interval_us: int = MINUTE_US, progress: Progress | None = None
) -> FeatureReport:
    """Read a TRANSACTIONS file, write the MINUTES file, and report the data quality. Raises as `compute_minutes`.

    For a file without coverage in its metadata, the coverage of a node is from its first start to its last completion.
    """
    transactions = storage.scan(transactions_path, TRANSACTIONS)
    coverage = read_coverage(transactions_path)
    frame, report = compute_minutes_with_report(transactions, coverage, interval_us=interval_us, progress=progress)
    write_minutes(frame, out, interval_us=interval_us)
    return report


def write_minutes(frame: pl.DataFrame, out: Path, *, interval_us: int = MINUTE_US) -> None:
    """Write a MINUTES table of the SIP catalogue to `out`, all or nothing, for `read_minutes`. Raises TableError."""
    metadata = {"name": SIP_CATALOGUE.name, "hash": SIP_CATALOGUE.hash, "interval_us": interval_us}
    storage.write(frame, MINUTES, out, {CATALOGUE_KEY: json.dumps(metadata)})


def read_minutes(path: Path, catalogue: Catalogue = SIP_CATALOGUE) -> MinutesTable:
    """The MINUTES file at `path`, completely checked against `catalogue`.

    Raises TableError where the file follows another catalogue, has other columns, an interval twice or off the grid, or
    an impossible value: not finite, or below 0 for a count, ratio or duration.
    """
    frame = storage.read(path, MINUTES)
    interval_us = check_metadata(path, catalogue)
    check_columns(path, frame.columns, catalogue)
    check_grid(frame, path, interval_us)
    check_feature_values(frame, path, catalogue)
    return MinutesTable(frame.select(*MINUTES.names, *catalogue.names), catalogue, interval_us)


def compute_minutes_with_report(
    transactions: pl.LazyFrame,
    coverage: Sequence[CoverageInterval] | None,
    *,
    interval_us: int,
    progress: Progress | None = None,
) -> tuple[pl.DataFrame, FeatureReport]:
    """The MINUTES table and the report on it. Without `coverage`, it is inferred from the transactions.

    Calls `progress` with the number of transactions done, and of all.
    """
    Grid((), interval_us)  # Refuses a bad interval before the transactions are read.
    survey = TransactionSurvey.scan(transactions, interval_us)
    merged = survey.inferred_coverage() if coverage is None else merge_intervals(coverage)
    grid = Grid(merged, interval_us)
    survey.check_networks(grid)
    report = _report(survey, grid, merged, inferred=coverage is None)
    plan = PartitionPlan(grid, survey)
    change = np.zeros(grid.segments, dtype=np.int64)
    frames = []
    done = 0
    for partition, columns in _read_ahead(transactions, grid, plan):
        started, completed = place_events(columns, partition, grid, plan, change, report)
        values = tally_events(started, completed, partition.end - partition.begin).values()
        frames.append(pl.DataFrame(dict(zip(SIP_CATALOGUE.names, values, strict=True)), nan_to_null=True))
        done += len(started.row)
        if progress:
            progress(done, survey.rows)
    return _assemble(grid, plan, frames, change), report


def _read_ahead(transactions: pl.LazyFrame, grid: Grid, plan: PartitionPlan) -> Iterator[tuple[RowPartition, Columns]]:
    """The partitions with their transactions. A thread reads the next partition while the caller uses one."""
    with ThreadPoolExecutor(1) as reader:
        waiting = None
        for partition in plan.partitions:
            following = partition, reader.submit(read_transactions, transactions, partition, grid)
            if waiting:
                yield waiting[0], waiting[1].result()
            waiting = following
        if waiting:
            yield waiting[0], waiting[1].result()


def _report(
    survey: TransactionSurvey, grid: Grid, coverage: Sequence[CoverageInterval], *, inferred: bool
) -> FeatureReport:
    gaps = coverage_gaps(coverage)
    report = FeatureReport(
        rows=survey.rows,
        minutes=grid.rows,
        nodes=len(grid.nodes),
        coverage_intervals=len(coverage),
        gaps=len(gaps),
        gap_us=sum(gap.end_us - gap.start_us for gap in gaps),
        coverage="inferred" if inferred else "metadata",
    )
    report.dropped["outside_coverage"] = survey.rows_of_other_nodes(grid.nodes)
    return report


def _assemble(grid: Grid, plan: PartitionPlan, frames: list[pl.DataFrame], change: IntArray) -> pl.DataFrame:
    """The MINUTES table: the rows of the grid with their features."""
    node = pl.Series(grid.node_of_row())
    columns = {
        "node": pl.Series(grid.nodes, dtype=pl.String).gather(node),
        "network": pl.Series(grid.networks, dtype=pl.String).gather(node),
        "minute": pl.Series(grid.time_of_row()).cast(pl.Datetime("us", "UTC")),
        "observed": pl.Series(grid.observed()),
    }
    empty = pl.DataFrame(schema=dict.fromkeys(SIP_CATALOGUE.names, pl.Float32))
    features = pl.concat([empty, *frames])[plan.position]
    open_transactions = pl.Series(OPEN, grid.balance(change).astype(np.float32))
    return pl.DataFrame(columns).hstack(features.with_columns(open_transactions))
