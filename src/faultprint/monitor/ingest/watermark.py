"""Event time: when a minute is final, and which rows are refused.

    reason       a row with this property is refused
    invalid      off the minute grid, of another network than before, or with a NUL in a name
    too_early    its minute ends later than the arrival clock + `ahead_seconds`; it could close minutes that are still open
    late         its minute is final, and the verdict is given
    node_limit   of a new node when there are `nodes.max` nodes already
    duplicate    the node has a row for this minute already; the first one counts
    partial      the node was monitored for less than half of the minute; the minute counts as a gap

All other rows are taken, in any order.

Each source has a watermark: its data is complete up to this time. A source that forwards data has one watermark for each
original sender. A source without watermarks is complete up to its newest row. The watermark of the buffer is the earliest one,
minus `lateness_seconds`. A source whose watermark has not advanced for `idle_timeout_seconds` is ignored. If no source is left,
the watermark is the arrival clock minus `idle_timeout_seconds`, so that missing data shows. A minute is final when the watermark
reaches its end. No watermark counts beyond the arrival clock: no data closes a minute that is not over.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from faultprint.arrays import BoolArray, IntArray
from faultprint.monitor.base.interfaces import Batch
from faultprint.windows.series import MIN_OBSERVED_SHARE

REFUSAL_REASONS: Final = ("invalid", "too_early", "late", "node_limit", "duplicate", "partial")
"""Reasons to refuse a row, in order of precedence; counted by source."""


@dataclass(frozen=True, slots=True)
class FinishedMinute:
    """A final minute.

    `number`: intervals since the epoch; `rows`: its MINUTES rows, one per node, or None. Skipped numbers had no rows.
    """

    number: int
    rows: pl.DataFrame | None


@dataclass(slots=True)
class SourceWatermark:
    """The watermark of a sender, and when it last advanced by the arrival clock; µs."""

    watermark_us: int
    advanced_us: int


@dataclass(slots=True)
class WatermarkBuffer:
    """Collects rows until their minutes are final.

    Times are µs. `closed`: number of the last final minute (-1: none). `now_us` arguments are readings of the arrival clock; if
    it goes back, the buffer keeps the old time until the clock has caught up.
    """

    interval_us: int
    lateness_us: int
    ahead_us: int
    idle_timeout_us: int
    max_nodes: int
    closed: int = -1
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(source, reason) → rows."""
    _waiting: dict[int, list[pl.DataFrame]] = field(default_factory=dict)
    _seen: dict[int, set[str]] = field(default_factory=dict)
    watermarks: dict[tuple[str, str], SourceWatermark] = field(default_factory=dict)
    """(source, origin) → its watermark."""
    now_us: int = 0
    """The latest reading of the arrival clock."""
    _networks: dict[str, str] = field(default_factory=dict)

    def add(self, source: str, batch: Batch, now_us: int) -> None:
        """Add rows and a watermark of a source."""
        self.now_us = max(self.now_us, now_us)
        newest_us = self.add_rows(source, batch.minutes) if batch.minutes is not None else None
        watermark_us = batch.watermark_us if batch.watermark_us is not None else newest_us
        if watermark_us is None:
            return
        known = self.watermarks.setdefault((source, batch.origin), SourceWatermark(watermark_us, self.now_us))
        if watermark_us > known.watermark_us:
            known.watermark_us, known.advanced_us = watermark_us, self.now_us
        elif batch.waits:
            known.advanced_us = self.now_us

    def set_back(self, now_us: int, closed: int | None = None) -> None:
        """The arrival clock was wrong and is `now_us`. `closed`: the last final minute from now on; later rows are dropped."""
        self.now_us = now_us
        for watermark in self.watermarks.values():
            watermark.watermark_us = min(watermark.watermark_us, now_us)
            watermark.advanced_us = min(watermark.advanced_us, now_us)
        if closed is not None:
            self.closed = closed
            self._waiting.clear()
            self._seen.clear()

    def remove_source(self, source: str) -> None:
        """Forget the watermarks of a source that has ended."""
        for key in [key for key in self.watermarks if key[0] == source]:
            del self.watermarks[key]

    def last_final(self, now_us: int) -> int:
        """The number of the last minute that is final by the watermarks."""
        self.now_us = max(self.now_us, now_us)
        earliest_us = self._earliest(self.watermarks.values(), self.now_us - self.idle_timeout_us)
        return (min(earliest_us, self.now_us) - self.lateness_us) // self.interval_us - 1

    def finished(self, now_us: int) -> Iterator[FinishedMinute]:
        """The minutes that have become final, in order: those with rows, and the last one."""
        yield from self.finish_through(self.last_final(now_us))

    def drain(self) -> Iterator[FinishedMinute]:
        """All waiting minutes; call it when all sources have ended."""
        yield from self.finish_through(max(self._waiting, default=self.closed))

    def source_watermarks(self) -> dict[str, int]:
        """The watermark of each source, µs: the earliest of its senders.

        Idle senders count only if all senders of the source are idle.
        """
        by_source: dict[str, list[SourceWatermark]] = {}
        for (source, _), watermark in self.watermarks.copy().items():
            by_source.setdefault(source, []).append(watermark)
        return {
            source: self._earliest(watermarks, max(watermark.watermark_us for watermark in watermarks))
            for source, watermarks in by_source.items()
        }

    def _earliest(self, watermarks: Iterable[SourceWatermark], default: int) -> int:
        """The earliest watermark that is not idle, or `default`."""
        active = (
            watermark.watermark_us
            for watermark in watermarks
            if self.now_us - watermark.advanced_us < self.idle_timeout_us
        )
        return min(active, default=default)

    def register(self, node: str, network: str) -> None:
        """Add a node from the restored state, with its network."""
        self._networks[sys.intern(node)] = sys.intern(network)

    def forget(self, node: str) -> None:
        """Forget a node, so that another one may take its place."""
        self._networks.pop(node, None)

    @property
    def full(self) -> bool:
        """Whether there are as many nodes as allowed."""
        return len(self._networks) >= self.max_nodes

    def finish_through(self, last: int) -> Iterator[FinishedMinute]:
        """Close all minutes up to this number. Gives those with rows, in order, and the last one."""
        if last <= self.closed or (self.closed < 0 and last < min(self._waiting, default=last + 1)):
            return
        for number in sorted({last, *(waiting for waiting in self._waiting if waiting < last)}):
            parts = self._waiting.pop(number, None)
            self._seen.pop(number, None)
            self.closed = number
            yield FinishedMinute(number, None if not parts else parts[0] if len(parts) == 1 else pl.concat(parts))

    def add_rows(self, source: str, rows: pl.DataFrame) -> int | None:
        """Add rows. Returns the end of the newest minute among the taken rows (µs), or None."""
        start = rows.get_column("minute").to_physical().to_numpy().astype(np.int64)
        number = start // self.interval_us
        reason = self._reasons(rows, start, number)
        self._admit(rows, number, reason)
        for code, count in zip(*np.unique(reason, return_counts=True), strict=True):
            if code >= 0:
                self.refused[source, REFUSAL_REASONS[code]] += int(count)
        taken = np.unique(number[reason < 0]).tolist()
        for minute in taken:
            selected = (number == minute) & (reason < 0)
            self._waiting.setdefault(minute, []).append(rows if selected.all() else rows.filter(pl.Series(selected)))
        return (max(taken) + 1) * self.interval_us if taken else None

    def _admit(self, rows: pl.DataFrame, number: IntArray, reason: IntArray) -> None:
        """Register the nodes of the rows that are taken, and mark rows beyond the limit, of a second network, or duplicate."""
        nodes, networks = _names(rows)
        for row in np.flatnonzero(reason < 0).tolist():
            node = nodes[row]
            known = self._networks.get(node)
            if known is None:
                if self.full:
                    reason[row] = REFUSAL_REASONS.index("node_limit")
                    continue
                # Interned, because names are stored in several tables and each network with all its nodes.
                self._networks[sys.intern(node)] = sys.intern(networks[row])
            elif known != networks[row]:
                reason[row] = REFUSAL_REASONS.index("invalid")
                continue
            seen = self._seen.setdefault(int(number[row]), set())
            if node in seen:
                reason[row] = REFUSAL_REASONS.index("duplicate")
            seen.add(node)

    def _reasons(self, rows: pl.DataFrame, start: IntArray, number: IntArray) -> IntArray:
        """(N,) index of the first reason that applies, -1: none."""
        invalid, over_limit = self._check_nodes(rows)
        applies = (
            (start % self.interval_us != 0) | (start < 0) | invalid,
            (number + 1) * self.interval_us > self.now_us + self.ahead_us,
            number <= self.closed,
            over_limit,
            np.zeros(len(number), np.bool_),  # duplicates: marked later, among the rows taken otherwise
            ~(rows.get_column("observed").to_numpy() >= MIN_OBSERVED_SHARE),
        )
        reason = np.full(len(number), -1)
        for code, which in reversed(list(enumerate(applies))):
            reason[which] = code
        return reason

    def _check_nodes(self, rows: pl.DataFrame) -> tuple[BoolArray, BoolArray]:
        """(N,) rows with an invalid name or another network than before; (N,) rows of nodes above the limit."""
        invalid, over_limit = np.zeros((2, len(rows)), np.bool_)
        for row, (node, network) in enumerate(zip(*_names(rows), strict=True)):
            known = self._networks.get(node)
            if known is None:
                invalid[row] = "\0" in node or "\0" in network
                over_limit[row] = self.full
            elif known != network:
                invalid[row] = True
        return invalid, over_limit


def _names(rows: pl.DataFrame) -> tuple[list[str], list[str]]:
    """Node and network of each row."""
    node, network = (rows.get_column(name).cast(pl.String).to_list() for name in ("node", "network"))
    return node, network
