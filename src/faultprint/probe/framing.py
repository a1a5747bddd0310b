"""A byte stream cut into SIP messages by Content-Length (RFC 3261, 18.3), or by WebSocket frames (RFC 7118).

How the bytes came in pieces makes no difference. A stream that is out of step, or that never was SIP, is searched for
a start line; at most MAX_MESSAGE bytes wait for their rest.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from faultprint.probe import message as sip
from faultprint.probe.header import CONTENT_LENGTH
from faultprint.probe.message import START, Message
from faultprint.probe.websocket import HANDSHAKE, HANDSHAKE_STARTS, BadFrame, read_frame

MAX_HEAD: Final = 1 << 15
MAX_BODY: Final = 1 << 16
MAX_MESSAGE: Final = MAX_HEAD + MAX_BODY
_MAX_LINE: Final = 1024
_MAX_HANDSHAKE: Final = 8192
_VERSION: Final = b"SIP/2.0"


class _Mode(Enum):
    NEW = "nothing read yet"
    SIP = "at the start of a message"
    SEARCHING = "looking for a start line"
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

    def feed(self, data: bytes) -> list[Message]:
        buffer = self._buffer + data if self._buffer else data
        messages: list[Message] = []
        at = 0
        if len(buffer) >= self._need:
            self._need = 0
            steps = {
                _Mode.SIP: self._message,
                _Mode.SEARCHING: self._search,
                _Mode.WEBSOCKET: self._frame,
                _Mode.NEW: self._first,
            }
            while at < len(buffer):
                following = steps[self._mode](buffer, at, messages)
                if following is None:
                    break
                at = following
            self._buffer = buffer[at:]
        else:
            self._buffer = buffer
        return messages

    # Each step gives the offset to go on from, or None to wait for more.

    def _first(self, buffer: bytes, at: int, messages: list[Message]) -> int | None:
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
        if start[0] in (0x81, 0x82):
            try:
                frame = read_frame(buffer, at)
            except BadFrame:
                self._mode = _Mode.SEARCHING
                return at
            if frame is None:
                return None
            self._mode = _Mode.WEBSOCKET if START.match(frame.payload) else _Mode.SEARCHING
            return at
        self._mode = _Mode.SIP
        return at

    def _message(self, buffer: bytes, at: int, messages: list[Message]) -> int | None:
        while at < len(buffer) and buffer[at] in b"\r\n":
            at += 1
        if at == len(buffer):
            return at
        start = START.match(buffer, at)
        if start is None:
            if b"\n" not in buffer[at : at + _MAX_LINE] and len(buffer) - at < _MAX_LINE:
                return None
            almost = sip.read_datagram(buffer[at : at + _MAX_LINE], 0, _MAX_LINE)
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
            messages.append(Message(buffer[at : at + MAX_HEAD], start))
            self._mode = _Mode.SEARCHING
            return at + MAX_HEAD
        head = Message(buffer[at : end + size], start)
        length = head.get(CONTENT_LENGTH)
        if length is None or not length.isdigit() or len(length) > 9 or int(length) > MAX_BODY:
            head.defect = sip.BAD_LENGTH
            messages.append(head)
            return end + size
        end += size + int(length)
        if end > len(buffer):
            self._need = end - at
            return None
        messages.append(Message(buffer[at:end], start) if int(length) else head)
        return end

    def _search(self, buffer: bytes, at: int, messages: list[Message]) -> int | None:
        """Go to the next start line; keep only a last line that may become one."""
        version = buffer.find(_VERSION, at)
        while version >= 0:
            line = buffer.rfind(b"\n", at, version) + 1 or at
            if START.match(buffer, line):
                self._mode = _Mode.SIP
                return line
            if b"\n" not in buffer[version:] and len(buffer) - line < _MAX_LINE:
                break
            version = buffer.find(_VERSION, version + 1)
        last = buffer.rfind(b"\n", at) + 1 or at
        keep = last if len(buffer) - last < _MAX_LINE else len(buffer)
        return None if keep == at else keep

    def _frame(self, buffer: bytes, at: int, messages: list[Message]) -> int | None:
        try:
            frame = read_frame(buffer, at)
        except BadFrame:
            self._mode = _Mode.SEARCHING
            return at
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
