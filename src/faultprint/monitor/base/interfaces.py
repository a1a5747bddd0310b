"""What is handed to the monitor: sources and the clock."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from faultprint.features.coverage import Interval


class Clock(Protocol):
    """The arrival clock: when something was heard, as against when it happened."""

    def now_us(self) -> int:
        """µs since 1970, UTC; may jump, as clocks do."""


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Batch:
    """What a source has to say.

    `minutes`: rows of a MINUTES table, in any order, or None. `complete_us`: the source promises that nothing which happened
    before this moment is still to come (µs, UTC); None: no promise. `origin`: whose rows and promise these are, where the
    source passes on what others send.
    """

    minutes: pl.DataFrame | None
    complete_us: int | None
    origin: str = ""


@dataclass(frozen=True, slots=True)
class TransactionBatch:
    """What a source of transactions has heard from `begin_us` on until the end of a minute.

    `over`: TRANSACTIONS that are told once and for all; `standing`: those that may change yet, as they stand; `coverage`: the
    stretches that were listened to, each from where it began until now at most; `complete_us` as in Batch.
    """

    over: pl.DataFrame
    standing: pl.DataFrame
    coverage: Sequence[Interval]
    begin_us: int
    complete_us: int


class BatchSource(Protocol):
    """Something that minutes come from."""

    name: str

    def batches(self, closed_us: int) -> Iterator[Batch]:
        """What there is, until there is no more; minutes that ended by `closed_us` have been judged and may be left out.

        A source that waits for others yields an empty batch at least once a second.
        """

    def close(self) -> None:
        """Let go of files and sockets."""


class TransactionSource(BatchSource, Protocol):
    """One that has the transactions, too."""

    def heard(self) -> Iterator[TransactionBatch | None]:
        """What there is, a minute at a time, until there is no more; a source that waits yields None once a second."""
