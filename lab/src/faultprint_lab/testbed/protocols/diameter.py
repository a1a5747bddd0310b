"""Diameter messages (RFC 6733): encoding and decoding only. Knows the AVPs of Cx (TS 29.229) and Rx (TS 29.214)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

HEADER: Final = 20
VENDOR_3GPP: Final = 10415
MAX_LENGTH: Final = 1 << 20
"""Longest message that is believed; a length beyond it is taken for garbage."""


class Command(IntEnum):
    """Command codes."""

    CAPABILITIES_EXCHANGE = 257
    RE_AUTH = 258
    AA = 265
    ABORT_SESSION = 274
    SESSION_TERMINATION = 275
    DEVICE_WATCHDOG = 280
    DISCONNECT_PEER = 282
    USER_AUTHORIZATION = 300
    SERVER_ASSIGNMENT = 301
    LOCATION_INFO = 302
    MULTIMEDIA_AUTH = 303


class ApplicationId(IntEnum):
    """Application identifiers."""

    COMMON = 0
    CX = 16777216
    RX = 16777236


class Code(IntEnum):
    """AVP codes; those from 600 on belong to 3GPP."""

    USER_NAME = 1
    DIGEST_REALM = 104
    DIGEST_QOP = 110
    DIGEST_ALGORITHM = 111
    DIGEST_HA1 = 121
    HOST_IP_ADDRESS = 257
    AUTH_APPLICATION_ID = 258
    VENDOR_SPECIFIC_APPLICATION_ID = 260
    SESSION_ID = 263
    ORIGIN_HOST = 264
    SUPPORTED_VENDOR_ID = 265
    VENDOR_ID = 266
    RESULT_CODE = 268
    PRODUCT_NAME = 269
    AUTH_SESSION_STATE = 277
    ORIGIN_STATE_ID = 278
    EXPERIMENTAL_RESULT = 297
    EXPERIMENTAL_RESULT_CODE = 298
    ORIGIN_REALM = 296
    PUBLIC_IDENTITY = 601
    SERVER_NAME = 602
    USER_DATA = 606
    SIP_NUMBER_AUTH_ITEMS = 607
    SIP_AUTHENTICATION_SCHEME = 608
    SIP_AUTHENTICATE = 609
    SIP_AUTH_DATA_ITEM = 612
    SIP_ITEM_NUMBER = 613
    SERVER_ASSIGNMENT_TYPE = 614
    SIP_DIGEST_AUTHENTICATE = 635


class Result(IntEnum):
    """Result codes (RFC 6733) and 3GPP experimental result codes (TS 29.229)."""

    SUCCESS = 2001
    FIRST_REGISTRATION = 2001
    SUBSEQUENT_REGISTRATION = 2002
    COMMAND_UNSUPPORTED = 3001
    TOO_BUSY = 3004
    USER_UNKNOWN = 5001
    IDENTITY_NOT_REGISTERED = 5003
    UNABLE_TO_COMPLY = 5012


class DiameterError(ValueError):
    """Bytes that are no Diameter message."""


@dataclass(frozen=True, slots=True)
class Avp:
    """One attribute-value pair; `data` is as on the wire, without padding."""

    code: int
    data: bytes
    vendor: int = 0
    mandatory: bool = True

    def encode(self) -> bytes:
        """Header, data and padding to a multiple of four bytes (RFC 6733, 4.1)."""
        flags = (0x80 if self.vendor else 0) | (0x40 if self.mandatory else 0)
        length = len(self.data) + (12 if self.vendor else 8)
        head = struct.pack("!II", self.code, flags << 24 | length)
        vendor = struct.pack("!I", self.vendor) if self.vendor else b""
        return head + vendor + self.data + b"\0" * (-length % 4)

    @property
    def number(self) -> int:
        """The data as Unsigned32. Raises DiameterError."""
        if len(self.data) != 4:
            raise DiameterError(f"AVP {self.code} holds {len(self.data)} bytes, not the 4 of a number")
        return int.from_bytes(self.data, "big")

    @property
    def text(self) -> str:
        """The data as UTF8String; bytes that are none are replaced."""
        return self.data.decode("utf-8", "replace")

    @property
    def group(self) -> tuple[Avp, ...]:
        """The data as Grouped. Raises DiameterError."""
        return decode_avps(self.data)


def avp(code: int, value: int | str | bytes | tuple[Avp, ...]) -> Avp:
    """An AVP from a Python value: Unsigned32, UTF8String, OctetString or Grouped; codes from 600 on get 3GPP as vendor."""
    if isinstance(value, int):
        data = struct.pack("!I", value)
    elif isinstance(value, str):
        data = value.encode()
    elif isinstance(value, tuple):
        data = b"".join(one.encode() for one in value)
    else:
        data = value
    return Avp(code, data, VENDOR_3GPP if code >= 600 else 0)


def decode_avps(data: bytes) -> tuple[Avp, ...]:
    """The AVPs in `data`, one after another. Raises DiameterError."""
    found = []
    at = 0
    while at < len(data):
        if len(data) - at < 8:
            raise DiameterError(f"AVP header cut short at byte {at}")
        code, word = struct.unpack_from("!II", data, at)
        flags, length = word >> 24, word & 0xFFFFFF
        size = 12 if flags & 0x80 else 8
        if length < size or at + length > len(data):
            raise DiameterError(f"AVP {code} claims {length} bytes of {len(data) - at}")
        vendor = int.from_bytes(data[at + 8 : at + 12], "big") if flags & 0x80 else 0
        found.append(Avp(code, data[at + size : at + length], vendor, bool(flags & 0x40)))
        at += length + -length % 4
    return tuple(found)


@dataclass(frozen=True, slots=True)
class DiameterMessageCodec:
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
        """As on the wire (RFC 6733, 3)."""
        body = b"".join(one.encode() for one in self.avps)
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
        return next((one for one in self.avps if one.code == code), None)

    def text(self, code: int) -> str:
        """The first AVP with this code as text; empty where there is none."""
        found = self.first(code)
        return found.text if found else ""

    def number(self, code: int, default: int = 0) -> int:
        """The first AVP with this code as a number; `default` where there is none. Raises DiameterError."""
        found = self.first(code)
        return found.number if found else default

    def answer(self, *avps: Avp, error: bool = False) -> DiameterMessageCodec:
        """The answer to this request."""
        return DiameterMessageCodec(
            self.command, self.application, False, self.hop_by_hop, self.end_to_end, avps, self.proxiable, error
        )


def message_length(header: bytes) -> int:
    """Length of the message that begins with these four or more bytes. Raises DiameterError."""
    (word,) = struct.unpack_from("!I", header)
    version, length = word >> 24, word & 0xFFFFFF
    if version != 1 or not HEADER <= length <= MAX_LENGTH or length % 4:
        raise DiameterError(f"version {version} and length {length} begin no Diameter message")
    return int(length)


def decode(data: bytes) -> DiameterMessageCodec:
    """One whole message. Raises DiameterError."""
    if len(data) < HEADER or message_length(data) != len(data):
        raise DiameterError(f"{len(data)} bytes are not one whole Diameter message")
    _, word, application, hop_by_hop, end_to_end = struct.unpack_from("!IIIII", data)
    flags = word >> 24
    return DiameterMessageCodec(
        command=word & 0xFFFFFF,
        application=application,
        request=bool(flags & 0x80),
        hop_by_hop=hop_by_hop,
        end_to_end=end_to_end,
        avps=decode_avps(data[HEADER:]),
        proxiable=bool(flags & 0x40),
        error=bool(flags & 0x20),
    )
