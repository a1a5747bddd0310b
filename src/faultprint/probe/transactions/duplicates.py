"""The same message captured twice: a mirror's or a tunnel's copy."""

from __future__ import annotations

from typing import Final

WINDOW_US: Final = 20_000
"""A copy comes within this; a retransmission not before T1, 500 ms (RFC 3261, 17.1.1.1)."""
_MAX_SEEN: Final = 8192


class Duplicates:
    """Remembers every message of the last 20 to 40 ms by the hash of its leg and its bytes."""

    __slots__ = ("_new", "_old", "_since")

    def __init__(self) -> None:
        self._new: dict[int, int] = {}
        self._old: dict[int, int] = {}
        self._since = 0

    def seen(self, timestamp: int, leg: bytes, text: bytes) -> bool:
        """Whether the same bytes were on the same leg less than WINDOW_US before `timestamp`."""
        if not 0 <= timestamp - self._since < WINDOW_US or len(self._new) > _MAX_SEEN:
            self._old, self._new, self._since = self._new, {}, timestamp
        key = hash((leg, text))
        new = self._new
        if key in new or key in self._old:
            before = new.get(key) or self._old[key]
            if abs(timestamp - before) < WINDOW_US:
                return True
        new[key] = timestamp
        return False
