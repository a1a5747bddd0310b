"""Search a stream for the start line of a SIP message."""

from __future__ import annotations

import re
from typing import Final

from faultprint.probe.messages.sip import START_LINE

MAX_LINE: Final = 1024
_VERSION: Final = b"SIP/2.0"
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""Bytes that no start line contains."""
_WITHIN_LINE: Final = re.compile(
    rb"(?<=[>}\x00-\x08\x0b\x0c\x0e-\x1f\x80-\xff])(?=SIP/2\.0 [1-6]\d\d[ \r\n]|[A-Z]{3,16} (?:sips?|tel|urn):)"
)
"""A message that follows at once on a body without line end, or on a keep-alive byte."""


def is_unfinished(line: bytes) -> bool:
    """Whether these bytes may become a start line."""
    return len(line) < MAX_LINE and b"\n" not in line and not _CONTROL.search(line)


def find_start_line(buffer: bytes, at: int) -> tuple[int | None, int]:
    """Offset of the next SIP start line, or None; and offset of the last line if it may become a start line."""
    version = buffer.find(_VERSION, at)
    while version >= 0:
        line = buffer.rfind(b"\n", at, version) + 1 or at
        if START_LINE.match(buffer, line):
            return line, line
        within = _WITHIN_LINE.search(buffer, max(line, version - MAX_LINE), version + 12)
        if within is not None and START_LINE.match(buffer, within.start()):
            return within.start(), within.start()
        if b"\n" not in buffer[version:] and len(buffer) - line < MAX_LINE:
            break
        version = buffer.find(_VERSION, version + 1)
    last = buffer.rfind(b"\n", at) + 1 or at
    return None, last if len(buffer) - last < MAX_LINE else len(buffer)
