"""DNS for one zone (RFC 1035): decode a query, encode its answer, from a table of names and addresses."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

A: Final = 1
INTERNET: Final = 1
NAME_ERROR: Final = 3
_RESPONSE: Final = 0x8400
"""QR and AA: an answer, from the authority."""
_MAX_NAME: Final = 255


class DnsError(ValueError):
    """Bytes that are no DNS query."""


@dataclass(frozen=True, slots=True)
class DnsQuery:
    """One question; `raw` is the question section as received."""

    identifier: int
    flags: int
    name: str
    kind: int
    raw: bytes


def decode_query(data: bytes) -> DnsQuery:
    """The one question of a query. Raises DnsError."""
    if len(data) < 12:
        raise DnsError(f"{len(data)} bytes are shorter than a DNS header")
    identifier, flags, questions = struct.unpack_from("!HHH", data)
    if flags & 0x8000 or questions != 1:
        raise DnsError(f"flags {flags:#x} and {questions} questions make no plain query")
    labels = []
    at = 12
    while True:
        if at >= len(data) or at > 12 + _MAX_NAME:
            raise DnsError("the name does not end")
        size = data[at]
        if size == 0:
            break
        if size > 63:
            raise DnsError("a query's name must not be compressed")
        labels.append(data[at + 1 : at + 1 + size].decode("ascii", "replace").lower())
        at += 1 + size
    if at + 5 > len(data):
        raise DnsError("the question is cut short")
    (kind,) = struct.unpack_from("!H", data, at + 1)
    return DnsQuery(identifier, flags, ".".join(labels), kind, data[12 : at + 5])


def encode_query(identifier: int, name: str, kind: int = A) -> bytes:
    """A query for one name."""
    labels = b"".join(bytes((len(label),)) + label.encode("ascii") for label in name.split(".") if label)
    return struct.pack("!HHHHHH", identifier, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, kind, INTERNET)


def encode_answer(query: DnsQuery, zone: Mapping[str, str], ttl: int) -> bytes:
    """The answer: an A record, an empty answer for another type, or a name error for an unknown name."""
    address = zone.get(query.name)
    found = address is not None and query.kind == A
    code = 0 if address is not None else NAME_ERROR
    head = struct.pack("!HHHHHH", query.identifier, _RESPONSE | query.flags & 0x0100 | code, 1, 1 if found else 0, 0, 0)
    record = b""
    if found and address is not None:
        packed = bytes(int(part) for part in address.split("."))
        record = struct.pack("!HHHIH", 0xC00C, A, INTERNET, ttl, 4) + packed
    return head + query.raw + record
