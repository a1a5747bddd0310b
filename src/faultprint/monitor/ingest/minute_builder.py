"""Minutes from transactions that come little by little: what may count yet is kept, a piece of time is made when it is over."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from faultprint.features.coverage import Interval
from faultprint.features.incremental import IncrementalMinutes
from faultprint.storage import schema
from faultprint.tables import TRANSACTIONS


class MinuteBuilder:
    """Pieces are whole intervals and follow one another."""

    def __init__(self, interval_us: int) -> None:
        self._kept = pl.DataFrame(schema=schema(TRANSACTIONS))
        self.made = IncrementalMinutes(interval_us)

    def __len__(self) -> int:
        """Transactions that are kept."""
        return len(self._kept)

    def add(self, transactions: pl.DataFrame) -> None:
        """TRANSACTIONS that will not change any more."""
        self._kept = pl.concat([self._kept, transactions])

    def minutes(self, standing: pl.DataFrame, coverage: Sequence[Interval], begin_us: int, end_us: int) -> pl.DataFrame:
        """The MINUTES of the piece; `standing`: transactions as they stand now, which will be added when they are over.

        `coverage` as for `Continued.minutes`, which see for what is raised.
        """
        start, completion = (pl.col(name).dt.epoch("us") for name in ("start", "completion"))
        everything = pl.concat([self._kept, standing])
        inside = (column.is_between(begin_us, end_us, closed="left") for column in (start, completion))
        self._kept = self._kept.filter(pl.any_horizontal(start >= end_us, completion >= end_us))
        return self.made.minutes(everything.filter(pl.any_horizontal(inside)), coverage, begin_us, end_us)
