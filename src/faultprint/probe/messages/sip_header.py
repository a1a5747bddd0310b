"""The headers that the probe reads, and how to find them in any spelling."""

from __future__ import annotations

import re
from typing import Final

_BLANKS: Final = frozenset({b" ", b"\t"})
"""A line that begins with one goes on with the header before (folding)."""


class Header:
    """One header: `line` is how a line with it mostly begins; `pattern` finds it in either case, in its compact form
    (RFC 3261, 7.3.3), with blanks before the colon, and takes the lines on which it goes on."""

    __slots__ = ("line", "pattern", "size")

    def __init__(self, name: bytes, compact: bytes = b"") -> None:
        self.line = b"\n" + name + b":"
        self.size = len(self.line)
        names = b"|".join(_either_case(form) for form in (name, compact) if form)
        self.pattern = re.compile(rb"\n(?:" + names + rb")[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)")

    def value(self, text: bytes, end: int) -> bytes | None:
        """The value of the first such header before `end`, folded lines included; None if there is none."""
        at = text.find(self.line, 0, end)
        if at >= 0:
            stop = text.find(b"\r\n", at, end)
            if stop >= 0 and text[stop + 2 : stop + 3] not in _BLANKS:
                return text[at + self.size : stop].strip()
        found = self.pattern.search(text, 0, end)
        return clean(found[1]) if found else None


def _either_case(name: bytes) -> bytes:
    """Spelt out, as IGNORECASE keeps a search from looking for its first character quickly."""
    return re.sub(rb"[A-Za-z]", lambda letter: b"[" + letter[0].lower() + letter[0].upper() + b"]", name)


VIA: Final = Header(b"Via", b"v")
FROM: Final = Header(b"From", b"f")
TO: Final = Header(b"To", b"t")
CALL_ID: Final = Header(b"Call-ID", b"i")
CSEQ: Final = Header(b"CSeq")
CONTACT: Final = Header(b"Contact", b"m")
EXPIRES: Final = Header(b"Expires")
CONTENT_LENGTH: Final = Header(b"Content-Length", b"l")


def clean(value: bytes) -> bytes:
    """A value as `pattern` captures it, in one line."""
    if b"\n" in value:
        return b" ".join([line.strip() for line in value.split(b"\n")]).strip()
    return value.strip()
