"""SIP (RFC 4168) and Diameter over SCTP (RFC 9260): a DATA chunk holds a message or a fragment of one. Limited memory.

Messages are independent, so they are read in the order in which they come. Only the fragments of one message wait for
each other; they have consecutive transmission sequence numbers (TSN). Ports and verification tag identify one direction
of an association, because its addresses may change.
"""

from __future__ import annotations

import struct
from collections import Counter
from typing import Final

from faultprint.probe.bounded import BoundedTable
from faultprint.probe.messages.diameter import MIN_MESSAGE, DiameterMessage, avps_fill, invalid_header, length_at
from faultprint.probe.messages.sip import read_datagram
from faultprint.probe.types import DeliverDiameter, DeliverSip

PROTOCOL: Final = 132
MAX_ASSOCIATIONS: Final = 1024
"""Directions of associations that are kept."""
MAX_HELD: Final = 1 << 20
"""Bytes of all waiting fragments together."""
MAX_FRAGMENTS: Final = 256
"""Fragments of one direction that may wait."""
LIFETIME_US: Final = 30_000_000
"""How long a fragment waits for the others: several retransmissions (RFC 9260, 16: the first after 1 s)."""

REPEATED: Final = "repeated SCTP chunk"
INCOMPLETE: Final = "incomplete SCTP fragments"
NEITHER: Final = "SCTP message is neither SIP nor Diameter"
ENCRYPTED_DTLS: Final = "encrypted DTLS"

_COMMON: Final = 12
_DATA: Final = 0
_DATA_HEAD: Final = 16
_LAST, _FIRST = 1, 2
_WHOLE: Final = _FIRST | _LAST
_DIAMETER: Final = 46
"""Payload protocol identifier (RFC 6733, 11.4). Some nodes send 0."""
_DIAMETER_DTLS: Final = 47
_OVERHEAD: Final = 64
"""Memory of a waiting fragment beyond its bytes."""
_MASK: Final = (1 << 32) - 1
_HALF: Final = 1 << 31
_WINDOW: Final = 1024
"""How many numbers below the highest are remembered to recognise repeated chunks."""
_WINDOW_MASK: Final = (1 << _WINDOW) - 1
_CHUNK = struct.Struct("!BBH").unpack_from
_NUMBERS = struct.Struct("!I4xI").unpack_from


class _Direction:
    """One direction of an association. `received` has one bit for each recent number; the lowest bit is that of `highest`."""

    __slots__ = ("fragments", "highest", "received")

    def __init__(self, number: int) -> None:
        self.highest = number
        self.received = 0
        self.fragments: dict[int, tuple[int, int, bytes]] = {}

    def is_repeated(self, number: int) -> bool:
        """Whether a chunk with this number came before. Records that it has come."""
        ahead = ((number - self.highest + _HALF) & _MASK) - _HALF
        if ahead > 0:
            self.received = (self.received << ahead) & _WINDOW_MASK if ahead < _WINDOW else 0
            self.highest = number
            ahead = 0
        elif ahead <= -_WINDOW:
            return True
        bit = 1 << -ahead
        repeated = bool(self.received & bit)
        self.received |= bit
        return repeated

    def message_numbers(self, number: int) -> list[int] | None:
        """The numbers of all fragments of the message with this fragment, or None if one is still missing."""
        first = last = number
        while not self.fragments[first][1] & _FIRST:
            first = (first - 1) & _MASK
            if first not in self.fragments:
                return None
        while not self.fragments[last][1] & _LAST:
            last = (last + 1) & _MASK
            if last not in self.fragments:
                return None
        return [(first + step) & _MASK for step in range(((last - first) & _MASK) + 1)]


class SctpAssociations:
    """All associations: one entry for each direction, and for each tunnel that carries it."""

    def __init__(self, sip: DeliverSip, diameter: DeliverDiameter, skipped: Counter[str]) -> None:
        self._sip = sip
        self._diameter = diameter
        self._skipped = skipped
        self._directions: BoundedTable[bytes, _Direction] = BoundedTable(MAX_ASSOCIATIONS)
        self._waiting: dict[bytes, _Direction] = {}
        """Directions with waiting fragments."""
        self._held = 0

    def __len__(self) -> int:
        """How many directions are kept."""
        return len(self._directions)

    @property
    def held(self) -> int:
        """Memory of all waiting fragments, bytes."""
        return self._held

    @property
    def waiting(self) -> tuple[int, ...]:
        """How many fragments wait in each direction that has some."""
        return tuple(len(direction.fragments) for direction in self._waiting.values())

    def packet(self, timestamp: int, data: bytes, at: int, end: int, addresses: bytes, context: bytes) -> bool:
        """Read the packet whose common header is at `at`. False if it, or a chunk in it, is truncated."""
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
        """Drop the fragments that have waited longer than LIFETIME_US at `now` (µs)."""
        for key, direction in list(self._waiting.items()):
            if now - next(iter(direction.fragments.values()))[0] > LIFETIME_US:
                self._drop(key)

    def finish(self) -> None:
        """Drop all fragments and associations: the capture has ended."""
        for key in list(self._waiting):
            self._drop(key)
        self._directions.clear()

    def _chunk(self, timestamp: int, key: bytes, leg: bytes, flags: int, chunk: bytes) -> None:
        number, payload = _NUMBERS(chunk, 4)
        direction = self._directions.get(key)
        if direction is None:
            if key in self._waiting:
                # The table has dropped this direction in the meantime.
                self._drop(key)
            direction = _Direction(number)
            self._directions.put(key, direction)
        if direction.is_repeated(number):
            self._skipped[REPEATED] += 1
        elif flags == _WHOLE:
            self._message(timestamp, leg, payload, chunk[_DATA_HEAD:])
        else:
            self._fragment(timestamp, key, leg, direction, number, flags, chunk)

    def _fragment(
        self, timestamp: int, key: bytes, leg: bytes, direction: _Direction, number: int, flags: int, chunk: bytes
    ) -> None:
        direction.fragments[number] = (timestamp, flags, chunk)
        self._waiting[key] = direction
        self._held += len(chunk) + _OVERHEAD
        numbers = direction.message_numbers(number)
        if numbers is not None:
            chunks = [direction.fragments.pop(each)[2] for each in numbers]
            self._held -= sum(map(len, chunks)) + _OVERHEAD * len(chunks)
            if not direction.fragments:
                del self._waiting[key]
            payload = _NUMBERS(chunks[0], 4)[1]
            self._message(timestamp, leg, payload, b"".join([each[_DATA_HEAD:] for each in chunks]))
        elif len(direction.fragments) > MAX_FRAGMENTS:
            self._drop(key)
        while self._held > MAX_HELD:
            self._drop(next(iter(self._waiting)))

    def _message(self, timestamp: int, leg: bytes, payload: int, text: bytes) -> None:
        """A whole message. Only Diameter has its own payload identifier; without it, the AVPs must show that it is one."""
        if length_at(text, 0, len(text)) == len(text) and (payload == _DIAMETER or avps_fill(text, 0, len(text))):
            self._diameter(timestamp, leg, DiameterMessage(text))
        elif payload == _DIAMETER and len(text) >= MIN_MESSAGE:
            self._diameter(timestamp, leg, invalid_header(text[:MIN_MESSAGE]))
        elif (message := read_datagram(text, 0, len(text))) is not None:
            self._sip(timestamp, leg, message)
        else:
            self._skipped[ENCRYPTED_DTLS if payload == _DIAMETER_DTLS else NEITHER] += 1

    def _drop(self, key: bytes) -> None:
        direction = self._waiting.pop(key)
        self._held -= sum(len(fragment[2]) + _OVERHEAD for fragment in direction.fragments.values())
        direction.fragments.clear()
        self._skipped[INCOMPLETE] += 1
