"""Recognise a message that was captured twice: the copy of a mirror port or of a tunnel."""

from __future__ import annotations

from typing import Final

WINDOW_US: Final = 20_000
"""A copy comes within this time. A retransmission comes after T1 = 500 ms at the earliest (RFC 3261, 17.1.1.1)."""
_MAX_MESSAGES: Final = 8192


class DuplicateFilter:
    """Remembers the messages of the last 20 to 40 ms by a hash of leg and bytes."""

    __slots__ = ("_new", "_old", "_since")

    def __init__(self) -> None:
        self._new: dict[int, int] = {}
        self._old: dict[int, int] = {}
        self._since = 0

    def is_duplicate(self, timestamp: int, leg: bytes, text: bytes) -> bool:
        """Whether the same bytes were on the same leg less than WINDOW_US from `timestamp` (µs)."""
        if not 0 <= timestamp - self._since < WINDOW_US or len(self._new) > _MAX_MESSAGES:
            self._old, self._new, self._since = self._new, {}, timestamp
        key = hash((leg, text))
        new = self._new
        if key in new or key in self._old:
            before = new[key] if key in new else self._old[key]
            if abs(timestamp - before) < WINDOW_US:
                return True
        new[key] = timestamp
        return False
