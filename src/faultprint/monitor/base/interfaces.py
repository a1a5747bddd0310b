"""Interfaces of what the monitor is given: sources and the clock."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import polars as pl

from faultprint.features.coverage import CoverageInterval


class Clock(Protocol):
    """The arrival clock: when data arrived, in contrast to when it happened (event time)."""

    def now_us(self) -> int:
        """µs since 1970, UTC. May jump forward or back."""


class SystemClock:
    """The clock of the machine."""

    def now_us(self) -> int:
        return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows and a watermark from a source.

    `minutes`: rows of a MINUTES table, in any order, or None. `complete_us`: the source will send no more data
    from before this moment (µs, UTC); None: no watermark. `origin`: the original sender, if the source forwards data of
    several senders. `waits`: the source lives, and its watermark stands still on purpose, so that it is not idle.
    """

    minutes: pl.DataFrame | None
    watermark_us: int | None
    origin: str = ""
    waits: bool = False


@dataclass(frozen=True, slots=True)
class TransactionBatch:
    """The transactions of a source from `begin_us` until the end of a minute.

    `over`: TRANSACTIONS that will not change any more; `standing`: those that may still change, in their present state;
    `coverage`: the monitored intervals, each from its start until now at most; `complete_us` as in Batch.
    """

    final: pl.DataFrame
    open: pl.DataFrame
    coverage: Sequence[CoverageInterval]
    begin_us: int
    watermark_us: int


class BatchSource(Protocol):
    """A source of minutes."""

    name: str

    def batches(self, closed_us: int) -> Iterator[Batch]:
        """Batches until the source ends. Minutes that ended by `closed_us` are already scored and may be left out.

        A live source yields an empty batch at least once a second.
        """

    def close(self) -> None:
        """Close files and sockets."""


class TransactionSource(BatchSource, Protocol):
    """A source that also gives the transactions."""

    def transaction_batches(self) -> Iterator[TransactionBatch | None]:
        """One batch a minute until the source ends. A live source yields None once a second while it waits."""


class AgentReport(Protocol):
    """What a source knows of an agent that sends to it. Times in µs of the arrival clock."""

    @property
    def address(self) -> str:
        """IP address of the agent."""

    @property
    def agent(self) -> int:
        """Its number (capture-agent id)."""

    @property
    def offset_us(self) -> int | None:
        """Arrival time minus stamp; None: not known yet."""

    @property
    def messages(self) -> int:
        """Messages so far."""

    @property
    def unbelieved(self) -> int:
        """Messages that were dropped because of their stamp."""

    @property
    def heard_us(self) -> int:
        """When its last packet arrived."""


@runtime_checkable
class AgentSource(Protocol):
    """A source that hears agents."""

    @property
    def agents(self) -> Sequence[AgentReport]:
        """The agents that were heard, a bounded number."""
