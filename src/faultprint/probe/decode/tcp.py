"""TCP streams put in order again (RFC 9293), in bounded memory: repeats dropped, gaps waited for, then given up."""

from __future__ import annotations

import struct
from collections import Counter
from typing import Final

from faultprint.probe.bounded import BoundedTable
from faultprint.probe.decode.framing import Framer
from faultprint.probe.deliver import DeliverDiameter, DeliverSip
from faultprint.probe.messages.diameter import DiameterMessage

MAX_STREAMS: Final = 2048
MAX_HELD: Final = 2 << 20
"""Bytes that wait in all streams together."""
MAX_AHEAD: Final = 1 << 17
"""Bytes that one stream holds beyond a gap before it gives the gap up."""
_OVERHEAD: Final = 64
"""What a held segment costs beyond its bytes, so that many tiny ones count too."""
GAP_US: Final = 3_000_000
"""How long a gap is waited for: several retransmissions of TCP (RFC 6298), less than any SIP timer that matters."""

REPEATED: Final = "TCP segment repeated"
LOST: Final = "TCP segments missing"
CROWDED: Final = "TCP streams beyond memory"

_HALF: Final = 1 << 31
_MASK: Final = (1 << 32) - 1
_WINDOW: Final = 1 << 24
"""A segment further back than this belongs to a new connection, whose first segment was not captured."""
_FIN, _SYN, _RST = 1, 2, 4
_TCP = struct.Struct("!4xIxxxxBB").unpack_from


class _Stream:
    __slots__ = ("ahead", "ahead_size", "first", "framer", "gap_since", "held", "leg", "next")

    def __init__(self, following: int, leg: bytes) -> None:
        self.first = self.next = following
        self.leg = leg
        self.framer = Framer()
        self.ahead: dict[int, tuple[int, bytes]] = {}
        self.ahead_size = 0
        self.held = 0
        self.gap_since = 0


class Streams:
    """All streams, one for each direction of a connection (and for each tunnel that it is seen in)."""

    def __init__(self, sip: DeliverSip, diameter: DeliverDiameter, skipped: Counter[str]) -> None:
        self._sip = sip
        self._diameter = diameter
        self._skipped = skipped
        self._streams: BoundedTable[bytes, _Stream] = BoundedTable(MAX_STREAMS)
        self._gaps: dict[bytes, _Stream] = {}
        self._held = 0

    def segment(self, timestamp: int, data: bytes, at: int, end: int, addresses: bytes, context: bytes) -> bool:
        """Take the segment whose TCP header is at `at`. False if the header is cut short."""
        if end - at < 20:
            return False
        sequence, offset, flags = _TCP(data, at)
        body = at + (offset >> 4) * 4
        if body < at + 20 or body > end:
            return False
        leg = addresses + data[at : at + 4]
        key = context + leg
        stream = self._streams.get(key)
        if flags & _SYN:
            sequence = (sequence + 1) & _MASK
            if stream is None or stream.first != sequence:
                stream = self._open(key, sequence, leg)
        if body < end:
            if stream is None or _distance(sequence, stream.next) < -_WINDOW:
                stream = self._open(key, sequence, leg)
            self._take(timestamp, key, stream, sequence, data[body:end])
        if flags & _RST or (flags & _FIN and stream is not None and not stream.ahead):
            self._close(key)
        return True

    def expire(self, now: int) -> None:
        """Give up the gaps that have been open for GAP_US."""
        for key, stream in list(self._gaps.items()):
            if now - stream.gap_since >= GAP_US:
                self._give_up(key, stream)

    def finish(self) -> None:
        """Read what lies beyond the gaps; forget all streams."""
        for key, stream in list(self._gaps.items()):
            while stream.ahead:
                self._give_up(key, stream)
        self._streams.clear()
        self._gaps.clear()
        self._held = 0

    def _open(self, key: bytes, following: int, leg: bytes) -> _Stream:
        self._close(key)
        if len(self._streams) >= MAX_STREAMS:
            self._make_room()
        stream = _Stream(following, leg)
        self._streams.put(key, stream)
        return stream

    def _close(self, key: bytes) -> None:
        stream = self._streams.pop(key, None)
        if stream is not None:
            self._held -= stream.held
            self._gaps.pop(key, None)

    def _make_room(self) -> None:
        for key in list(self._streams)[: MAX_STREAMS // 16]:
            if self._streams[key].held:
                self._skipped[CROWDED] += 1
            self._close(key)

    def _take(self, timestamp: int, key: bytes, stream: _Stream, sequence: int, part: bytes) -> None:
        distance = _distance(sequence, stream.next)
        if distance <= -len(part):
            self._skipped[REPEATED] += 1
            return
        if distance > 0:
            if not stream.ahead:
                stream.gap_since = timestamp
                self._gaps[key] = stream
            waiting = stream.ahead.get(sequence)
            if waiting is None or len(part) > len(waiting[1]):
                stream.ahead[sequence] = (timestamp, part)
                stream.ahead_size += len(part) - len(waiting[1]) if waiting else len(part) + _OVERHEAD
            while stream.ahead_size > MAX_AHEAD:
                self._give_up(key, stream)
        else:
            self._read(timestamp, stream, part[-distance:] if distance else part)
            if stream.ahead:
                self._drain(timestamp, key, stream)
        self._account(stream)

    def _read(self, timestamp: int, stream: _Stream, part: bytes) -> None:
        stream.next = (stream.next + len(part)) & _MASK
        for message in stream.framer.feed(part):
            if isinstance(message, DiameterMessage):
                self._diameter(timestamp, stream.leg, message)
            else:
                self._sip(timestamp, stream.leg, message)

    def _drain(self, timestamp: int, key: bytes, stream: _Stream) -> None:
        """Read what was ahead and now follows on; it reached the application no earlier than what filled the gap."""
        for sequence in sorted(stream.ahead, key=lambda number: _distance(number, stream.next)):
            distance = _distance(sequence, stream.next)
            if distance > 0:
                return
            stamp, part = stream.ahead.pop(sequence)
            stream.ahead_size -= len(part) + _OVERHEAD
            if distance > -len(part):
                self._read(max(timestamp, stamp), stream, part[-distance:] if distance else part)
        self._gaps.pop(key, None)

    def _give_up(self, key: bytes, stream: _Stream) -> None:
        """Go on behind the gap; the framer looks for the next message there."""
        self._skipped[LOST] += 1
        stream.framer.lose()
        sequence = min(stream.ahead, key=lambda number: _distance(number, stream.next))
        stamp = stream.ahead[sequence][0]
        stream.next = sequence
        stream.gap_since = stamp
        self._drain(stamp, key, stream)
        self._account(stream)

    def _account(self, stream: _Stream) -> None:
        held = stream.framer.held + stream.ahead_size
        self._held += held - stream.held
        stream.held = held
        if self._held > MAX_HELD:
            self._make_room()


def _distance(sequence: int, base: int) -> int:
    """How far `sequence` is ahead of `base`, modulo 2³² (negative: behind)."""
    return ((sequence - base + _HALF) & _MASK) - _HALF
