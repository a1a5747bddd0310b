"""Reassemble IPv4 and IPv6 fragments (RFC 791, RFC 8200) in limited memory."""

from __future__ import annotations

from collections import Counter
from typing import Final

MAX_DATAGRAMS: Final = 256
MAX_HELD: Final = 1 << 20
"""Bytes of all incomplete datagrams together."""
LIFETIME_US: Final = 30_000_000
"""How long a datagram waits for its fragments. RFC 791 suggests 15 s, RFC 8200 says 60 s, Linux waits 30 s."""
_MAX_FRAGMENTS: Final = 128
_MAX_SIZE: Final = 65_535

INCOMPLETE: Final = "incomplete IP fragments"


class _Datagram:
    __slots__ = ("fragments", "held", "since", "total")

    def __init__(self, since: int) -> None:
        self.since = since
        self.fragments: dict[int, bytes] = {}
        self.held = 0
        self.total = -1

    def reassembled(self) -> bytes | None:
        """The payload, or None if a fragment is still missing."""
        if self.total < 0 or self.held < self.total:
            return None
        data = bytearray()
        for offset in sorted(self.fragments):
            fragment = self.fragments[offset]
            if offset > len(data):
                return None
            data += fragment[len(data) - offset :]
        return bytes(data[: self.total]) if len(data) >= self.total else None


class Fragments:
    """Collects fragments. Counts incomplete datagrams in `skipped`."""

    def __init__(self, skipped: Counter[str]) -> None:
        self._skipped = skipped
        self._datagrams: dict[bytes, _Datagram] = {}
        self._held = 0

    def __len__(self) -> int:
        """How many datagrams wait for fragments."""
        return len(self._datagrams)

    @property
    def held(self) -> int:
        """Bytes of all waiting fragments."""
        return self._held

    def add(self, timestamp: int, key: bytes, offset: int, more: bool, fragment: bytes) -> bytes | None:
        """Add one fragment. Returns the whole payload if no fragment is missing any more.

        `key` identifies the datagram (addresses and identification). `more`: the fragment is not the last.
        """
        datagram = self._datagrams.get(key)
        if datagram is not None and timestamp - datagram.since > LIFETIME_US:
            self._drop(key)
            datagram = None
        if datagram is None:
            datagram = self._datagrams[key] = _Datagram(timestamp)
        if offset + len(fragment) > _MAX_SIZE or len(datagram.fragments) >= _MAX_FRAGMENTS:
            self._drop(key)
            return None
        if not more:
            datagram.total = offset + len(fragment)
        old = datagram.fragments.get(offset, b"")
        if len(fragment) > len(old):
            datagram.fragments[offset] = fragment
            datagram.held += len(fragment) - len(old)
            self._held += len(fragment) - len(old)
        payload = datagram.reassembled()
        if payload is not None:
            self._held -= datagram.held
            del self._datagrams[key]
            return payload
        while self._held > MAX_HELD or len(self._datagrams) > MAX_DATAGRAMS:
            self._drop(next(iter(self._datagrams)))
        return None

    def _drop(self, key: bytes) -> None:
        self._held -= self._datagrams.pop(key).held
        self._skipped[INCOMPLETE] += 1

    def expire(self, now: int) -> None:
        """Drop the datagrams that have waited longer than LIFETIME_US at `now` (µs)."""
        for key in [key for key, datagram in self._datagrams.items() if now - datagram.since > LIFETIME_US]:
            self._drop(key)

    def finish(self) -> None:
        """Drop all incomplete datagrams: the capture has ended."""
        for key in list(self._datagrams):
            self._drop(key)
