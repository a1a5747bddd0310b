"""HEP version 3 (revision 37): decode and encode packets.

An agent inside a SIP server sends each message that the server has processed, with its addresses and time. Kamailio
sends no Diameter this way, and no message that the server dropped without reading it.
"""

from __future__ import annotations

import re
import struct
import zlib
from typing import Final, NamedTuple

MAGIC: Final = b"HEP3"
SIP: Final = 1
DIAMETER: Final = 56
MAX_PAYLOAD: Final = 65_507
"""Longest payload of a UDP datagram over IPv4. A longer payload is rejected, compressed or not."""
MAX_EXPANSION: Final = 200
"""A compressed payload may be this many times as long as its chunk. SIP with many equal lines stays below 100."""
NOT_HEP: Final = "datagram is not HEP version 3"
BAD_COMPRESSION: Final = "HEP with a compressed payload that cannot be read"
TOO_LONG: Final = "HEP with a compressed payload that is too long"
_ZLIB_OR_GZIP: Final = 32 + zlib.MAX_WBITS
"""zlib finds the format by the first bytes."""
_HEADER: Final = 6
_INET, _INET6 = 2, 10
_UDP: Final = 17
_PORTS: Final = struct.Struct("!HH").pack
_CHUNK: Final = struct.Struct("!HHH").unpack_from
"""Vendor, type and length of a chunk."""
_OCTET, _SHORT, _LONG = (
    (_HEADER + number.size, number.unpack_from) for number in map(struct.Struct, ("!B", "!H", "!I"))
)
_NUMBERS: Final = {
    1: _OCTET, 2: _OCTET, 7: _SHORT, 8: _SHORT, 9: _LONG, 10: _LONG, 11: _OCTET, 12: _LONG, 18: _SHORT
}  # fmt: skip
"""Chunk type → length of a chunk with a number, and the function that reads the number."""
_REQUIRED: Final = {1: "IP family", 7: "source port", 8: "destination port", 9: "time", 11: "protocol"}


_USUAL = re.compile(
    rb"HEP3..\0\0\0\x01\0\x07\x02\0\0\0\x02\0\x07.\0\0\0\x03\0\x0a....\0\0\0\x04\0\x0a....\0\0\0\x07\0\x08.."
    rb"\0\0\0\x08\0\x08..\0\0\0\x09\0\x0a....\0\0\0\x0a\0\x0a....\0\0\0\x0b\0\x07.\0\0\0\x0c\0\x0a....\0\0\0\x0f(..)",
    re.DOTALL,
).match
"""The chunks in the order in which nearly all agents write them: IPv4, numbers, payload. Group 1: length of the payload's chunk."""
_USUAL_NUMBERS = struct.Struct("!19xB6x4s6x4s6xH6xH6xI6xI6xB6xI").unpack_from
_USUAL_PAYLOAD: Final = 93
"""Offset of the payload's chunk then."""


class HepError(ValueError):
    """The bytes are no HEP version 3 packet. The message names the rule that they break, `reason` its kind for counting."""

    def __init__(self, message: str, reason: str = NOT_HEP) -> None:
        super().__init__(message)
        self.reason = reason


class HepPacket(NamedTuple):
    """One message from an agent. `timestamp`: µs since 1970. Addresses: 4 or 16 bytes.

    `protocol`: 1 for SIP, 56 for Diameter as JSON. `key`: the authentication key (chunk 14).
    """

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
    key: bytes = b""

    @property
    def leg(self) -> bytes:
        """The leg as on the wire: both addresses, then both ports."""
        return self.source + self.destination + _PORTS(self.source_port, self.destination_port)


def decode(data: bytes) -> HepPacket:
    """Decode one datagram. Skips chunks of other vendors and unknown types. Raises HepError."""
    if data[:4] != MAGIC or len(data) < _HEADER:
        raise HepError("a HEP version 3 packet begins with HEP3 and its length")
    (length,) = struct.unpack_from("!H", data, 4)
    if length != len(data):
        raise HepError(f"the length says {length} bytes, but the packet has {len(data)}")
    usual = _USUAL(data)
    if usual is not None and int.from_bytes(usual[1], "big") == length - _USUAL_PAYLOAD:
        ip_protocol, source, target, port, target_port, seconds, fraction, protocol, agent = _USUAL_NUMBERS(data)
        if fraction < 1_000_000:
            payload = data[_USUAL_PAYLOAD + _HEADER :]
            time = seconds * 1_000_000 + fraction
            return HepPacket._make(
                (time, source, target, port, target_port, protocol, payload, ip_protocol, agent, b"", b"", b"")
            )
    numbers: dict[int, int] = {}
    texts: dict[int, bytes] = {}
    at = _HEADER
    while at < length:
        if at + _HEADER > length:
            raise HepError(f"the chunk at byte {at} is truncated")
        vendor, kind, size = _CHUNK(data, at)
        if size < _HEADER or at + size > length:
            raise HepError(f"chunk {kind} claims {size} bytes of {length - at}")
        if vendor == 0:
            number = _NUMBERS.get(kind)
            if number is None:
                texts[kind] = data[at + _HEADER : at + size]
            elif number[0] == size:
                (numbers[kind],) = number[1](data, at + _HEADER)
            else:
                raise HepError(f"chunk {kind} holds {size - _HEADER} bytes, not {number[0] - _HEADER}")
        at += size
    return _packet(numbers, texts)


def _packet(numbers: dict[int, int], texts: dict[int, bytes]) -> HepPacket:
    if not _REQUIRED.keys() <= numbers.keys():
        kind = min(_REQUIRED.keys() - numbers.keys())
        raise HepError(f"chunk {kind} ({_REQUIRED[kind]}) is missing")
    family = numbers[1]
    if family not in (_INET, _INET6):
        raise HepError(f"IP family {family} is neither 2 nor 10")
    first, size = (3, 4) if family == _INET else (5, 16)
    source, destination = texts.get(first, b""), texts.get(first + 1, b"")
    if len(source) != size or len(destination) != size:
        raise HepError(f"the addresses must have {size} bytes each")
    microseconds = numbers.get(10, 0)
    if microseconds >= 1_000_000:
        raise HepError(f"{microseconds} microseconds are a second or more")
    return HepPacket(
        timestamp=numbers[9] * 1_000_000 + microseconds,
        source=source,
        destination=destination,
        source_port=numbers[7],
        destination_port=numbers[8],
        protocol=numbers[11],
        payload=_payload(texts),
        ip_protocol=numbers.get(2, _UDP),
        agent=numbers.get(12, 0),
        correlation=texts.get(17, b""),
        node=texts.get(19, b""),
        key=texts.get(14, b""),
    )


def _payload(texts: dict[int, bytes]) -> bytes:
    if 15 in texts:
        return texts[15]
    if 16 not in texts:
        raise HepError("chunk 15 (payload) is missing")
    return _inflate(texts[16])


def _inflate(packed: bytes) -> bytes:
    """A payload in the format of zlib or gzip. Its expansion and its length are bounded."""
    limit = min(MAX_PAYLOAD, MAX_EXPANSION * len(packed))
    inflater = zlib.decompressobj(_ZLIB_OR_GZIP)
    try:
        payload = inflater.decompress(packed, limit + 1)
    except zlib.error as error:
        raise HepError(f"the compressed payload cannot be read ({error})", BAD_COMPRESSION) from None
    if len(payload) > limit:
        raise HepError(f"the compressed payload is longer than {limit} bytes", TOO_LONG)
    if not inflater.eof:
        raise HepError("the compressed payload is truncated", BAD_COMPRESSION)
    return payload


def encode(packet: HepPacket) -> bytes:
    """Encode a packet as the datagram that an agent sends."""
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
    chunks += [
        _chunk(kind, text) for kind, text in ((14, packet.key), (17, packet.correlation), (19, packet.node)) if text
    ]
    body = b"".join([*chunks, _chunk(15, packet.payload)])
    return MAGIC + (_HEADER + len(body)).to_bytes(2, "big") + body


def _chunk(kind: int, body: bytes) -> bytes:
    return struct.pack("!HHH", 0, kind, _HEADER + len(body)) + body
