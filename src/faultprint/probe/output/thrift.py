"""Thrift's compact protocol, as much of it as a Parquet footer needs (thrift-compact-protocol.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

TRUE: Final = 1
FALSE: Final = 2
I32: Final = 5
I64: Final = 6
BINARY: Final = 8
LIST: Final = 9
STRUCT: Final = 12

Field = tuple[int, int, bytes]
"""Field number (above zero, ascending within a struct), type, encoded value."""


def varint(value: int) -> bytes:
    """Unsigned, seven bits a byte, lowest first (ULEB128)."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def zigzag(value: int) -> bytes:
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


def i32(number: int, value: int) -> Field:
    return number, I32, zigzag(value)


def i64(number: int, value: int) -> Field:
    return number, I64, zigzag(value)


def boolean(number: int, value: bool) -> Field:
    return number, TRUE if value else FALSE, b""


def byte(number: int, value: int) -> Field:
    return number, 3, bytes((value,))


def text(number: int, value: str) -> Field:
    return number, BINARY, string(value)


def string(value: str) -> bytes:
    encoded = value.encode()
    return varint(len(encoded)) + encoded


def nested(number: int, *fields: Field) -> Field:
    return number, STRUCT, struct(*fields)


def sequence(number: int, kind: int, elements: Sequence[bytes]) -> Field:
    """A list of elements of one type, each encoded already."""
    size = len(elements)
    head = bytes((size << 4 | kind,)) if size < 15 else bytes((0xF0 | kind,)) + varint(size)
    return number, LIST, head + b"".join(elements)


def struct(*fields: Field) -> bytes:
    encoded = bytearray()
    last = 0
    for number, kind, value in fields:
        if 0 < number - last < 16:
            encoded.append((number - last) << 4 | kind)
        else:
            encoded.append(kind)
            encoded += zigzag(number)
        encoded += value
        last = number
    encoded.append(0)
    return bytes(encoded)
