"""Put the messages of a WebSocket together from their frames, and inflate them."""

from __future__ import annotations

from faultprint.probe.decode.inflation import Inflaters
from faultprint.probe.decode.websocket import WebSocketFrame


class WebSocketMessages:
    """The messages of one direction. A message that is longer than `limit` bytes is cut there."""

    __slots__ = ("_compressed", "_context", "_inflaters", "_limit", "_payload")

    def __init__(self, inflaters: Inflaters, limit: int) -> None:
        self._inflaters = inflaters
        self._limit = limit
        self._payload = bytearray()
        self._compressed = False
        self._context = 0

    @property
    def held(self) -> int:
        """Bytes of the message that is not complete yet."""
        return len(self._payload)

    def reset(self) -> None:
        """Frames are missing: drop the incomplete message, and begin a new compression context."""
        self._payload.clear()
        self._context = 0

    def add(self, frame: WebSocketFrame) -> bytes | None:
        """The message that this frame with data completes, or None. None, too, if it cannot be inflated."""
        if frame.first:
            self._payload.clear()
            self._compressed = frame.compressed
        self._payload += frame.payload
        if not frame.final and len(self._payload) <= self._limit:
            return None
        payload = bytes(self._payload)
        self._payload.clear()
        if not self._compressed:
            return payload
        self._context = self._context or self._inflaters.open()
        return self._inflaters.inflate(self._context, payload)
