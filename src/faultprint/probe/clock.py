"""The capture's clock: packets whose time stamps make no sense must not move it.

The clock follows the packets. One that is far from it waits until the packets after it have shown who is right: if
they go on from the new time, so does the clock; if they come back to the old one, the strays are dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from faultprint.probe.types import Packet

SECOND: Final = 1_000_000
EARLIEST: Final = 631_152_000 * SECOND
"""1990: there was no capture before."""
LATEST: Final = 4_102_444_800 * SECOND
"""2100."""
BACK: Final = 10 * SECOND
"""Packets may be this late: several queues and interfaces are not written in strict order."""
AHEAD: Final = 3600 * SECOND
"""A silence longer than this must be confirmed."""
MAX_GAP: Final = 24 * AHEAD
"""A longer silence is confirmed by what follows only, not by the end of the capture."""
CONFIRMING: Final = 8
"""Packets in a row that agree on a new time."""

INVALID: Final = "time stamp before 1990 or after 2100"
OUTLIER: Final = "time stamp far from its neighbours'"


NEVER: Final = -1


class PacketClock:
    """`now` is the time (µs) up to which the capture has been read, `since` where the stretch of listening began.

    Both are NEVER before the first packet is believed. Time stamps from `low` to `high` are believed at once, and those
    bounds are moved by `set`, every now and then. `strays` wait to be believed or let go.
    """

    __slots__ = ("_ignore", "_skipped", "high", "low", "now", "outliers", "since")

    def __init__(self, skipped: Counter[str], ignore: Callable[[Packet], None]) -> None:
        self._skipped = skipped
        self._ignore = ignore
        self.outliers: list[Packet] = []
        self.stop()

    def stop(self) -> None:
        """The stretch has ended; the next packet has to be confirmed again."""
        self.now = self.since = self.low = self.high = NEVER

    def set(self, timestamp: int) -> None:
        """Move to the time of a packet that is believed."""
        self.now = timestamp
        self.low = timestamp - BACK
        self.high = timestamp + AHEAD
        if self.since == NEVER:
            self.since = timestamp

    @property
    def latest(self) -> int:
        """Time of the last packet that is believed or may still be."""
        return self.outliers[-1][0] if self.outliers else self.now

    def accept(self) -> None:
        """A packet in time came: those that were not are let go."""
        for packet in self.outliers:
            self._skipped[OUTLIER] += 1
            self._ignore(packet)
        self.outliers.clear()

    def defer(self, packet: Packet) -> list[Packet]:
        """A packet outside `low` to `high`: the packets to take instead now, in order; mostly none yet."""
        if not EARLIEST <= packet[0] < LATEST:
            self._skipped[INVALID] += 1
            self._ignore(packet)
            return []
        if self.outliers and not -BACK <= packet[0] - self.outliers[-1][0] <= MAX_GAP:
            self.accept()
        self.outliers.append(packet)
        return self._release() if len(self.outliers) >= CONFIRMING else []

    def finish(self) -> list[Packet]:
        """At the end of the capture: the waiting packets that may be believed."""
        if self.outliers and (self.now == NEVER or 0 <= self.outliers[0][0] - self.now <= MAX_GAP):
            return self._release()
        self.accept()
        return []

    def _release(self) -> list[Packet]:
        strays, self.outliers = self.outliers, []
        return strays
