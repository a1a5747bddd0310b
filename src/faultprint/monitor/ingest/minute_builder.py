"""Computes minutes from transactions that arrive over time."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from faultprint.features.coverage import CoverageInterval
from faultprint.features.incremental import IncrementalMinutes
from faultprint.storage import schema
from faultprint.tables import TRANSACTIONS


class MinuteBuilder:
    """Keeps transactions until all their minutes are computed. The periods asked for must be consecutive."""

    def __init__(self, interval_us: int) -> None:
        self._kept = pl.DataFrame(schema=schema(TRANSACTIONS))
        self.made = IncrementalMinutes(interval_us)

    def __len__(self) -> int:
        """Number of kept transactions."""
        return len(self._kept)

    def add(self, transactions: pl.DataFrame) -> None:
        """Add TRANSACTIONS that will not change any more."""
        self._kept = pl.concat([self._kept, transactions])

    def minutes(
        self, standing: pl.DataFrame, coverage: Sequence[CoverageInterval], begin_us: int, end_us: int
    ) -> pl.DataFrame:
        """The MINUTES of the piece; `standing`: transactions as they stand now, which will be added when they are over.

        `coverage` as for `Continued.minutes`, which see for what is raised.
        """
        start, completion = (pl.col(name).dt.epoch("us") for name in ("start", "completion"))
        everything = pl.concat([self._kept, standing])
        inside = (column.is_between(begin_us, end_us, closed="left") for column in (start, completion))
        self._kept = self._kept.filter(pl.any_horizontal(start >= end_us, completion >= end_us))
        return self.made.compute(everything.filter(pl.any_horizontal(inside)), coverage, begin_us, end_us)
