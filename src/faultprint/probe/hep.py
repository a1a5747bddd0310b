"""HEP version 3 (revision 37): chunks decoded, encoded, and turned into the frame that the probe would have captured.

An agent that runs inside a SIP server sends each message that the server processed, with its addresses and time. No
Diameter comes this way from Kamailio, and nothing that the server dropped unread.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from faultprint.probe.packet import Packet

MAGIC: Final = b"HEP3"
RAW_IP: Final = 101
"""LINKTYPE_RAW of tcpdump.org: the frame begins with the IP header."""
SIP: Final = 1
MAX_PAYLOAD: Final = 65_507
"""Longest payload of a UDP datagram over IPv4; a longer one, or one that inflates beyond it, is refused."""
_HEADER: Final = 6
_INET, _INET6 = 2, 10
_UDP: Final = 17
_NUMBERS: Final = {1: 1, 2: 1, 7: 2, 8: 2, 9: 4, 10: 4, 11: 1, 12: 4, 18: 2}
"""Chunk type → bytes, of the chunks that hold a number."""


class HepError(ValueError):
    """Bytes that are no HEP version 3 packet; the message names the rule."""


@dataclass(frozen=True, slots=True)
class HepPacket:
    """One message as an agent saw it. `timestamp`: µs since 1970; addresses: 4 or 16 bytes; `protocol`: 1 for SIP."""

    timestamp: int
    source: bytes
    destination: bytes
    source_port: int
    destination_port: int
    protocol: int
    payload: bytes
    ip_protocol: int = _UDP
    agent: int = 0
    correlation: bytes = b""
    node: bytes = b""

    def frame(self) -> Packet:
        """The message in a UDP datagram on raw IP, whatever transport it came by: the agent gives whole messages."""
        length = 8 + len(self.payload)
        udp = struct.pack("!HHHH", self.source_port, self.destination_port, length, 0)
        if len(self.source) == 4:
            head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, _UDP, 0)
        else:
            head = struct.pack("!IHBB", 6 << 28, length, _UDP, 64)
        return self.timestamp, RAW_IP, head + self.source + self.destination + udp + self.payload


def decode(data: bytes) -> HepPacket:
    """One datagram. Chunks of other vendors and unknown types are passed over. Raises HepError."""
    if data[:4] != MAGIC or len(data) < _HEADER:
        raise HepError("a HEP version 3 packet begins with HEP3 and its length")
    (length,) = struct.unpack_from("!H", data, 4)
    if length != len(data):
        raise HepError(f"the length says {length} bytes, but the packet has {len(data)}")
    numbers: dict[int, int] = {}
    texts: dict[int, bytes] = {}
    for kind, body in _chunks(data):
        size = _NUMBERS.get(kind)
        if size is None:
            texts[kind] = body
        elif len(body) == size:
            numbers[kind] = int.from_bytes(body, "big")
        else:
            raise HepError(f"chunk {kind} holds {len(body)} bytes, not {size}")
    return _packet(numbers, texts)


def _chunks(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of the generic vendor's chunks. Raises HepError."""
    at = _HEADER
    while at < len(data):
        if at + _HEADER > len(data):
            raise HepError(f"the chunk at byte {at} is cut short")
        vendor, kind, length = struct.unpack_from("!HHH", data, at)
        if length < _HEADER or at + length > len(data):
            raise HepError(f"chunk {kind} claims {length} bytes of {len(data) - at}")
        if vendor == 0:
            yield kind, data[at + _HEADER : at + length]
        at += length


def _packet(numbers: dict[int, int], texts: dict[int, bytes]) -> HepPacket:
    for kind, name in ((1, "IP family"), (7, "source port"), (8, "destination port"), (9, "time"), (11, "protocol")):
        if kind not in numbers:
            raise HepError(f"chunk {kind} ({name}) is missing")
    family = numbers[1]
    if family not in (_INET, _INET6):
        raise HepError(f"IP family {family} is neither 2 nor 10")
    first, size = (3, 4) if family == _INET else (5, 16)
    addresses = [texts.get(first, b""), texts.get(first + 1, b"")]
    if any(len(address) != size for address in addresses):
        raise HepError(f"the addresses must have {size} bytes each")
    microseconds = numbers.get(10, 0)
    if microseconds >= 1_000_000:
        raise HepError(f"{microseconds} microseconds are a second or more")
    return HepPacket(
        timestamp=numbers[9] * 1_000_000 + microseconds,
        source=addresses[0],
        destination=addresses[1],
        source_port=numbers[7],
        destination_port=numbers[8],
        protocol=numbers[11],
        payload=_payload(texts),
        ip_protocol=numbers.get(2, _UDP),
        agent=numbers.get(12, 0),
        correlation=texts.get(17, b""),
        node=texts.get(19, b""),
    )


def _payload(texts: dict[int, bytes]) -> bytes:
    if 15 in texts:
        return texts[15]
    if 16 not in texts:
        raise HepError("chunk 15 (payload) is missing")
    inflater = zlib.decompressobj()
    try:
        payload = inflater.decompress(texts[16], MAX_PAYLOAD)
    except zlib.error as error:
        raise HepError(f"the compressed payload cannot be read ({error})") from None
    if inflater.unconsumed_tail:
        raise HepError(f"the compressed payload is longer than {MAX_PAYLOAD} bytes")
    return payload


def encode(packet: HepPacket) -> bytes:
    """The datagram of a packet, as an agent sends it."""
    seconds, microseconds = divmod(packet.timestamp, 1_000_000)
    inet = len(packet.source) == 4
    chunks = [
        _chunk(1, bytes((_INET if inet else _INET6,))),
        _chunk(2, bytes((packet.ip_protocol,))),
        _chunk(3 if inet else 5, packet.source),
        _chunk(4 if inet else 6, packet.destination),
        _chunk(7, packet.source_port.to_bytes(2, "big")),
        _chunk(8, packet.destination_port.to_bytes(2, "big")),
        _chunk(9, seconds.to_bytes(4, "big")),
        _chunk(10, microseconds.to_bytes(4, "big")),
        _chunk(11, bytes((packet.protocol,))),
        _chunk(12, packet.agent.to_bytes(4, "big")),
    ]
    chunks += [_chunk(kind, text) for kind, text in ((17, packet.correlation), (19, packet.node)) if text]
    body = b"".join([*chunks, _chunk(15, packet.payload)])
    return MAGIC + (_HEADER + len(body)).to_bytes(2, "big") + body


def _chunk(kind: int, body: bytes) -> bytes:
    return struct.pack("!HHH", 0, kind, _HEADER + len(body)) + body
