"""Minutes made in pieces, the same bits as made at once: what runs over from one piece into the next is carried."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from faultprint.features.coverage import Interval, normalise
from faultprint.features.minutes import compute
from faultprint.features.tally import OPEN


class IncrementalMinutes:
    """Makes the MINUTES of one piece of time after another; pieces are whole intervals and touch.

    Between pieces it carries the transactions open on each node, which count since the stretch of listening began.
    """

    def __init__(self, interval_us: int) -> None:
        self._interval_us = interval_us
        self.open: dict[str, int] = {}
        """Node → transactions open at the end of the last piece."""

    def minutes(
        self, transactions: pl.DataFrame, coverage: Sequence[Interval], begin_us: int, end_us: int
    ) -> pl.DataFrame:
        """The MINUTES from `begin_us` until `end_us`, both multiples of the interval.

        `transactions`: all TRANSACTIONS that start or complete in the piece; others do no harm. `coverage`: the stretches
        since the first of their starts, at least, each from where it began; what lies after the piece is not looked at.
        Raises as `features.minutes` does.
        """
        first = transactions.get_column("start").dt.epoch("us").min()
        low_us = begin_us if first is None else min(begin_us, int(first) // self._interval_us * self._interval_us)  # type: ignore[arg-type]
        stretches = [
            s._replace(start_us=max(s.start_us, low_us), end_us=min(s.end_us, end_us))
            for s in normalise(coverage)
            if s.start_us < end_us and s.end_us > low_us
        ]
        frame, _ = compute(transactions.lazy(), stretches, interval_us=self._interval_us)
        return self._with_open(frame, normalise(coverage), begin_us, end_us)

    def _with_open(self, frame: pl.DataFrame, coverage: Sequence[Interval], begin_us: int, end_us: int) -> pl.DataFrame:
        """The piece's rows, what was open before it added as long as its stretch lasts."""
        start = pl.col("minute").dt.epoch("us")
        before = frame.filter(start < begin_us).group_by("node").agg(pl.col(OPEN).last(), start.max().alias("at"))
        known = {node: (int(count), int(at)) for node, count, at in before.iter_rows()}
        shifts = []
        for node in {stretch.node for stretch in coverage}:
            own = [s for s in coverage if s.node == node and s.start_us < end_us]
            running = next((s for s in own if s.start_us < begin_us < s.end_us), None)
            if running is None:
                continue
            count, at = known.get(node, (0, -1))
            inside = count if at == begin_us - self._interval_us else 0
            following = min((s.start_us for s in own if s.start_us > running.start_us), default=end_us)
            shifts.append((node, self.open.get(node, 0) - inside, following))
        shift = pl.DataFrame(shifts, schema={"node": pl.String, "shift": pl.Int64, "until": pl.Int64}, orient="row")
        piece = (
            frame.filter(start >= begin_us)
            .join(shift, on="node", how="left", maintain_order="left")
            .with_columns(
                pl.when(start + self._interval_us <= pl.col("until"))
                .then((pl.col(OPEN).cast(pl.Int64) + pl.col("shift")).cast(pl.Float32))
                .otherwise(pl.col(OPEN))
                .alias(OPEN)
            )
            .select(frame.columns)
        )
        last = piece.group_by("node", maintain_order=True).agg(pl.col(OPEN).last())
        self.open |= {node: int(count) for node, count in last.iter_rows()}
        return piece
