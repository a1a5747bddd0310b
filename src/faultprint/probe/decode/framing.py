"""A byte stream cut into messages: SIP by Content-Length (RFC 3261, 18.3) or by WebSocket frames (RFC 7118), Diameter by
its header (RFC 6733, 3).

How the bytes came in pieces makes no difference. A stream that is out of step, or that never was either, is searched
for a start line or a header; at most the longest message waits for its rest.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from faultprint.probe.decode.websocket import HANDSHAKE, HANDSHAKE_STARTS, BadFrame, read_frame
from faultprint.probe.messages import diameter, sip
from faultprint.probe.messages.diameter import DiameterMessage
from faultprint.probe.messages.sip import START, SipMessage
from faultprint.probe.messages.sip_header import CONTENT_LENGTH

MAX_HEAD: Final = 1 << 15
MAX_BODY: Final = 1 << 16
MAX_MESSAGE: Final = MAX_HEAD + MAX_BODY
_MAX_LINE: Final = 1024
_MAX_HANDSHAKE: Final = 8192
_VERSION: Final = b"SIP/2.0"
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""What no start line holds."""

Found = list[SipMessage | DiameterMessage]


class _Mode(Enum):
    NEW = "nothing read yet"
    SIP = "at the start of a SIP message"
    DIAMETER = "at the start of a Diameter message"
    SEARCHING = "looking for the start of a message"
    WEBSOCKET = "at the start of a frame"


class Framer:
    """One direction of a stream. `feed` gives the messages that the new bytes complete; `held` bytes wait."""

    __slots__ = ("_buffer", "_mode", "_need", "_parts")

    def __init__(self) -> None:
        self._buffer = b""
        self._mode = _Mode.NEW
        self._need = 0
        self._parts = b""

    @property
    def held(self) -> int:
        return len(self._buffer) + len(self._parts)

    def lose(self) -> None:
        """Bytes are missing from here on: drop what waits for them."""
        self._buffer = self._parts = b""
        self._need = 0
        self._mode = _Mode.NEW

    def feed(self, data: bytes) -> Found:
        buffer = self._buffer + data if self._buffer else data
        messages: Found = []
        at = 0
        if len(buffer) >= self._need:
            self._need = 0
            steps = {
                _Mode.SIP: self._message,
                _Mode.DIAMETER: self._diameter,
                _Mode.SEARCHING: self._search,
                _Mode.WEBSOCKET: self._frame,
                _Mode.NEW: self._first,
            }
            while at < len(buffer):
                try:
                    following = steps[self._mode](buffer, at, messages)
                except BadFrame:
                    self._mode = _Mode.SEARCHING
                    continue
                if following is None:
                    break
                at = following
            self._buffer = buffer[at:]
        else:
            self._buffer = buffer
        return messages

    # Each step gives the offset to go on from, or None to wait for more.

    def _first(self, buffer: bytes, at: int, messages: Found) -> int | None:
        """Find out what the stream is."""
        start = buffer[at : at + 12]
        if any(start.startswith(mark) or mark.startswith(start) for mark in HANDSHAKE_STARTS):
            end = buffer.find(b"\r\n\r\n", at)
            if end < 0 and len(buffer) - at < _MAX_HANDSHAKE:
                return None
            if end >= 0 and HANDSHAKE.match(buffer, at, end + 4):
                self._mode = _Mode.WEBSOCKET
                return end + 4
            self._mode = _Mode.SEARCHING
            return at
        if start[0] == diameter.VERSION:
            if len(buffer) - at < diameter.SHORTEST:
                return None
            self._mode = _Mode.DIAMETER if diameter.length_at(buffer, at, len(buffer)) else _Mode.SEARCHING
            return at
        if start[0] in (0x81, 0x82):
            frame = read_frame(buffer, at)
            if frame is None:
                return None
            self._mode = _Mode.WEBSOCKET if START.match(frame.payload) else _Mode.SEARCHING
            return at
        self._mode = _Mode.SIP
        return at

    def _message(self, buffer: bytes, at: int, messages: Found) -> int | None:
        while at < len(buffer) and buffer[at] in b"\r\n":
            at += 1
        if at == len(buffer):
            return at
        start = START.match(buffer, at)
        if start is None:
            line = buffer[at : at + _MAX_LINE]
            if len(line) < _MAX_LINE and b"\n" not in line and not _CONTROL.search(line):
                return None
            almost = sip.read_datagram(line, 0, _MAX_LINE)
            if almost is not None:
                messages.append(almost)
            self._mode = _Mode.SEARCHING
            return at
        end = buffer.find(b"\r\n\r\n", at)
        size = 4
        if end < 0:
            end, size = buffer.find(b"\n\n", at), 2
        if end < 0:
            if len(buffer) - at < MAX_HEAD:
                return None
            messages.append(SipMessage(buffer[at : at + MAX_HEAD], start))
            self._mode = _Mode.SEARCHING
            return at + MAX_HEAD
        head = SipMessage(buffer[at : end + size], start)
        length = head.get(CONTENT_LENGTH)
        if length is None or not length.isdigit() or len(length) > 9 or int(length) > MAX_BODY:
            head.defect = sip.BAD_LENGTH
            messages.append(head)
            return end + size
        end += size + int(length)
        if end > len(buffer):
            self._need = end - at
            return None
        messages.append(SipMessage(buffer[at:end], start) if int(length) else head)
        return end

    def _diameter(self, buffer: bytes, at: int, messages: Found) -> int | None:
        if len(buffer) - at < diameter.SHORTEST:
            return None
        length = diameter.length_at(buffer, at, len(buffer))
        if not length:
            messages.append(diameter.no_header(buffer[at : at + diameter.SHORTEST]))
            self._mode = _Mode.SEARCHING
            # Where it claims to begin, none begins.
            return at + 1
        if at + length > len(buffer):
            self._need = length
            return None
        messages.append(DiameterMessage(buffer[at : at + length]))
        return at + length

    def _search(self, buffer: bytes, at: int, messages: Found) -> int | None:
        """Go to the next start line or header; keep only an end that may become one."""
        line, keep = self._start_line(buffer, at)
        header = diameter.find(buffer, at, len(buffer) if line is None else line)
        if header is not None:
            self._mode = _Mode.DIAMETER
            return header
        if line is not None:
            self._mode = _Mode.SIP
            return line
        keep = max(at, min(keep, len(buffer) - diameter.SHORTEST + 1))
        return None if keep == at else keep

    def _start_line(self, buffer: bytes, at: int) -> tuple[int | None, int]:
        """Where the next SIP message starts, if one does, and where the last line does, if it may become a start line."""
        version = buffer.find(_VERSION, at)
        while version >= 0:
            line = buffer.rfind(b"\n", at, version) + 1 or at
            if START.match(buffer, line):
                return line, line
            if b"\n" not in buffer[version:] and len(buffer) - line < _MAX_LINE:
                break
            version = buffer.find(_VERSION, version + 1)
        last = buffer.rfind(b"\n", at) + 1 or at
        return None, last if len(buffer) - last < _MAX_LINE else len(buffer)

    def _frame(self, buffer: bytes, at: int, messages: Found) -> int | None:
        frame = read_frame(buffer, at)
        if frame is None:
            return None
        if frame.data:
            self._parts = frame.payload if frame.first else self._parts + frame.payload
            if frame.final or len(self._parts) > MAX_MESSAGE:
                message = sip.read_datagram(self._parts, 0, len(self._parts))
                self._parts = b""
                if message is not None:
                    messages.append(message)
        return at + frame.size
