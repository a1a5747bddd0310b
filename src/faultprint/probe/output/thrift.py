"""The compact protocol of Apache Thrift: the part that a Parquet footer needs (thrift-compact-protocol.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

TRUE: Final = 1
FALSE: Final = 2
BYTE: Final = 3
I32: Final = 5
I64: Final = 6
BINARY: Final = 8
LIST: Final = 9
STRUCT: Final = 12

Field = tuple[int, int, bytes]
"""Field number (above 0, ascending within a struct), type, encoded value."""


def varint(value: int) -> bytes:
    """Encode an unsigned number with seven bits in each byte, lowest first (ULEB128)."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def zigzag(value: int) -> bytes:
    """Encode a signed number: 0, -1, 1, -2 … become 0, 1, 2, 3 …"""
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


def i32(number: int, value: int) -> Field:
    """A field with a 32-bit number."""
    return number, I32, zigzag(value)


def i64(number: int, value: int) -> Field:
    """A field with a 64-bit number."""
    return number, I64, zigzag(value)


def boolean(number: int, value: bool) -> Field:
    """A field with a truth value, which the type holds."""
    return number, TRUE if value else FALSE, b""


def byte(number: int, value: int) -> Field:
    """A field with one byte."""
    return number, BYTE, bytes((value,))


def text(number: int, value: str) -> Field:
    """A field with a UTF-8 string."""
    return number, BINARY, string(value)


def string(value: str) -> bytes:
    """Encode a UTF-8 string."""
    encoded = value.encode()
    return varint(len(encoded)) + encoded


def nested(number: int, *fields: Field) -> Field:
    """A field with a struct of these fields."""
    return number, STRUCT, struct(*fields)


def sequence(number: int, kind: int, elements: Sequence[bytes]) -> Field:
    """A field with a list of encoded elements of one type."""
    size = len(elements)
    head = bytes((size << 4 | kind,)) if size < 15 else bytes((0xF0 | kind,)) + varint(size)
    return number, LIST, head + b"".join(elements)


def struct(*fields: Field) -> bytes:
    """Encode a struct of these fields."""
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
