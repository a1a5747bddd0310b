"""Diameter over SCTP (RFC 9260): DATA chunks, each a message or a fragment of one, in bounded memory.

A message needs no neighbour to be read, so nothing waits for its order; only fragments wait for one another, which have
transmission sequence numbers (TSN) in a row. An association's direction is known by its ports and verification tag: its
addresses may change on the way.
"""

from __future__ import annotations

import struct
from collections import Counter
from typing import Final

from faultprint.probe.bounded import BoundedTable
from faultprint.probe.deliver import DeliverDiameter
from faultprint.probe.messages.diameter import SHORTEST, DiameterMessage, length_at, no_header

PROTOCOL: Final = 132
MAX_ASSOCIATIONS: Final = 1024
"""Directions of associations."""
MAX_HELD: Final = 1 << 20
"""Bytes of fragments held in all."""
MAX_PARTS: Final = 256
"""Fragments that one direction holds."""
LIFETIME_US: Final = 30_000_000
"""How long a fragment waits for its neighbours: several retransmissions (RFC 9260, 16: the first after 1 s)."""

REPEATED: Final = "SCTP chunk repeated"
INCOMPLETE: Final = "SCTP fragments without their rest"
NOT_DIAMETER: Final = "SCTP message that is not Diameter"

_COMMON: Final = 12
_DATA: Final = 0
_DATA_HEAD: Final = 16
_LAST, _FIRST = 1, 2
_WHOLE: Final = _FIRST | _LAST
_DIAMETER: Final = 46
"""Payload protocol identifier (RFC 6733, 11.4); some send 0. What is under DTLS (47) cannot be read."""
_OVERHEAD: Final = 64
"""What a held fragment costs beyond its bytes."""
_MASK: Final = (1 << 32) - 1
_HALF: Final = 1 << 31
_WINDOW: Final = 1024
"""Numbers back from the highest in which a repeated chunk is known."""
_RECENT: Final = (1 << _WINDOW) - 1
_CHUNK = struct.Struct("!BBH").unpack_from
_NUMBERS = struct.Struct("!I4xI").unpack_from


class _Direction:
    """One direction of an association: `seen` has a bit for each of the last numbers, that of `highest` lowest."""

    __slots__ = ("highest", "parts", "seen")

    def __init__(self, number: int) -> None:
        self.highest = number
        self.seen = 0
        self.parts: dict[int, tuple[int, int, bytes]] = {}

    def repeats(self, number: int) -> bool:
        """Whether the chunk of this number was here before; notes that it is now."""
        ahead = ((number - self.highest + _HALF) & _MASK) - _HALF
        if ahead > 0:
            self.seen = (self.seen << ahead) & _RECENT if ahead < _WINDOW else 0
            self.highest = number
            ahead = 0
        elif ahead <= -_WINDOW:
            return True
        bit = 1 << -ahead
        known = bool(self.seen & bit)
        self.seen |= bit
        return known

    def run(self, number: int) -> list[int] | None:
        """The numbers of the whole message that the part of this number belongs to; None while it is not all there."""
        first = last = number
        while not self.parts[first][1] & _FIRST:
            first = (first - 1) & _MASK
            if first not in self.parts:
                return None
        while not self.parts[last][1] & _LAST:
            last = (last + 1) & _MASK
            if last not in self.parts:
                return None
        return [(first + step) & _MASK for step in range(((last - first) & _MASK) + 1)]


class Associations:
    """All associations, one entry for each direction (and for each tunnel that it is seen in)."""

    def __init__(self, deliver: DeliverDiameter, skipped: Counter[str]) -> None:
        self._deliver = deliver
        self._skipped = skipped
        self._directions: BoundedTable[bytes, _Direction] = BoundedTable(MAX_ASSOCIATIONS)
        self._waiting: dict[bytes, _Direction] = {}
        """Those that hold fragments."""
        self._held = 0

    def packet(self, timestamp: int, data: bytes, at: int, end: int, addresses: bytes, context: bytes) -> bool:
        """Take the packet whose common header is at `at`. False if it, or a chunk in it, is cut short."""
        if end - at < _COMMON:
            return False
        leg = addresses + data[at : at + 4]
        key = context + data[at : at + 8]
        at += _COMMON
        while at < end:
            if end - at < 4:
                return False
            kind, flags, length = _CHUNK(data, at)
            if length < 4 or at + length > end:
                return False
            if kind == _DATA:
                if length <= _DATA_HEAD:
                    return False
                self._chunk(timestamp, key, leg, flags & _WHOLE, data[at : at + length])
            at += length + -length % 4
        return True

    def expire(self, now: int) -> None:
        """Forget the fragments that have waited for LIFETIME_US."""
        for key, direction in list(self._waiting.items()):
            if now - next(iter(direction.parts.values()))[0] > LIFETIME_US:
                self._drop(key)

    def finish(self) -> None:
        """Count what is left; forget all associations."""
        for key in list(self._waiting):
            self._drop(key)
        self._directions.clear()

    def _chunk(self, timestamp: int, key: bytes, leg: bytes, flags: int, chunk: bytes) -> None:
        number, payload = _NUMBERS(chunk, 4)
        direction = self._directions.get(key)
        if direction is None:
            if key in self._waiting:
                # The table has let it go in the meantime.
                self._drop(key)
            direction = _Direction(number)
            self._directions.put(key, direction)
        if direction.repeats(number):
            self._skipped[REPEATED] += 1
        elif flags == _WHOLE:
            self._message(timestamp, leg, payload, chunk[_DATA_HEAD:])
        else:
            self._part(timestamp, key, leg, direction, number, flags, chunk)

    def _part(
        self, timestamp: int, key: bytes, leg: bytes, direction: _Direction, number: int, flags: int, chunk: bytes
    ) -> None:
        direction.parts[number] = (timestamp, flags, chunk)
        self._waiting[key] = direction
        self._held += len(chunk) + _OVERHEAD
        numbers = direction.run(number)
        if numbers is not None:
            parts = [direction.parts.pop(each)[2] for each in numbers]
            self._held -= sum(map(len, parts)) + _OVERHEAD * len(parts)
            if not direction.parts:
                del self._waiting[key]
            payload = _NUMBERS(parts[0], 4)[1]
            self._message(timestamp, leg, payload, b"".join([part[_DATA_HEAD:] for part in parts]))
        elif len(direction.parts) > MAX_PARTS:
            self._drop(key)
        while self._held > MAX_HELD:
            self._drop(next(iter(self._waiting)))

    def _message(self, timestamp: int, leg: bytes, payload: int, text: bytes) -> None:
        if length_at(text, 0, len(text)) == len(text):
            self._deliver(timestamp, leg, DiameterMessage(text))
        elif payload == _DIAMETER and len(text) >= SHORTEST:
            self._deliver(timestamp, leg, no_header(text[:SHORTEST]))
        else:
            self._skipped[NOT_DIAMETER] += 1

    def _drop(self, key: bytes) -> None:
        direction = self._waiting.pop(key)
        self._held -= sum(len(part[2]) + _OVERHEAD for part in direction.parts.values())
        direction.parts.clear()
        self._skipped[INCOMPLETE] += 1
