"""Minutes computed batch by batch, with the same bits as computed at once.

Only the number of open transactions carries over from one batch to the next.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from faultprint.features.coverage import CoverageInterval, merge_intervals
from faultprint.features.minutes import compute_minutes_with_report
from faultprint.features.tally import OPEN


class IncrementalMinutes:
    """Computes MINUTES for one batch of intervals after another. Batches touch and contain whole intervals."""

    def __init__(self, interval_us: int) -> None:
        self._interval_us = interval_us
        self.open_transactions: dict[str, int] = {}
        """Node → transactions open at the end of the last batch, since its coverage interval began."""

    def compute(
        self, transactions: pl.DataFrame, coverage: Sequence[CoverageInterval], begin_us: int, end_us: int
    ) -> pl.DataFrame:
        """The MINUTES from `begin_us` until `end_us`, both multiples of the interval.

        transactions   all TRANSACTIONS that start or complete in the batch; others do no harm
        coverage       the coverage since the first of their starts, at least, each interval from its own start; what lies
                       after the batch is ignored

        Raises as `features.minutes` does.
        """
        first = transactions.get_column("start").dt.epoch("us").min()
        low_us = begin_us if first is None else min(begin_us, int(first) // self._interval_us * self._interval_us)  # type: ignore[arg-type]
        merged = merge_intervals(coverage)
        clipped = [
            covered._replace(start_us=max(covered.start_us, low_us), end_us=min(covered.end_us, end_us))
            for covered in merged
            if covered.start_us < end_us and covered.end_us > low_us
        ]
        frame, _ = compute_minutes_with_report(transactions.lazy(), clipped, interval_us=self._interval_us)
        return self._with_open(frame, merged, begin_us, end_us)

    def _with_open(
        self, frame: pl.DataFrame, coverage: Sequence[CoverageInterval], begin_us: int, end_us: int
    ) -> pl.DataFrame:
        """The rows of the batch. Adds the transactions open before it while their coverage interval lasts."""
        start = pl.col("minute").dt.epoch("us")
        shifts = self._shifts(frame.filter(start < begin_us), coverage, begin_us, end_us)
        batch = (
            frame.filter(start >= begin_us)
            .join(shifts, on="node", how="left", maintain_order="left")
            .with_columns(
                pl.when(start + self._interval_us <= pl.col("until"))
                .then((pl.col(OPEN).cast(pl.Int64) + pl.col("shift")).cast(pl.Float32))
                .otherwise(pl.col(OPEN))
                .alias(OPEN)
            )
            .select(frame.columns)
        )
        last = batch.group_by("node", maintain_order=True).agg(pl.col(OPEN).last())
        self.open_transactions |= {node: int(count) for node, count in last.iter_rows()}
        return batch

    def _shifts(
        self, earlier: pl.DataFrame, coverage: Sequence[CoverageInterval], begin_us: int, end_us: int
    ) -> pl.DataFrame:
        """Columns node, shift, until: what to add to a node's open transactions, and until which µs.

        `earlier` are rows before the batch; transactions open at their end are already in the batch's counts.
        """
        start = pl.col("minute").dt.epoch("us")
        last = earlier.group_by("node").agg(pl.col(OPEN).last(), start.max().alias("start"))
        counted = {node: (int(count), int(start_us)) for node, count, start_us in last.iter_rows()}
        rows = []
        for node in {covered.node for covered in coverage}:
            intervals = [covered for covered in coverage if covered.node == node and covered.start_us < end_us]
            running = next((covered for covered in intervals if covered.start_us < begin_us < covered.end_us), None)
            if running is None:
                continue
            count, start_us = counted.get(node, (0, -1))
            included = count if start_us == begin_us - self._interval_us else 0
            later = (covered.start_us for covered in intervals if covered.start_us > running.start_us)
            rows.append((node, self.open_transactions.get(node, 0) - included, min(later, default=end_us)))
        return pl.DataFrame(rows, schema={"node": pl.String, "shift": pl.Int64, "until": pl.Int64}, orient="row")
