"""Capture files in the pcapng format (draft-ietf-opsawg-pcapng): many sections, interfaces and time resolutions."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import IO, Final, NamedTuple

from faultprint.probe.capture.chunks import ChunkReader, DamagedCapture
from faultprint.probe.capture.pcap import MAX_PACKET
from faultprint.probe.types import Packet

MAGIC: Final = b"\x0a\x0d\x0d\x0a"
_INTERFACE: Final = 1
_OLD_PACKET: Final = 2
_SIMPLE_PACKET: Final = 3
_ENHANCED_PACKET: Final = 6
_ORDERS: Final = {b"\x1a\x2b\x3c\x4d": ">", b"\x4d\x3c\x2b\x1a": "<"}
_MAX_BLOCK: Final = MAX_PACKET + (1 << 16)
_MAX_INTERFACES: Final = 4096
_TSRESOL: Final = 9
_TSOFFSET: Final = 14


class _Interface(NamedTuple):
    link: int
    snap: int
    ticks: int
    """Per second."""
    offset: int
    """Seconds to add."""

    def microseconds(self, stamp: int) -> int:
        if self.ticks == 1_000_000:
            return stamp + self.offset * 1_000_000
        return stamp * 1_000_000 // self.ticks + self.offset * 1_000_000


def read(file: IO[bytes], on_chunk: Callable[[], None] | None = None) -> Iterator[Packet]:
    """The packets of all sections. The magic of the first section is already read. Raises DamagedCapture.

    `on_chunk` is called after each chunk of the file. A simple packet block has no time, so it gets that of the packet
    before it.
    """
    chunks = ChunkReader(file, MAGIC, on_chunk)
    order = "<"
    interfaces: list[_Interface] = []
    last = 0
    while chunks.need(12):
        data, at = chunks.data, chunks.at
        if data[at : at + 4] == MAGIC:
            order = _byte_order(data[at + 8 : at + 12])
            interfaces = []
        kind, size = struct.unpack_from(order + "II", data, at)
        if size < 12 or size % 4 or size > _MAX_BLOCK:
            raise DamagedCapture(f"the block at byte {chunks.offset} claims {size} bytes, which no block has")
        chunks.need(size)
        data, at = chunks.data, chunks.at
        body, end = at + 8, at + size - 4
        chunks.at = at + size
        if kind == _ENHANCED_PACKET:
            packet = _enhanced(order, data, body, end, interfaces)
        elif kind == _INTERFACE:
            interfaces.append(_interface(order, data[body:end]))
            if len(interfaces) > _MAX_INTERFACES:
                raise DamagedCapture(f"it describes more than {_MAX_INTERFACES} interfaces")
            continue
        elif kind == _SIMPLE_PACKET:
            packet = _simple(order, data, body, end, interfaces, last)
        elif kind == _OLD_PACKET:
            packet = _old(order, data, body, end, interfaces)
        else:
            continue
        last = packet[0]
        yield packet


def _byte_order(mark: bytes) -> str:
    try:
        return _ORDERS[mark]
    except KeyError:
        raise DamagedCapture(f"a section's byte-order mark is {mark.hex()}, not 1a2b3c4d in either order") from None


def _interface(order: str, body: bytes) -> _Interface:
    if len(body) < 8:
        raise DamagedCapture("an interface block is shorter than its 8 fixed bytes")
    link, _, snap = struct.unpack_from(order + "HHI", body)
    ticks, offset, at = 1_000_000, 0, 8
    while at + 4 <= len(body):
        code, size = struct.unpack_from(order + "HH", body, at)
        value = body[at + 4 : at + 4 + size]
        if code == 0:
            break
        if code == _TSRESOL and size == 1:
            ticks = 1 << (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
        elif code == _TSOFFSET and len(value) == 8:
            offset = struct.unpack(order + "q", value)[0]
        at += 4 + (size + 3) // 4 * 4
    return _Interface(link, snap, ticks, offset)


def _enhanced(order: str, data: bytes, body: int, end: int, interfaces: list[_Interface]) -> Packet:
    if end - body < 20:
        raise DamagedCapture("a packet block is shorter than its 20 fixed bytes")
    number, high, low, size, _ = struct.unpack_from(order + "IIIII", data, body)
    return _packet(data, body + 20, size, end, interfaces, number, high << 32 | low)


def _old(order: str, data: bytes, body: int, end: int, interfaces: list[_Interface]) -> Packet:
    if end - body < 20:
        raise DamagedCapture("a packet block is shorter than its 20 fixed bytes")
    number, _, high, low, size, _ = struct.unpack_from(order + "HHIIII", data, body)
    return _packet(data, body + 20, size, end, interfaces, number, high << 32 | low)


def _packet(data: bytes, at: int, size: int, end: int, interfaces: list[_Interface], number: int, stamp: int) -> Packet:
    if number >= len(interfaces):
        raise DamagedCapture(f"a packet names interface {number}, but the section describes only {len(interfaces)}")
    if size > end - at:
        raise DamagedCapture(f"a packet claims {size} bytes, but its block holds only {end - at}")
    interface = interfaces[number]
    return interface.microseconds(stamp), interface.link, data[at : at + size]


def _simple(order: str, data: bytes, body: int, end: int, interfaces: list[_Interface], last: int) -> Packet:
    if not interfaces or end - body < 4:
        raise DamagedCapture("a simple packet block comes before any interface is described, or lacks its length")
    (size,) = struct.unpack_from(order + "I", data, body)
    kept = min(size, interfaces[0].snap or size, end - body - 4)
    return last, interfaces[0].link, data[body + 4 : body + 4 + kept]
