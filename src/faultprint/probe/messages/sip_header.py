"""The SIP headers that the probe reads, and how to find them in any spelling."""

from __future__ import annotations

import re
from typing import Final

_BLANKS: Final = frozenset({b" ", b"\t"})
"""A line that begins with one of these continues the header before it (folding)."""


class SipHeader:
    """One header. `line` is the usual start of its line, `size` the length of `line`.

    `pattern` finds it in any case, in its compact form (RFC 3261, 7.3.3) and with blanks before the colon. Group 1 is
    the value with its folded lines.
    """

    __slots__ = ("line", "pattern", "size")

    def __init__(self, name: bytes, compact: bytes = b"") -> None:
        self.line = b"\n" + name + b":"
        self.size = len(self.line)
        names = b"|".join(_either_case(form) for form in (name, compact) if form)
        self.pattern = re.compile(rb"\n(?:" + names + rb")[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)")

    def value(self, text: bytes, end: int) -> bytes | None:
        """The value of the first such header before `end`, with its folded lines; None if there is none."""
        at = text.find(self.line, 0, end)
        if at >= 0:
            stop = text.find(b"\r\n", at, end)
            if stop >= 0 and text[stop + 2 : stop + 3] not in _BLANKS:
                return text[at + self.size : stop].strip()
        match = self.pattern.search(text, 0, end)
        return clean(match[1]) if match else None


def _either_case(name: bytes) -> bytes:
    """Both cases written out: with IGNORECASE, a search cannot look for the first character fast."""
    return re.sub(rb"[A-Za-z]", lambda letter: b"[" + letter[0].lower() + letter[0].upper() + b"]", name)


VIA: Final = SipHeader(b"Via", b"v")
FROM: Final = SipHeader(b"From", b"f")
TO: Final = SipHeader(b"To", b"t")
CALL_ID: Final = SipHeader(b"Call-ID", b"i")
CSEQ: Final = SipHeader(b"CSeq")
CONTACT: Final = SipHeader(b"Contact", b"m")
EXPIRES: Final = SipHeader(b"Expires")
CONTENT_LENGTH: Final = SipHeader(b"Content-Length", b"l")


def clean(value: bytes) -> bytes:
    """A value that `pattern` has captured, on one line."""
    if b"\n" in value:
        return b" ".join([line.strip() for line in value.split(b"\n")]).strip()
    return value.strip()
