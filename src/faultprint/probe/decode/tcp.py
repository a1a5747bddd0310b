"""Reassemble TCP streams (RFC 9293) in limited memory: drop repeated bytes, wait for missing ones, then skip them."""

from __future__ import annotations

import struct
from collections import Counter
from typing import Final

from faultprint.probe.bounded import BoundedTable
from faultprint.probe.decode.framing import Framer, Messages
from faultprint.probe.decode.inflation import Inflaters
from faultprint.probe.messages.diameter import DiameterMessage
from faultprint.probe.types import DeliverDiameter, DeliverSip

MAX_STREAMS: Final = 2048
MAX_HELD: Final = 2 << 20
"""Bytes that may wait in all streams together."""
MAX_AHEAD: Final = 1 << 17
"""Bytes of one stream that may wait after a gap. With more, the stream skips the gap."""
_OVERHEAD: Final = 64
"""Memory of a waiting segment beyond its bytes, so that many tiny segments count too."""
GAP_US: Final = 3_000_000
"""How long a stream waits for the bytes of a gap: several retransmissions (RFC 6298), but less than the SIP timers."""

REPEATED: Final = "repeated TCP segment"
LOST: Final = "missing TCP segments"
EVICTED: Final = "TCP streams evicted (memory limit)"

_HALF: Final = 1 << 31
_MASK: Final = (1 << 32) - 1
_WINDOW: Final = 1 << 24
"""A segment further back than this belongs to a new connection without a captured SYN."""
_FIN, _SYN, _RST = 1, 2, 4
_TCP = struct.Struct("!4xIxxxxBB").unpack_from


class _Stream:
    """One direction of a connection. `ahead`: segments after a gap, sequence number → (time, bytes)."""

    __slots__ = ("ahead", "ahead_size", "first", "framer", "gap_since", "held", "joined", "leg", "next_sequence")

    def __init__(self, sequence: int, leg: bytes, framer: Framer, joined: bool) -> None:
        self.first = self.next_sequence = sequence
        self.leg = leg
        self.framer = framer
        self.joined = joined
        """The stream began before its first captured segment, so that earlier bytes may come later."""
        self.ahead: dict[int, tuple[int, bytes]] = {}
        self.ahead_size = 0
        self.held = 0
        self.gap_since = 0


class TcpStreams:
    """All streams: one for each direction of a connection, and for each tunnel that carries it."""

    def __init__(self, sip: DeliverSip, diameter: DeliverDiameter, skipped: Counter[str]) -> None:
        self._sip = sip
        self._diameter = diameter
        self._skipped = skipped
        self._inflaters = Inflaters(skipped)
        self._streams: BoundedTable[bytes, _Stream] = BoundedTable(MAX_STREAMS)
        self._gaps: dict[bytes, _Stream] = {}
        self._held = 0

    def __len__(self) -> int:
        """How many streams are kept."""
        return len(self._streams)

    @property
    def held(self) -> int:
        """Memory of all waiting bytes."""
        return self._held

    @property
    def gaps(self) -> int:
        """How many streams have a gap."""
        return len(self._gaps)

    def segment(self, timestamp: int, data: bytes, at: int, end: int, addresses: bytes, context: bytes) -> bool:
        """Read the segment whose TCP header is at `at`. False if the header is truncated."""
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
                stream = self._open(key, sequence, leg, joined=False)
        if body < end:
            if stream is None or _distance(sequence, stream.next_sequence) < -_WINDOW:
                stream = self._open(key, sequence, leg, joined=True)
            self._add(timestamp, key, stream, sequence, data[body:end])
        if flags & _RST or (flags & _FIN and stream is not None and not stream.ahead):
            self._close(key)
        return True

    def expire(self, now: int) -> None:
        """Skip the gaps that have been open for GAP_US at `now` (µs)."""
        for key, stream in list(self._gaps.items()):
            if now - stream.gap_since >= GAP_US:
                self._skip_gap(key, stream)

    def finish(self) -> None:
        """Read the bytes after all gaps and forget all streams: the capture has ended."""
        for key, stream in list(self._gaps.items()):
            while stream.ahead:
                self._skip_gap(key, stream)
        self._streams.clear()
        self._gaps.clear()
        self._held = 0

    def _open(self, key: bytes, sequence: int, leg: bytes, *, joined: bool) -> _Stream:
        self._close(key)
        if len(self._streams) >= MAX_STREAMS:
            self._evict()
        stream = _Stream(sequence, leg, Framer(self._skipped, self._inflaters), joined)
        self._streams.put(key, stream)
        return stream

    def _close(self, key: bytes) -> None:
        stream = self._streams.pop(key, None)
        if stream is not None:
            self._held -= stream.held
            self._gaps.pop(key, None)

    def _evict(self) -> None:
        for key in list(self._streams)[: MAX_STREAMS // 16]:
            if self._streams[key].held:
                self._skipped[EVICTED] += 1
            self._close(key)

    def _add(self, timestamp: int, key: bytes, stream: _Stream, sequence: int, segment: bytes) -> None:
        distance = _distance(sequence, stream.next_sequence)
        if distance <= -len(segment):
            if stream.joined and (sequence + len(segment)) & _MASK == stream.first:
                self._read_earlier(timestamp, stream, sequence, segment)
            else:
                self._skipped[REPEATED] += 1
            return
        if distance > 0:
            if not stream.ahead:
                stream.gap_since = timestamp
                self._gaps[key] = stream
            waiting = stream.ahead.get(sequence)
            if waiting is None or len(segment) > len(waiting[1]):
                stream.ahead[sequence] = (timestamp, segment)
                stream.ahead_size += len(segment) - len(waiting[1]) if waiting else len(segment) + _OVERHEAD
            while stream.ahead_size > MAX_AHEAD:
                self._skip_gap(key, stream)
        else:
            self._read(timestamp, stream, segment[-distance:] if distance else segment)
            if stream.ahead:
                self._drain(timestamp, key, stream)
        self._account(stream)

    def _read_earlier(self, timestamp: int, stream: _Stream, sequence: int, segment: bytes) -> None:
        """The capture began with segments out of order: read the messages in the segment before the first one."""
        stream.first = sequence
        self._deliver(timestamp, stream.leg, Framer(self._skipped, self._inflaters).feed(segment))

    def _read(self, timestamp: int, stream: _Stream, segment: bytes) -> None:
        stream.next_sequence = (stream.next_sequence + len(segment)) & _MASK
        self._deliver(timestamp, stream.leg, stream.framer.feed(segment))

    def _deliver(self, timestamp: int, leg: bytes, messages: Messages) -> None:
        for message in messages:
            if isinstance(message, DiameterMessage):
                self._diameter(timestamp, leg, message)
            else:
                self._sip(timestamp, leg, message)

    def _drain(self, timestamp: int, key: bytes, stream: _Stream) -> None:
        """Read the waiting segments up to the next gap. They reached the application when the gap was filled, not earlier."""
        for sequence in sorted(stream.ahead, key=lambda number: _distance(number, stream.next_sequence)):
            distance = _distance(sequence, stream.next_sequence)
            if distance > 0:
                # The next gap opened with the first segment that came after it.
                stream.gap_since = min(arrival for arrival, _ in stream.ahead.values())
                return
            stamp, segment = stream.ahead.pop(sequence)
            stream.ahead_size -= len(segment) + _OVERHEAD
            if distance > -len(segment):
                self._read(max(timestamp, stamp), stream, segment[-distance:] if distance else segment)
        self._gaps.pop(key, None)

    def _skip_gap(self, key: bytes, stream: _Stream) -> None:
        """Continue after the gap. The framer searches for the next message there."""
        self._skipped[LOST] += 1
        stream.framer.reset()
        sequence = min(stream.ahead, key=lambda number: _distance(number, stream.next_sequence))
        stamp = stream.ahead[sequence][0]
        stream.next_sequence = sequence
        self._drain(stamp, key, stream)
        self._account(stream)

    def _account(self, stream: _Stream) -> None:
        held = stream.framer.held + stream.ahead_size
        self._held += held - stream.held
        stream.held = held
        if self._held > MAX_HELD:
            self._evict()


def _distance(sequence: int, base: int) -> int:
    """How far `sequence` is ahead of `base`, modulo 2³². Negative: behind."""
    return ((sequence - base + _HALF) & _MASK) - _HALF
