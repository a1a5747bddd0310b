"""WebSocket frames (RFC 6455): the part that SIP over WebSocket (RFC 7118) needs."""

from __future__ import annotations

import re
from typing import Final

from faultprint.probe.decode.inflation import inflate_start

HANDSHAKE: Final = re.compile(
    rb"(?:GET [^\r\n]* HTTP/1\.1|HTTP/1\.1 101[^\r\n]*)\r\n(?=(?:(?s:.*?)\n)?Upgrade:[ \t]*websocket)", re.IGNORECASE
)
_CONTINUED, _TEXT, _BINARY = 0, 1, 2
_DATA: Final = frozenset({_CONTINUED, _TEXT, _BINARY})
_COMPRESSED: Final = 0x40
MAX_PAYLOAD: Final = 1 << 16

MAX_START: Final = 40
"""Bytes from which `find_frame` knows whether a frame with a SIP message begins there."""
_PEEK: Final = 26
_EIGHTHS: Final = [rb"[\x%02x-\x%02x]" % (low, low + 31) for low in range(0, 256, 32)]
_MASKED_LETTER: Final = b"(?:" + b"|".join(low + rb".{3}" + _EIGHTHS[at ^ 2] for at, low in enumerate(_EIGHTHS)) + b")"
"""A byte of a mask, and the byte four later, which with that mask is a capital letter (0x40 to 0x5F)."""
_CANDIDATE: Final = re.compile(
    rb"[\x01\x02\x81\x82](?:(?:[\x14-\x7d]|\x7e..)(?=SIP/2|[A-Z]{2,16} )"
    rb"|(?:[\x94-\xfd]|\xfe..)(?=%b)(?=.%b)(?=..%b))" % (_MASKED_LETTER, _MASKED_LETTER, _MASKED_LETTER),
    re.DOTALL,
)
"""What may start a message: its first three bytes are capital letters. The search in C spares nearly all other bytes."""
_FIRST_COMPRESSED: Final = frozenset({0x41, 0x42, 0xC1, 0xC2})
_SIP_START: Final = re.compile(rb"SIP/2\.0 [1-6]\d\d|[A-Z]{2,16} (?:sips?|tel|urn):")
_MAX_CANDIDATES: Final = 256
"""Candidates that one search tries, so that hostile bytes take a bounded time."""


class BadFrame(Exception):
    """The bytes are no WebSocket frame, so the rest of the stream cannot be read."""


class WebSocketFrame:
    """A whole frame.

    `data`: it carries data, not control. `first`, `final`: it starts or ends a message. `compressed`: the message that
    it starts is compressed. `payload`: without its mask. `size`: bytes on the wire.
    """

    __slots__ = ("compressed", "data", "final", "first", "payload", "size")

    def __init__(self, first: int, payload: bytes, size: int) -> None:
        opcode = first & 15
        self.data = opcode in _DATA
        self.first = opcode != _CONTINUED
        self.final = bool(first & 128)
        self.compressed = bool(first & _COMPRESSED)
        self.payload = payload
        self.size = size


def read_frame(buffer: bytes, at: int) -> WebSocketFrame | None:
    """The frame at `at`, or None if bytes of it are still missing. Raises BadFrame."""
    if len(buffer) - at < 2:
        return None
    first, second = buffer[at], buffer[at + 1]
    opcode, length = first & 15, second & 127
    if first & 0x30 or (opcode not in _DATA and not 8 <= opcode <= 10):
        raise BadFrame
    if first & _COMPRESSED and opcode not in (_TEXT, _BINARY):
        raise BadFrame
    body = at + 2
    extra = _extra(length)
    if extra:
        if len(buffer) < body + extra:
            return None
        length = int.from_bytes(buffer[body : body + extra], "big")
        body += extra
    if length > MAX_PAYLOAD:
        raise BadFrame
    mask = b""
    if second & 128:
        mask = buffer[body : body + 4]
        body += 4
    if len(buffer) < body + length:
        return None
    payload = buffer[body : body + length]
    return WebSocketFrame(first, _unmask(payload, mask) if mask else payload, body + length - at)


def find_frame(buffer: bytes, at: int, end: int) -> int | None:
    """The first frame between `at` and `end` that starts a SIP message without compression, or None."""
    for _ in range(_MAX_CANDIDATES):
        candidate = _CANDIDATE.search(buffer, at)
        if candidate is None or candidate.start() >= end:
            return None
        at = candidate.start()
        if _SIP_START.match(_start(buffer, at, _PEEK)) and _is_frame(buffer, at):
            return at
        at += 1
    return None


def is_compressed_sip(buffer: bytes, at: int) -> bool:
    """Whether a frame with a compressed SIP message begins at `at`, which needs no earlier message."""
    if at >= len(buffer) or buffer[at] not in _FIRST_COMPRESSED:
        return False
    text = inflate_start(_start(buffer, at, 128))
    return text is not None and _SIP_START.match(text) is not None


def is_compressed_frame(buffer: bytes, at: int) -> bool:
    """Whether `buffer` holds exactly one frame from `at` on, and the frame is compressed."""
    if at >= len(buffer) or buffer[at] not in _FIRST_COMPRESSED or not _is_frame(buffer, at):
        return False
    frame = read_frame(buffer, at)
    return frame is not None and at + frame.size == len(buffer)


def _is_frame(buffer: bytes, at: int) -> bool:
    """Whether the frame at `at` breaks no rule, as far as it is there."""
    try:
        read_frame(buffer, at)
    except BadFrame:
        return False
    return True


def _extra(length: int) -> int:
    """Bytes of a longer length, for the seven bits of a length."""
    return 2 if length == 126 else 8 if length == 127 else 0


def _start(buffer: bytes, at: int, size: int) -> bytes:
    """The first bytes of the payload of the frame at `at`, without its mask."""
    if at + 2 > len(buffer):
        return b""
    body = at + 2 + _extra(buffer[at + 1] & 127)
    if not buffer[at + 1] & 128:
        return buffer[body : body + size]
    mask = buffer[body : body + 4]
    return _unmask(buffer[body + 4 : body + 4 + size], mask) if len(mask) == 4 else b""


def _unmask(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
