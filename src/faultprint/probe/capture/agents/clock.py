"""The clock of a HEP agent against the arrival clock of this machine.

An agent stamps its messages by its own clock, which may be wrong by any amount. The offset (arrival time minus stamp) is learnt
from messages that agree with each other. It then shifts all stamps of the agent by one constant, so that delays between its
messages stay exact. A stamp that the offset does not bring near its arrival is not believed, and moves no clock.
"""

from __future__ import annotations

from statistics import median_low
from typing import Final, Generic, TypeVar

from faultprint.units import SECOND_US

SMALL_OFFSET_US: Final = SECOND_US // 2
"""A smaller offset is not corrected: clocks set by NTP are better than arrival times, and the network delays some messages.

It is less than the default of `time.lateness_seconds` (1 s), so that an uncorrected stamp is never late for its minute.
"""
AGREEING: Final = 8
"""Messages that show a new offset together."""
DRIFTED: Final = 32
"""Messages in a row that show together that an offset within the bound has changed."""
PATIENCE_US: Final = 2 * SECOND_US
"""After this long, two messages are enough for the first offset."""
_MAX_WAITING: Final = 64

T = TypeVar("T")


class AgentClock(Generic[T]):
    """Corrects the stamps of one agent. A few messages whose time is not known yet wait.

    offset_us   arrival time minus stamp; None before the first offset is learnt
    unbelieved  messages that were dropped because of their stamp

    Arguments of the methods: a message arrived after `since_us` and by `now_us` (µs, arrival clock).
    """

    __slots__ = ("_bound_us", "_differences", "_waiting", "offset_us", "unbelieved")

    def __init__(self, bound_us: int) -> None:
        """`bound_us`: a stamp is believed up to this far from its arrival, after the offset."""
        self._bound_us = bound_us
        self.offset_us: int | None = None
        self.unbelieved = 0
        self._waiting: list[tuple[int, int, T]] = []
        """Time of arrival, stamp and message."""
        self._differences: list[int] = []
        """Arrival minus stamp of the last messages in a row that do not fit the offset; each agrees with the one before."""

    @property
    def waits(self) -> bool:
        """Whether messages wait."""
        return bool(self._waiting)

    def fits(self, stamp_us: int, since_us: int, now_us: int) -> bool:
        """Whether the offset brings the stamp within SMALL_OFFSET_US of its arrival: so it is with nearly all messages."""
        time_us = stamp_us + (self.offset_us or 0)
        if not since_us - SMALL_OFFSET_US <= time_us <= now_us + SMALL_OFFSET_US:
            return False
        if self.offset_us is None:
            if self._differences and abs(self._differences[-1] - (now_us - stamp_us)) <= SMALL_OFFSET_US:
                return False  # It agrees with those that wait: all of them decide together.
            self.offset_us = 0
        if self._differences:
            self._differences.clear()
            self._refuse()
        return True

    def examine(self, stamp_us: int, message: T, since_us: int, now_us: int) -> list[tuple[int, T]]:
        """A message that does not fit. Returns the messages that are believed now, with their time by the arrival clock."""
        offset = self.offset_us
        near = offset is not None and since_us - self._bound_us <= stamp_us + offset <= now_us + self._bound_us
        if now_us - since_us <= SMALL_OFFSET_US:  # else the time of arrival is not known well enough
            self._observe(now_us - stamp_us)
        if near and len(self._differences) < DRIFTED:
            assert offset is not None
            return [(stamp_us + offset, message)]
        self._waiting.append((now_us, stamp_us, message))
        if len(self._differences) >= AGREEING:
            return self._learn()
        if len(self._waiting) > _MAX_WAITING:
            del self._waiting[0]
            self.unbelieved += 1
        return []

    def settle(self, now_us: int) -> list[tuple[int, T]]:
        """Decide on messages that have waited for PATIENCE_US: two that agree show the first offset; others are dropped."""
        if self._waiting and now_us - self._waiting[0][0] >= PATIENCE_US:
            if self.offset_us is None and len(self._differences) >= 2:
                return self._learn()
            self._refuse()
        return []

    def _observe(self, difference: int) -> None:
        if self._differences and abs(self._differences[-1] - difference) > SMALL_OFFSET_US:
            self._differences.clear()
            self._refuse()
        self._differences.append(difference)
        del self._differences[:-DRIFTED]

    def _learn(self) -> list[tuple[int, T]]:
        """Take the offset that the last messages show. Returns those that waited for it."""
        offset = median_low(self._differences)
        self.offset_us = offset = 0 if abs(offset) < SMALL_OFFSET_US else offset
        self._differences.clear()
        waiting, self._waiting = self._waiting, []
        near = [
            (stamp + offset, message)
            for arrival, stamp, message in waiting
            if abs(stamp + offset - arrival) <= self._bound_us
        ]
        self.unbelieved += len(waiting) - len(near)
        return near

    def _refuse(self) -> None:
        self.unbelieved += len(self._waiting)
        self._waiting.clear()
