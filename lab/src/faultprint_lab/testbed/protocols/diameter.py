"""Encoding and decoding of Diameter messages (RFC 6733) with the AVPs of Cx (TS 29.229) and Rx (TS 29.214)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

from faultprint.probe.messages.dictionary import VENDOR_3GPP

HEADER: Final = 20
"""Length of the header in bytes."""
MAX_LENGTH: Final = 1 << 20
"""Maximum length of a message in bytes; a larger length is an error."""


class DiameterError(ValueError):
    """The bytes are no Diameter message."""


@dataclass(frozen=True, slots=True)
class Avp:
    """One attribute-value pair; `data` is encoded, without padding."""

    code: int
    data: bytes
    vendor: int = 0
    mandatory: bool = True

    def encode(self) -> bytes:
        """Encode header, data and padding to a multiple of 4 bytes (RFC 6733, 4.1)."""
        flags = (0x80 if self.vendor else 0) | (0x40 if self.mandatory else 0)
        length = len(self.data) + (12 if self.vendor else 8)
        head = struct.pack("!II", self.code, flags << 24 | length)
        vendor = struct.pack("!I", self.vendor) if self.vendor else b""
        return head + vendor + self.data + b"\0" * (-length % 4)

    @property
    def number(self) -> int:
        """The data as Unsigned32. Raises DiameterError."""
        if len(self.data) != 4:
            raise DiameterError(f"AVP {self.code} has {len(self.data)} bytes; a number has 4")
        return int.from_bytes(self.data, "big")

    @property
    def text(self) -> str:
        """The data as UTF8String; invalid bytes are replaced."""
        return self.data.decode("utf-8", "replace")

    @property
    def group(self) -> tuple[Avp, ...]:
        """The data as Grouped. Raises DiameterError."""
        return decode_avps(self.data)


def avp(code: int, value: int | str | bytes | tuple[Avp, ...]) -> Avp:
    """An AVP of a Python value: Unsigned32, UTF8String, OctetString or Grouped. Codes from 600 on get the vendor 3GPP."""
    if isinstance(value, int):
        data = struct.pack("!I", value)
    elif isinstance(value, str):
        data = value.encode()
    elif isinstance(value, tuple):
        data = b"".join(member.encode() for member in value)
    else:
        data = value
    return Avp(code, data, VENDOR_3GPP if code >= 600 else 0)


def decode_avps(data: bytes) -> tuple[Avp, ...]:
    """The AVPs in `data`, in order. Raises DiameterError."""
    avps = []
    offset = 0
    while offset < len(data):
        if len(data) - offset < 8:
            raise DiameterError(f"AVP header ends too early at byte {offset}")
        code, word = struct.unpack_from("!II", data, offset)
        flags, length = word >> 24, word & 0xFFFFFF
        size = 12 if flags & 0x80 else 8
        if length < size or offset + length > len(data):
            raise DiameterError(f"AVP {code} claims {length} bytes of {len(data) - offset}")
        vendor = int.from_bytes(data[offset + 8 : offset + 12], "big") if flags & 0x80 else 0
        avps.append(Avp(code, data[offset + size : offset + length], vendor, bool(flags & 0x40)))
        offset += length + -length % 4
    return tuple(avps)


@dataclass(frozen=True, slots=True)
class DiameterPdu:
    """One Diameter message."""

    command: int
    application: int
    request: bool
    hop_by_hop: int
    end_to_end: int
    avps: tuple[Avp, ...] = field(default=())
    proxiable: bool = True
    error: bool = False

    def encode(self) -> bytes:
        """Encode the message (RFC 6733, 3)."""
        body = b"".join(member.encode() for member in self.avps)
        flags = (0x80 if self.request else 0) | (0x40 if self.proxiable else 0) | (0x20 if self.error else 0)
        return (
            struct.pack(
                "!IIIII",
                1 << 24 | HEADER + len(body),
                flags << 24 | self.command,
                self.application,
                self.hop_by_hop,
                self.end_to_end,
            )
            + body
        )

    def first(self, code: int) -> Avp | None:
        """The first AVP with this code."""
        return next((member for member in self.avps if member.code == code), None)

    def text(self, code: int) -> str:
        """The first AVP with this code as text; empty if there is none."""
        member = self.first(code)
        return member.text if member else ""

    def number(self, code: int, default: int = 0) -> int:
        """The first AVP with this code as a number; `default` if there is none. Raises DiameterError."""
        member = self.first(code)
        return member.number if member else default

    def answer(self, *avps: Avp, error: bool = False) -> DiameterPdu:
        """The answer to this request."""
        return DiameterPdu(
            self.command, self.application, False, self.hop_by_hop, self.end_to_end, avps, self.proxiable, error
        )


def message_length(header: bytes) -> int:
    """Length of the message that starts with these 4 or more bytes. Raises DiameterError."""
    (word,) = struct.unpack_from("!I", header)
    version, length = word >> 24, word & 0xFFFFFF
    if version != 1 or not HEADER <= length <= MAX_LENGTH or length % 4:
        raise DiameterError(f"version {version} and length {length} are no start of a Diameter message")
    return int(length)


def decode(data: bytes) -> DiameterPdu:
    """Decode one complete message. Raises DiameterError."""
    if len(data) < HEADER or message_length(data) != len(data):
        raise DiameterError(f"{len(data)} bytes are not one complete Diameter message")
    _, word, application, hop_by_hop, end_to_end = struct.unpack_from("!IIIII", data)
    flags = word >> 24
    return DiameterPdu(
        command=word & 0xFFFFFF,
        application=application,
        request=bool(flags & 0x80),
        hop_by_hop=hop_by_hop,
        end_to_end=end_to_end,
        avps=decode_avps(data[HEADER:]),
        proxiable=bool(flags & 0x40),
        error=bool(flags & 0x20),
    )
