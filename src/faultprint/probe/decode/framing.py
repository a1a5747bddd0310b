"""Divide a byte stream into messages.

SIP messages end by Content-Length (RFC 3261, 18.3) or with a WebSocket message (RFC 7118), Diameter messages by the
length in their header (RFC 6733, 3). The division into segments makes no difference to a stream that is read from its
start. If the stream is out of step, the framer searches for the next start line, header or WebSocket frame. A stream
that begins as HTTP, TLS or the like is read no further, unless it becomes a WebSocket. The framer never holds more bytes
than the longest message.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum
from typing import Final

from faultprint.probe.decode import http, websocket
from faultprint.probe.decode.inflation import Inflaters
from faultprint.probe.decode.start_line import MAX_LINE, find_start_line, is_unfinished
from faultprint.probe.decode.websocket import HANDSHAKE, BadFrame, read_frame
from faultprint.probe.decode.websocket_message import WebSocketMessages
from faultprint.probe.messages import diameter, sip
from faultprint.probe.messages.diameter import DiameterMessage
from faultprint.probe.messages.sip import START_LINE, SipMessage
from faultprint.probe.messages.sip_header import CONTENT_LENGTH

MAX_HEAD: Final = 1 << 15
MAX_BODY: Final = 1 << 16
MAX_MESSAGE: Final = MAX_HEAD + MAX_BODY
_MAX_HANDSHAKE: Final = 8192
_KEPT: Final = max(diameter.MIN_MESSAGE, websocket.MAX_START) - 1
"""Last bytes that a search keeps: the next segment may show that a message begins there."""
_MORE: Final = 512

ENCRYPTED_TLS: Final = "encrypted TLS"

Messages = list[SipMessage | DiameterMessage]


class _Mode(Enum):
    NEW = "nothing read yet"
    SIP = "at the start of a SIP message"
    DIAMETER = "at the start of a Diameter message"
    SEARCHING = "searching the start of a message"
    WEBSOCKET = "at the start of a WebSocket frame"
    HTTP = "at the start of an HTTP message, or of another protocol with text"
    HTTP_BODY = "within the body of an HTTP message"
    OTHER = "another protocol for good"


class Framer:
    """Divides one direction of a stream into messages."""

    __slots__ = (
        "_began_as_other",
        "_body",
        "_buffer",
        "_inflaters",
        "_joint",
        "_mode",
        "_needed",
        "_skipped",
        "_websocket",
    )

    def __init__(self, skipped: Counter[str], inflaters: Inflaters) -> None:
        self._skipped = skipped
        self._inflaters = inflaters
        self._buffer = b""
        self._joint = 0
        """Where the latest segment begins in the buffer."""
        self._mode = _Mode.NEW
        self._began_as_other = False
        self._needed = 0
        self._body = 0
        """Bytes of an HTTP body that are still to come."""
        self._websocket = WebSocketMessages(inflaters, MAX_MESSAGE)

    @property
    def held(self) -> int:
        """Bytes that wait for the rest of their message."""
        return len(self._buffer) + self._websocket.held

    def reset(self) -> None:
        """Bytes of the stream are missing: drop the incomplete message and start again."""
        self._buffer = b""
        self._websocket.reset()
        self._needed = self._body = 0
        self._mode = _Mode.OTHER if self._began_as_other else _Mode.NEW

    def feed(self, data: bytes) -> Messages:
        """The messages that these bytes complete."""
        buffer = self._buffer + data if self._buffer else data
        messages: Messages = []
        at = 0
        self._joint = len(self._buffer)
        if len(buffer) >= self._needed:
            self._needed = 0
            steps = {
                _Mode.SIP: self._message,
                _Mode.DIAMETER: self._diameter,
                _Mode.SEARCHING: self._search,
                _Mode.WEBSOCKET: self._frame,
                _Mode.NEW: self._first,
                _Mode.HTTP: self._http,
                _Mode.HTTP_BODY: self._skip_body,
                _Mode.OTHER: self._skip_all,
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
        first = buffer[at]
        if START_LINE.match(buffer, at):
            self._mode = _Mode.SIP
        elif first in http.TLS_TYPES:
            if len(buffer) - at < http.TLS_HEADER:
                return None
            self._enter_tls_or_search(http.is_tls(buffer, at))
        elif 0x41 <= first <= 0x5A:
            line = buffer[at : at + MAX_LINE]
            if is_unfinished(line):
                return None
            self._mode = _Mode.HTTP if http.is_other_text(line) else self._otherwise(_Mode.SIP)
        elif first == diameter.VERSION and not self._began_as_other:
            if len(buffer) - at < diameter.MIN_MESSAGE:
                return None
            self._mode = _Mode.DIAMETER if diameter.length_at(buffer, at, len(buffer)) else _Mode.SEARCHING
        else:
            self._mode = self._otherwise(_Mode.SIP if first < 0x80 else _Mode.SEARCHING)
        return at

    def _otherwise(self, mode: _Mode) -> _Mode:
        """`mode`, unless the stream began as another protocol."""
        return _Mode.OTHER if self._began_as_other else mode

    def _enter_tls_or_search(self, tls: bool) -> None:
        if tls:
            self._skipped[ENCRYPTED_TLS] += 1
            self._began_as_other = True
        self._mode = self._otherwise(_Mode.SEARCHING)

    def _http(self, buffer: bytes, at: int, messages: Messages) -> int | None:
        """The head of an HTTP message. It may open a WebSocket; otherwise skip it if the length of its body is known."""
        self._began_as_other = True
        end = buffer.find(b"\r\n\r\n", at) + 4
        if end < 4:
            if len(buffer) - at < _MAX_HANDSHAKE:
                return None
            self._mode = _Mode.OTHER
        elif HANDSHAKE.match(buffer, at, end):
            self._began_as_other = False
            self._mode = _Mode.WEBSOCKET
        else:
            size = http.body_size(buffer[at:end])
            self._body = size or 0
            self._mode = _Mode.OTHER if size is None else _Mode.HTTP_BODY if size else _Mode.NEW
        return max(at, end)

    def _skip_body(self, buffer: bytes, at: int, messages: Messages) -> int:
        size = min(self._body, len(buffer) - at)
        self._body -= size
        if not self._body:
            self._mode = _Mode.NEW
        return at + size

    def _skip_all(self, buffer: bytes, at: int, messages: Messages) -> int:
        return len(buffer)

    def _message(self, buffer: bytes, at: int, messages: Messages) -> int | None:
        while at < len(buffer) and buffer[at] in b"\r\n":
            at += 1
        if at == len(buffer):
            return at
        start = START_LINE.match(buffer, at)
        if start is None:
            line = buffer[at : at + MAX_LINE]
            if is_unfinished(line):
                return None
            malformed = sip.read_datagram(line, 0, MAX_LINE)
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
        """Go to the next start line, header or frame. Keep only the last bytes, if they may be the start of one."""
        joint = self._joint
        if at <= joint < len(buffer):
            self._joint = len(buffer)
            if len(buffer) - joint >= http.TLS_HEADER and http.is_tls(buffer, joint):
                self._enter_tls_or_search(tls=True)
                return joint
            if websocket.is_compressed_sip(buffer, joint):
                self._mode = _Mode.WEBSOCKET
                return joint
            if websocket.is_compressed_frame(buffer, joint):
                self._inflaters.count_unknown()
        line, keep = find_start_line(buffer, at)
        end = len(buffer) if line is None else line
        frame = websocket.find_frame(buffer, at, end)
        header = diameter.find(buffer, at, end if frame is None else frame)
        if header is not None:
            length = diameter.length_at(buffer, header, len(buffer))
            if header + length <= len(buffer):
                self._mode = _Mode.DIAMETER
            elif header == at:
                # Look again after some more AVPs, not with every byte.
                self._needed = min(length, len(buffer) - at + _MORE)
                return None
            return header
        if frame is not None:
            self._mode = _Mode.WEBSOCKET
            return frame
        if line is not None:
            self._mode = _Mode.SIP
            return line
        keep = max(at, min(keep, len(buffer) - _KEPT))
        return None if keep == at else keep

    def _frame(self, buffer: bytes, at: int, messages: Messages) -> int | None:
        frame = read_frame(buffer, at)
        if frame is None:
            return None
        if frame.data:
            text = self._websocket.add(frame)
            message = None if text is None else sip.read_datagram(text, 0, len(text))
            if message is not None:
                messages.append(message)
        return at + frame.size
