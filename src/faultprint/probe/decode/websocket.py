"""WebSocket frames (RFC 6455): the part that SIP over WebSocket (RFC 7118) needs."""

from __future__ import annotations

import re
from typing import Final

HANDSHAKE: Final = re.compile(
    rb"(?:GET [^\r\n]* HTTP/1\.1|HTTP/1\.1 101[^\r\n]*)\r\n(?=(?:(?s:.*?)\n)?Upgrade:[ \t]*websocket)", re.IGNORECASE
)
HANDSHAKE_STARTS: Final = (b"GET ", b"HTTP/1.1 101")
_CONTINUED, _TEXT, _BINARY = 0, 1, 2
_DATA: Final = frozenset({_CONTINUED, _TEXT, _BINARY})
MAX_PAYLOAD: Final = 1 << 16


class BadFrame(Exception):
    """The bytes are no WebSocket frame, so the rest of the stream cannot be read."""


class WebSocketFrame:
    """A whole frame.

    `data`: it carries data, not control. `first`, `final`: it starts or ends a message. `payload`: without its mask.
    `size`: bytes on the wire.
    """

    __slots__ = ("data", "final", "first", "payload", "size")

    def __init__(self, opcode: int, final: bool, payload: bytes, size: int) -> None:
        self.data = opcode in _DATA
        self.first = opcode != _CONTINUED
        self.final = final
        self.payload = payload
        self.size = size


def read_frame(buffer: bytes | bytearray, at: int) -> WebSocketFrame | None:
    """The frame at `at`, or None if bytes of it are still missing. Raises BadFrame."""
    if len(buffer) - at < 2:
        return None
    first, second = buffer[at], buffer[at + 1]
    opcode, length = first & 15, second & 127
    if first & 0x70 or (opcode not in _DATA and not 8 <= opcode <= 10):
        raise BadFrame
    body = at + 2
    extra = {126: 2, 127: 8}.get(length, 0)
    if extra:
        if len(buffer) < body + extra:
            return None
        length = int.from_bytes(buffer[body : body + extra], "big")
        body += extra
    if length > MAX_PAYLOAD:
        raise BadFrame
    mask = b""
    if second & 128:
        mask = bytes(buffer[body : body + 4])
        body += 4
    if len(buffer) < body + length:
        return None
    payload = bytes(buffer[body : body + length])
    return WebSocketFrame(opcode, bool(first & 128), _unmask(payload, mask) if mask else payload, body + length - at)


def _unmask(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
