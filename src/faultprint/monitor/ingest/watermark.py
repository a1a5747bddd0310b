"""Event time: when is a minute final, and what is done with rows that come too late, too early, or twice.

    a row …                                                    is
    of another grid or network, or with a NUL in a name        strange: refused
    whose minute ends beyond the arrival clock + ahead         early: refused, so that it cannot close what is still open
    whose minute is final already                              late: refused, since its verdict has been given
    of another node when there are as many as there may be      crowded: refused, so that memory stays bounded
    of a node and minute that has a row                        double: refused, the first one counts
    that was listened to for less than half of its minute      partial: taken as a gap, as `windows.series` does
    anything else, in whatever order                           taken

Each source promises how far it is complete, and where it passes on what others send, each of these (its origins) for itself.
The watermark is the least of these promises minus the lateness; a source without a promise is taken to be complete up to its
newest row, and one whose promise has not moved for `patience` by the arrival clock no longer holds the others up. A minute is
final when the watermark reaches its end. Where no source is left that promises anything, the arrival clock minus patience is
the watermark: nobody listens, and that must show.
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
from faultprint.windows.series import LEAST_OBSERVED

REFUSED: Final = ("strange", "early", "late", "crowded", "double", "partial")
"""Reasons for which a row is not taken; counted by source."""


@dataclass(frozen=True, slots=True)
class FinishedMinute:
    """A minute that is final: its number from the epoch in intervals, and the MINUTES rows taken for it, each node once; None
    if there are none. Minutes that are passed over had none either."""

    number: int
    rows: pl.DataFrame | None


@dataclass(slots=True)
class SourceWatermark:
    """How far an origin is complete, and when by the arrival clock that last moved; µs."""

    complete_us: int
    moved_us: int


@dataclass(slots=True)
class WatermarkBuffer:
    """Collects rows until their minutes are final. Times are µs; `closed` is the number of the last final minute (-1: none).

    `now_us` arguments are readings of the arrival clock; a clock that is put back stands still until it has caught up.
    """

    interval_us: int
    lateness_us: int
    ahead_us: int
    patience_us: int
    most_nodes: int
    closed: int = -1
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(source, reason) → rows."""
    _waiting: dict[int, list[pl.DataFrame]] = field(default_factory=dict)
    _seen: dict[int, set[str]] = field(default_factory=dict)
    promises: dict[tuple[str, str], SourceWatermark] = field(default_factory=dict)
    """(source, origin) → its promise."""
    now_us: int = 0
    """The arrival clock as it was last read, or before it was put back."""
    _networks: dict[str, str] = field(default_factory=dict)

    def take(self, source: str, batch: Batch, now_us: int) -> None:
        """Rows and a promise of a source."""
        self.now_us = max(self.now_us, now_us)
        newest_us = self.put(source, batch.minutes) if batch.minutes is not None else None
        complete_us = batch.complete_us if batch.complete_us is not None else newest_us
        if complete_us is None:
            return
        promise = self.promises.setdefault((source, batch.origin), SourceWatermark(complete_us, self.now_us))
        if complete_us > promise.complete_us:
            promise.complete_us, promise.moved_us = complete_us, self.now_us

    def end(self, source: str) -> None:
        """The source has no more."""
        for key in [key for key in self.promises if key[0] == source]:
            del self.promises[key]

    def reached(self, now_us: int) -> int:
        """The number of the last minute that is final by what has been promised."""
        self.now_us = max(self.now_us, now_us)
        reached = self._least(self.promises.values(), self.now_us - self.patience_us)
        return (min(reached, self.now_us + self.ahead_us) - self.lateness_us) // self.interval_us - 1

    def due(self, now_us: int) -> Iterator[FinishedMinute]:
        """The minutes that have become final, in order: those with rows, and the last one."""
        yield from self.through(self.reached(now_us))

    def rest(self) -> Iterator[FinishedMinute]:
        """All that waits, because nothing more will come."""
        yield from self.through(max(self._waiting, default=self.closed))

    def complete(self) -> dict[str, int]:
        """Up to when each source that still speaks is complete, by its own word or that of its origins; µs.

        Those that no longer hold the others up count where there is nobody else.
        """
        found: dict[str, list[SourceWatermark]] = {}
        for (source, _), promise in self.promises.copy().items():
            found.setdefault(source, []).append(promise)
        return {source: self._least(some, max(one.complete_us for one in some)) for source, some in found.items()}

    def _least(self, promises: Iterable[SourceWatermark], default: int) -> int:
        """The least of those that still move."""
        moving = (one.complete_us for one in promises if self.now_us - one.moved_us < self.patience_us)
        return min(moving, default=default)

    def known(self, node: str, network: str) -> None:
        """A node and its network, from before."""
        self._networks[sys.intern(node)] = sys.intern(network)

    def through(self, last: int) -> Iterator[FinishedMinute]:
        """The minutes up to that of this number, which are final now, in order: those with rows, and the last one."""
        if last <= self.closed or (self.closed < 0 and last < min(self._waiting, default=last + 1)):
            return
        for number in sorted({last, *(one for one in self._waiting if one < last)}):
            parts = self._waiting.pop(number, None)
            self._seen.pop(number, None)
            self.closed = number
            yield FinishedMinute(number, None if not parts else parts[0] if len(parts) == 1 else pl.concat(parts))

    def put(self, source: str, rows: pl.DataFrame) -> int | None:
        """Take the rows in; the end of the newest minute taken, or None."""
        start = rows.get_column("minute").to_physical().to_numpy().astype(np.int64)
        number = start // self.interval_us
        reason = self._reasons(rows, start, number)
        self._find_doubles(rows, number, reason)
        for code, count in zip(*np.unique(reason, return_counts=True), strict=True):
            if code >= 0:
                self.refused[source, REFUSED[code]] += int(count)
        taken = np.unique(number[reason < 0]).tolist()
        for one in taken:
            mine = (number == one) & (reason < 0)
            self._waiting.setdefault(one, []).append(rows if mine.all() else rows.filter(pl.Series(mine)))
        return (max(taken) + 1) * self.interval_us if taken else None

    def _find_doubles(self, rows: pl.DataFrame, number: IntArray, reason: IntArray) -> None:
        """Mark the rows whose node has one in their minute."""
        nodes, double = rows.get_column("node").cast(pl.String).to_list(), REFUSED.index("double")
        for row in np.flatnonzero(reason < 0).tolist():
            seen = self._seen.setdefault(int(number[row]), set())
            if nodes[row] in seen:
                reason[row] = double
            seen.add(nodes[row])

    def _reasons(self, rows: pl.DataFrame, start: IntArray, number: IntArray) -> IntArray:
        """(N,) index into REFUSED of the first that applies, -1 for none."""
        elsewhere, crowded = self._strangers(rows)
        applies = (
            (start % self.interval_us != 0) | (start < 0) | elsewhere,
            (number + 1) * self.interval_us > self.now_us + self.ahead_us,
            number <= self.closed,
            crowded,
            np.zeros(len(number), np.bool_),  # doubles: found afterwards, among what is else taken
            ~(rows.get_column("observed").to_numpy() >= LEAST_OBSERVED),
        )
        reason = np.full(len(number), -1)
        for code, which in reversed(list(enumerate(applies))):
            reason[which] = code
        return reason

    def _strangers(self, rows: pl.DataFrame) -> tuple[BoolArray, BoolArray]:
        """(N,) rows of another network than their node's, or of names that no state can hold; of nodes beyond the limit."""
        elsewhere, crowded = np.zeros((2, len(rows)), np.bool_)
        columns = (rows.get_column(name).cast(pl.String).to_list() for name in ("node", "network"))
        for row, (node, network) in enumerate(zip(*columns, strict=True)):
            known = self._networks.get(node)
            if known is None:
                if "\0" in node or "\0" in network:
                    elsewhere[row] = True
                elif len(self._networks) < self.most_nodes:
                    # Names are kept in several places, networks with each of their nodes: one object for all.
                    self._networks[sys.intern(node)] = sys.intern(network)
                else:
                    crowded[row] = True
            elif known != network:
                elsewhere[row] = True
        return elsewhere, crowded
