"""Files as sources: MINUTES or TRANSACTIONS, minute by minute in order of time."""

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
from faultprint.features.partitions import Survey
from faultprint.monitor.base.interfaces import Batch, BatchSource, TransactionBatch
from faultprint.tables import TRANSACTIONS

PIECE: Final = 60
"""Intervals of a transactions file that are made at a time."""


class MinutesFileSource:
    """The rows of a MINUTES file. They are sorted by time, so that one with an absurd time stamp comes last and closes
    nothing that is still to come."""

    def __init__(self, path: Path, catalogue: Catalogue, interval_us: int) -> None:
        """Raises TableError, or ModelError for another interval than the model's."""
        self.name = path.name
        table = read_minutes(path, catalogue)
        if table.interval_us != interval_us:
            raise ModelError(
                f"The minutes of {path} last {table.interval_us} µs, the model's {interval_us} µs; make them with the "
                "model's interval."
            )
        self._frame, self._interval_us = table.frame, interval_us

    def batches(self, closed_us: int) -> Iterator[Batch]:
        yield from by_minute(self._frame.filter(_end(self._interval_us) > closed_us), self._interval_us)

    def close(self) -> None:
        """There is nothing to let go of."""


class TransactionsFileSource:
    """The minutes of a TRANSACTIONS file, made in pieces of an hour, so that its length does not matter."""

    def __init__(self, path: Path, interval_us: int) -> None:
        """Raises TableError."""
        self.name = path.name
        self._transactions = storage.scan(path, TRANSACTIONS)
        found = coverage.read(path)
        self._coverage = Survey.of(self._transactions, interval_us).stretches() if found is None else found
        self._interval_us = interval_us

    def batches(self, closed_us: int) -> Iterator[Batch]:
        made, hours = IncrementalMinutes(self._interval_us), self._hours()
        for begin_us in hours:
            end_us = begin_us + hours.step
            # What has been judged is made all the same: what is open then counts on.
            minutes = made.minutes(self._piece(begin_us, end_us), self._coverage, begin_us, end_us)
            yield from by_minute(minutes.filter(_end(self._interval_us) > closed_us), self._interval_us)

    def heard(self) -> Iterator[TransactionBatch | None]:
        told_us = -1  # the first piece has what began before anybody listened, too
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
                over, told_us = rows.filter((start >= told_us) & (start < end_us)), end_us
                # All is told when it begins, for it is known how it ended.
                yield TransactionBatch(over, over.clear(), coverage, from_us, end_us)

    def _hours(self) -> range:
        """Where each piece that is read at a time begins, µs."""
        if not self._coverage:
            return range(0)
        first = min(stretch.start_us for stretch in self._coverage) // self._interval_us * self._interval_us
        return range(first, max(stretch.end_us for stretch in self._coverage), PIECE * self._interval_us)

    def _piece(self, begin_us: int, end_us: int) -> pl.DataFrame:
        begin, end = (pl.lit(at, dtype=pl.Int64).cast(pl.Datetime("us", "UTC")) for at in (begin_us, end_us))
        inside = (pl.col(name).is_between(begin, end, closed="left") for name in ("start", "completion"))
        return self._transactions.filter(pl.any_horizontal(inside)).collect()

    def close(self) -> None:
        """There is nothing to let go of."""


def by_minute(minutes: pl.DataFrame, interval_us: int) -> Iterator[Batch]:
    """A batch for each minute of a MINUTES table, in order of time, complete up to its end."""
    ordered = minutes.sort("minute", maintain_order=True)
    start = ordered.get_column("minute").to_physical().to_numpy()
    edges = np.flatnonzero(np.diff(start, prepend=-1, append=-1))
    for begin, end in pairwise(edges.tolist()):
        yield Batch(ordered.slice(begin, end - begin), int(start[begin]) + interval_us)


def _end(interval_us: int) -> pl.Expr:
    return pl.col("minute").dt.epoch("us") + interval_us


class ReplayClock:
    """A clock that stands where the replayed source is."""

    def __init__(self) -> None:
        self.time_us = 0

    def now_us(self) -> int:
        return self.time_us


class Replay:
    """A recorded source, replayed: moves the clock along, and waits where `speed` (1: as it was) asks for it."""

    def __init__(
        self,
        source: BatchSource,
        clock: ReplayClock,
        speed: float | None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """`speed` None: as fast as it goes."""
        self.name = source.name
        self._source, self._clock, self._speed, self._sleep = source, clock, speed, sleep

    def batches(self, closed_us: int) -> Iterator[Batch]:
        for batch in self._source.batches(closed_us):
            if batch.complete_us is not None:
                self._wait(batch.complete_us)
            yield batch

    def heard(self) -> Iterator[TransactionBatch | None]:
        """Raises UsageError if the source has no transactions."""
        if not isinstance(self._source, TransactionsFileSource):
            raise UsageError(
                f"{self.name} holds minutes, but transactions are wanted; give those that they were made of."
            )
        for heard in self._source.heard():
            if heard is not None:
                self._wait(heard.complete_us)
            yield heard

    def _wait(self, complete_us: int) -> None:
        if self._speed is not None and self._clock.time_us:
            self._sleep(max(complete_us - self._clock.time_us, 0) / 1e6 / self._speed)
        self._clock.time_us = max(self._clock.time_us, complete_us)

    def close(self) -> None:
        self._source.close()
