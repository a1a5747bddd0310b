"""Classic capture files (draft-ietf-opsawg-pcap): both byte orders, microseconds or nanoseconds."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import IO, Final

from faultprint.probe.capture.chunks import ChunkReader, DamagedCapture
from faultprint.probe.types import Packet

MAX_PACKET: Final = 1 << 20
"""Longest packet that is accepted, bytes. The limit of libpcap is 262,144; a larger number is a damaged length."""

_MICROSECONDS: Final = 0xA1B2C3D4
_NANOSECONDS: Final = 0xA1B23C4D
_MODIFIED: Final = 0xA1B2CD34
"""The variant of Alexey Kuznetsov: eight more bytes before each packet."""

_EXTRA: Final = {_MICROSECONDS: 0, _NANOSECONDS: 0, _MODIFIED: 8}
_ORDERS: Final = {
    struct.pack(order + "I", number): (order, number)
    for order in "<>"
    for number in (_MICROSECONDS, _NANOSECONDS, _MODIFIED)
}
MAGICS: Final = frozenset(_ORDERS)


def read(file: IO[bytes], magic: bytes, on_chunk: Callable[[], None] | None = None) -> Iterator[Packet]:
    """The packets after `magic`, which is already read. `on_chunk` is called after each chunk. Raises DamagedCapture."""
    order, number = _ORDERS[magic]
    chunks = ChunkReader(file, on_chunk=on_chunk)
    if not chunks.need(20):
        raise DamagedCapture("it ends inside the file header")
    # The upper bits of the link field are the length of a frame check sequence, which no decoder here reads.
    link = struct.unpack_from(order + "I", chunks.data, 16)[0] & 0xFFFF
    chunks.at = 20
    record = struct.Struct(order + "IIII")
    per_microsecond = 1000 if number == _NANOSECONDS else 1
    header = 16 + _EXTRA[number]
    unpack = record.unpack_from
    while chunks.need(header):
        data, at, limit = chunks.data, chunks.at, len(chunks.data)
        while at + header <= limit:
            seconds, fraction, size, _ = unpack(data, at)
            end = at + header + size
            if end > limit:
                break
            yield seconds * 1_000_000 + fraction // per_microsecond, link, data[at + header : end]
            at = end
        chunks.at = at
        if at + header <= limit:
            if size > MAX_PACKET:
                raise DamagedCapture(
                    f"the packet at byte {chunks.offset + 4} claims {size} bytes, more than {MAX_PACKET}"
                )
            chunks.need(header + size)
