"""Fingerprints of transactions that were closed before their timer, so that a later message does not open them again."""

from __future__ import annotations

from array import array
from typing import Final

from faultprint.probe.transactions.states import T1_US

KEPT_US: Final = 64 * T1_US
"""A request is sent again for this long (timers B and F of RFC 3261)."""
_SLOTS: Final = 1 << 17
_MAX_ENTRIES: Final = _SLOTS // 2


class ClosedTransactions:
    """Remembers 64-bit fingerprints for 32 to 64 s, up to 65,536 to 131,072 of them, in 2 MB.

    Two hash tables with open addressing: the older one is dropped when it has expired, or when the newer one is full.
    """

    __slots__ = ("_count", "_new", "_old", "_since")

    def __init__(self) -> None:
        self._new: array[int] = array("q")
        self._old: array[int] = array("q")
        self._count = 0
        self._since = 0

    def add(self, now: int, fingerprint: int) -> None:
        """Remember a transaction that is closed at `now` (µs)."""
        if not self._new or self._count >= _MAX_ENTRIES or not 0 <= now - self._since < KEPT_US:
            self._old = self._new if -KEPT_US < now - self._since < 2 * KEPT_US else array("q")
            self._new = array("q", bytes(8 * _SLOTS))
            self._count, self._since = 0, now
        at = _find(self._new, fingerprint)
        if self._new[at] == 0:
            self._new[at] = fingerprint
            self._count += 1

    def expire(self, now: int) -> None:
        """Free the memory when no fingerprint can matter any more."""
        if self._new and not -KEPT_US < now - self._since < 2 * KEPT_US:
            self.clear()

    def clear(self) -> None:
        """Forget all."""
        self._new, self._old, self._count = array("q"), array("q"), 0

    def __bool__(self) -> bool:
        return self._count > 0

    def __contains__(self, fingerprint: int) -> bool:
        return any(bool(table) and table[_find(table, fingerprint)] != 0 for table in (self._new, self._old))


def _find(table: array[int], fingerprint: int) -> int:
    """The slot of a fingerprint, or the free slot where it belongs. At least half of the slots are free."""
    at = fingerprint & (_SLOTS - 1)
    while table[at] not in (0, fingerprint):
        at = (at + 1) & (_SLOTS - 1)
    return at
