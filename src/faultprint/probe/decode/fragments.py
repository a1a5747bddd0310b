"""IPv4 and IPv6 fragments put together again (RFC 791, RFC 8200) in bounded memory."""

from __future__ import annotations

from collections import Counter
from typing import Final

MAX_DATAGRAMS: Final = 256
MAX_HELD: Final = 1 << 20
"""Bytes of unfinished datagrams held in all."""
LIFETIME_US: Final = 30_000_000
"""RFC 791 suggests 15 s, RFC 8200 says 60 s, Linux waits 30 s."""
_MAX_PARTS: Final = 128
_MAX_SIZE: Final = 65_535

INCOMPLETE: Final = "IP fragments without their rest"


class _Datagram:
    __slots__ = ("held", "parts", "since", "total")

    def __init__(self, since: int) -> None:
        self.since = since
        self.parts: dict[int, bytes] = {}
        self.held = 0
        self.total = -1

    def whole(self) -> bytes | None:
        if self.total < 0 or self.held < self.total:
            return None
        data = bytearray()
        for offset in sorted(self.parts):
            part = self.parts[offset]
            if offset > len(data):
                return None
            data += part[len(data) - offset :]
        return bytes(data[: self.total]) if len(data) >= self.total else None


class Fragments:
    """Collects fragments; counts what never becomes whole in `skipped`."""

    def __init__(self, skipped: Counter[str]) -> None:
        self._skipped = skipped
        self._datagrams: dict[bytes, _Datagram] = {}
        self._held = 0

    def add(self, timestamp: int, key: bytes, offset: int, more: bool, part: bytes) -> bytes | None:
        """The whole payload once its last missing piece is in. `key` names the datagram: addresses, identification."""
        datagram = self._datagrams.get(key)
        if datagram is not None and timestamp - datagram.since > LIFETIME_US:
            self._drop(key)
            datagram = None
        if datagram is None:
            datagram = self._datagrams[key] = _Datagram(timestamp)
        if offset + len(part) > _MAX_SIZE or len(datagram.parts) >= _MAX_PARTS:
            self._drop(key)
            return None
        if not more:
            datagram.total = offset + len(part)
        old = datagram.parts.get(offset, b"")
        if len(part) > len(old):
            datagram.parts[offset] = part
            datagram.held += len(part) - len(old)
            self._held += len(part) - len(old)
        whole = datagram.whole()
        if whole is not None:
            self._held -= datagram.held
            del self._datagrams[key]
            return whole
        while self._held > MAX_HELD or len(self._datagrams) > MAX_DATAGRAMS:
            self._drop(next(iter(self._datagrams)))
        return None

    def _drop(self, key: bytes) -> None:
        self._held -= self._datagrams.pop(key).held
        self._skipped[INCOMPLETE] += 1

    def expire(self, now: int) -> None:
        """Forget what has waited too long."""
        for key in [key for key, datagram in self._datagrams.items() if now - datagram.since > LIFETIME_US]:
            self._drop(key)

    def finish(self) -> None:
        """Count what is left at the end of the listening."""
        for key in list(self._datagrams):
            self._drop(key)
