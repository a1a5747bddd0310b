"""Divide a byte stream into messages.

SIP messages end by Content-Length (RFC 3261, 18.3) or with a WebSocket message (RFC 7118), Diameter messages by the
length in their header (RFC 6733, 3). The division into segments makes no difference. If the stream is out of step, or
is neither SIP nor Diameter, the framer searches for the next start line or header. It never holds more bytes than the
longest message.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from faultprint.probe.decode.websocket import HANDSHAKE, HANDSHAKE_STARTS, BadFrame, read_frame
from faultprint.probe.messages import diameter, sip
from faultprint.probe.messages.diameter import DiameterMessage
from faultprint.probe.messages.sip import START_LINE, SipMessage
from faultprint.probe.messages.sip_header import CONTENT_LENGTH

MAX_HEAD: Final = 1 << 15
MAX_BODY: Final = 1 << 16
MAX_MESSAGE: Final = MAX_HEAD + MAX_BODY
_MAX_LINE: Final = 1024
_MAX_HANDSHAKE: Final = 8192
_VERSION: Final = b"SIP/2.0"
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""Bytes that no start line contains."""

Messages = list[SipMessage | DiameterMessage]


class _Mode(Enum):
    NEW = "nothing read yet"
    SIP = "at the start of a SIP message"
    DIAMETER = "at the start of a Diameter message"
    SEARCHING = "searching the start of a message"
    WEBSOCKET = "at the start of a WebSocket frame"


class Framer:
    """Divides one direction of a stream into messages."""

    __slots__ = ("_buffer", "_mode", "_needed", "_payload")

    def __init__(self) -> None:
        self._buffer = b""
        self._mode = _Mode.NEW
        self._needed = 0
        self._payload = b""

    @property
    def held(self) -> int:
        """Bytes that wait for the rest of their message."""
        return len(self._buffer) + len(self._payload)

    def reset(self) -> None:
        """Bytes of the stream are missing: drop the incomplete message and start again."""
        self._buffer = self._payload = b""
        self._needed = 0
        self._mode = _Mode.NEW

    def feed(self, data: bytes) -> Messages:
        """The messages that these bytes complete."""
        buffer = self._buffer + data if self._buffer else data
        messages: Messages = []
        at = 0
        if len(buffer) >= self._needed:
            self._needed = 0
            steps = {
                _Mode.SIP: self._message,
                _Mode.DIAMETER: self._diameter,
                _Mode.SEARCHING: self._search,
                _Mode.WEBSOCKET: self._frame,
                _Mode.NEW: self._first,
            }
            while at < len(buffer):
                try:
                    next_at = steps[self._mode](buffer, at, messages)
                except BadFrame:
                    self._mode = _Mode.SEARCHING
                    continue
                if next_at is None:
                    break
                at = next_at
            self._buffer = buffer[at:]
        else:
            self._buffer = buffer
        return messages

    # Each step returns the offset of the next step, or None to wait for more bytes.

    def _first(self, buffer: bytes, at: int, messages: Messages) -> int | None:
        """Find out which protocol the stream has."""
        start = buffer[at : at + 12]
        if any(start.startswith(line) or line.startswith(start) for line in HANDSHAKE_STARTS):
            end = buffer.find(b"\r\n\r\n", at)
            if end < 0 and len(buffer) - at < _MAX_HANDSHAKE:
                return None
            if end >= 0 and HANDSHAKE.match(buffer, at, end + 4):
                self._mode = _Mode.WEBSOCKET
                return end + 4
            self._mode = _Mode.SEARCHING
            return at
        if start[0] == diameter.VERSION:
            if len(buffer) - at < diameter.MIN_MESSAGE:
                return None
            self._mode = _Mode.DIAMETER if diameter.length_at(buffer, at, len(buffer)) else _Mode.SEARCHING
            return at
        if start[0] in (0x81, 0x82):
            frame = read_frame(buffer, at)
            if frame is None:
                return None
            self._mode = _Mode.WEBSOCKET if START_LINE.match(frame.payload) else _Mode.SEARCHING
            return at
        self._mode = _Mode.SIP
        return at

    def _message(self, buffer: bytes, at: int, messages: Messages) -> int | None:
        while at < len(buffer) and buffer[at] in b"\r\n":
            at += 1
        if at == len(buffer):
            return at
        start = START_LINE.match(buffer, at)
        if start is None:
            line = buffer[at : at + _MAX_LINE]
            if len(line) < _MAX_LINE and b"\n" not in line and not _CONTROL.search(line):
                return None
            malformed = sip.read_datagram(line, 0, _MAX_LINE)
            if malformed is not None:
                messages.append(malformed)
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
            self._needed = end - at
            return None
        messages.append(SipMessage(buffer[at:end], start) if int(length) else head)
        return end

    def _diameter(self, buffer: bytes, at: int, messages: Messages) -> int | None:
        if len(buffer) - at < diameter.MIN_MESSAGE:
            return None
        length = diameter.length_at(buffer, at, len(buffer))
        if not length:
            messages.append(diameter.invalid_header(buffer[at : at + diameter.MIN_MESSAGE]))
            self._mode = _Mode.SEARCHING
            # No message begins at this offset, so search from the next one.
            return at + 1
        if at + length > len(buffer):
            self._needed = length
            return None
        messages.append(DiameterMessage(buffer[at : at + length]))
        return at + length

    def _search(self, buffer: bytes, at: int, messages: Messages) -> int | None:
        """Go to the next start line or header. Keep only the last bytes, if they may be the start of one."""
        line, keep = self._start_line(buffer, at)
        header = diameter.find(buffer, at, len(buffer) if line is None else line)
        if header is not None:
            self._mode = _Mode.DIAMETER
            return header
        if line is not None:
            self._mode = _Mode.SIP
            return line
        keep = max(at, min(keep, len(buffer) - diameter.MIN_MESSAGE + 1))
        return None if keep == at else keep

    def _start_line(self, buffer: bytes, at: int) -> tuple[int | None, int]:
        """Offset of the next SIP start line, or None; and offset of the last line if it may become a start line."""
        version = buffer.find(_VERSION, at)
        while version >= 0:
            line = buffer.rfind(b"\n", at, version) + 1 or at
            if START_LINE.match(buffer, line):
                return line, line
            if b"\n" not in buffer[version:] and len(buffer) - line < _MAX_LINE:
                break
            version = buffer.find(_VERSION, version + 1)
        last = buffer.rfind(b"\n", at) + 1 or at
        return None, last if len(buffer) - last < _MAX_LINE else len(buffer)

    def _frame(self, buffer: bytes, at: int, messages: Messages) -> int | None:
        frame = read_frame(buffer, at)
        if frame is None:
            return None
        if frame.data:
            self._payload = frame.payload if frame.first else self._payload + frame.payload
            if frame.final or len(self._payload) > MAX_MESSAGE:
                message = sip.read_datagram(self._payload, 0, len(self._payload))
                self._payload = b""
                if message is not None:
                    messages.append(message)
        return at + frame.size
