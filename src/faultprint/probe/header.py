"""The headers that the probe reads, their compact forms, and the slow but complete way to find them."""

from __future__ import annotations

import re
from typing import Final


class Header:
    """One header: `line` and `short` are how a line with it usually begins, `name` its key in the index."""

    __slots__ = ("line", "name", "short", "size")

    def __init__(self, name: bytes, compact: bytes = b"") -> None:
        self.name = name.lower()
        self.short = b"\n" + compact + b":"
        self.line = b"\n" + name + b":"
        self.size = len(self.line)


VIA: Final = Header(b"Via", b"v")
FROM: Final = Header(b"From", b"f")
TO: Final = Header(b"To", b"t")
CALL_ID: Final = Header(b"Call-ID", b"i")
CSEQ: Final = Header(b"CSeq")
CONTACT: Final = Header(b"Contact", b"m")
EXPIRES: Final = Header(b"Expires")
CONTENT_LENGTH: Final = Header(b"Content-Length", b"l")

_NAMES: Final = {
    b"v": b"via",
    b"f": b"from",
    b"t": b"to",
    b"i": b"call-id",
    b"m": b"contact",
    b"l": b"content-length",
}
"""Compact forms (RFC 3261, 7.3.3)."""

_FOLD: Final = re.compile(rb"[ \t]*\r?\n[ \t]+")
_LINE: Final = re.compile(
    rb"\n(v|via|f|from|t|to|i|call-id|cseq|m|contact|expires|l|content-length)[ \t]*:([^\n]*)", re.IGNORECASE
)


def index_headers(text: bytes, head: int) -> dict[bytes, list[bytes]]:
    """The headers above in any spelling within `text[:head]`: lower-case long name → values in order."""
    index: dict[bytes, list[bytes]] = {}
    for name, value in _LINE.findall(_FOLD.sub(b" ", text[:head])):
        name = name.lower()
        index.setdefault(_NAMES.get(name, name), []).append(value.strip())
    return index
