"""Streams that begin as something else than SIP or Diameter: TLS, HTTP, RTSP, MSRP, SSH. Only a WebSocket is of interest."""

from __future__ import annotations

import re
from typing import Final

TLS_TYPES: Final = range(0x14, 0x19)
TLS_HEADER: Final = 5
_MAX_RECORD: Final = (1 << 14) + 2048
_TEXT: Final = re.compile(
    rb"[A-Z]{2,20} [^\r\n ]*+ (?:HTTP|RTSP)/\d|(?:HTTP|RTSP)/\d\.\d |SSH-\d|MSRP [^\r\n ]++ [A-Z0-9]"
)
_HTTP: Final = re.compile(rb"(?:[A-Z]{2,20} [^\r\n ]*+ )?HTTP/1\.[01][ \r\n]")
_NO_BODY: Final = re.compile(rb"HTTP/1\.[01] (?:1\d\d|204|304)")
_LENGTH: Final = re.compile(rb"\nContent-Length[ \t]*:[ \t]*(\d{1,12})[ \t]*\r\n", re.IGNORECASE)
_CODING: Final = re.compile(rb"\nTransfer-Encoding[ \t]*:", re.IGNORECASE)


def is_tls(data: bytes, at: int) -> bool:
    """Whether a TLS record (RFC 8446, 5.1) begins at `at`. Needs TLS_HEADER bytes."""
    if data[at] not in TLS_TYPES or data[at + 1] != 3 or data[at + 2] > 4:
        return False
    return 0 < int.from_bytes(data[at + 3 : at + 5], "big") <= _MAX_RECORD


def is_other_text(line: bytes) -> bool:
    """Whether the first line of a stream belongs to another protocol with text."""
    return _TEXT.match(line) is not None


def body_size(head: bytes) -> int | None:
    """Bytes of the body after the head of an HTTP/1 message. None: unknown, or not HTTP/1."""
    if _HTTP.match(head) is None or _CODING.search(head) is not None:
        return None
    if _NO_BODY.match(head) is not None:
        return 0
    length = _LENGTH.search(head)
    if length is not None:
        return int(length[1])
    return None if head.startswith(b"HTTP/") else 0
