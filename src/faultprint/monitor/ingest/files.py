"""Sources that read MINUTES or TRANSACTIONS files in order of time, and the replay of a source."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from faultprint import storage
from faultprint.errors import ModelError, UsageError
from faultprint.features import coverage
from faultprint.features.catalogue import Catalogue
from faultprint.features.incremental import IncrementalMinutes
from faultprint.features.minutes import read_minutes
from faultprint.features.partitions import TransactionSurvey
from faultprint.monitor.base.interfaces import Batch, BatchSource, TransactionBatch
from faultprint.tables import TRANSACTIONS

PIECE: Final = 60
"""Intervals of a transactions file that are processed at a time."""


class MinutesFileSource:
    """The rows of a MINUTES file, sorted by time. A row with a wrong time far ahead comes last, so it closes no other minute."""

    def __init__(self, path: Path, catalogue: Catalogue, interval_us: int) -> None:
        """Raises TableError, or ModelError for another interval than the model's."""
        self.name = path.name
        table = read_minutes(path, catalogue)
        if table.interval_us != interval_us:
            raise ModelError(
                f"The minutes of {path} last {table.interval_us} µs, the model's {interval_us} µs; compute them with "
                "the interval of the model."
            )
        self._frame, self._interval_us = table.frame, interval_us

    def batches(self, closed_us: int) -> Iterator[Batch]:
        yield from by_minute(self._frame.filter(_end(self._interval_us) > closed_us), self._interval_us)

    def close(self) -> None:
        """Does nothing: no file stays open."""


class TransactionsFileSource:
    """The minutes of a TRANSACTIONS file, computed hour by hour to bound the memory."""

    def __init__(self, path: Path, interval_us: int) -> None:
        """Raises TableError."""
        self.name = path.name
        self._transactions = storage.scan(path, TRANSACTIONS)
        found = coverage.read_coverage(path)
        self._coverage = (
            TransactionSurvey.scan(self._transactions, interval_us).inferred_coverage() if found is None else found
        )
        self._interval_us = interval_us

    def batches(self, closed_us: int) -> Iterator[Batch]:
        made, hours = IncrementalMinutes(self._interval_us), self._hours()
        for begin_us in hours:
            end_us = begin_us + hours.step
            # Minutes that are already scored are computed too, because open transactions count in later minutes.
            minutes = made.compute(self._piece(begin_us, end_us), self._coverage, begin_us, end_us)
            yield from by_minute(minutes.filter(_end(self._interval_us) > closed_us), self._interval_us)

    def transaction_batches(self) -> Iterator[TransactionBatch | None]:
        read_us = -1  # the first batch includes transactions from before the monitored intervals
        hours = self._hours()
        for begin_us in hours:
            rows = self._piece(begin_us, begin_us + hours.step)
            start = rows.get_column("start").dt.epoch("us")
            for from_us in range(begin_us, min(begin_us + hours.step, hours.stop), self._interval_us):
                end_us = from_us + self._interval_us
                coverage = [
                    stretch._replace(end_us=min(stretch.end_us, end_us))
                    for stretch in self._coverage
                    if stretch.start_us < end_us and stretch.end_us > from_us
                ]
                final, read_us = rows.filter((start >= read_us) & (start < end_us)), end_us
                # Nothing stays open: the outcome of every transaction in a file is known.
                yield TransactionBatch(final, final.clear(), coverage, from_us, end_us)

    def _hours(self) -> range:
        """The start of each hour, µs."""
        if not self._coverage:
            return range(0)
        first = min(stretch.start_us for stretch in self._coverage) // self._interval_us * self._interval_us
        return range(first, max(stretch.end_us for stretch in self._coverage), PIECE * self._interval_us)

    def _piece(self, begin_us: int, end_us: int) -> pl.DataFrame:
        begin, end = (pl.lit(at, dtype=pl.Int64).cast(pl.Datetime("us", "UTC")) for at in (begin_us, end_us))
        inside = (pl.col(name).is_between(begin, end, closed="left") for name in ("start", "completion"))
        return self._transactions.filter(pl.any_horizontal(inside)).collect()

    def close(self) -> None:
        """Does nothing: no file stays open."""


def by_minute(minutes: pl.DataFrame, interval_us: int) -> Iterator[Batch]:
    """One batch per minute of a MINUTES table, in order of time, with the end of the minute as watermark."""
    ordered = minutes.sort("minute", maintain_order=True)
    start = ordered.get_column("minute").to_physical().to_numpy()
    edges = np.flatnonzero(np.diff(start, prepend=-1, append=-1))
    for begin, end in pairwise(edges.tolist()):
        yield Batch(ordered.slice(begin, end - begin), int(start[begin]) + interval_us)


def _end(interval_us: int) -> pl.Expr:
    return pl.col("minute").dt.epoch("us") + interval_us


class ReplayClock:
    """A clock at the position of the replay."""

    def __init__(self) -> None:
        self.time_us = 0

    def now_us(self) -> int:
        return self.time_us


class Replay:
    """Replays a recorded source: advances the clock, and waits if `speed` is given (1: real time)."""

    def __init__(
        self,
        source: BatchSource,
        clock: ReplayClock,
        speed: float | None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """`speed` None: as fast as possible."""
        self.name = source.name
        self._source, self._clock, self._speed, self._sleep = source, clock, speed, sleep

    def batches(self, closed_us: int) -> Iterator[Batch]:
        for batch in self._source.batches(closed_us):
            if batch.watermark_us is not None:
                self._wait(batch.watermark_us)
            yield batch

    def transaction_batches(self) -> Iterator[TransactionBatch | None]:
        """The transactions of the source. Raises UsageError if it has only minutes."""
        if not isinstance(self._source, TransactionsFileSource):
            raise UsageError(f"{self.name} has minutes, but this topic takes transactions; give the transactions file.")
        for heard in self._source.transaction_batches():
            if heard is not None:
                self._wait(heard.watermark_us)
            yield heard

    def _wait(self, complete_us: int) -> None:
        if self._speed is not None and self._clock.time_us:
            self._sleep(max(complete_us - self._clock.time_us, 0) / 1e6 / self._speed)
        self._clock.time_us = max(self._clock.time_us, complete_us)

    def close(self) -> None:
        self._source.close()
