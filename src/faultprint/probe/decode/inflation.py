"""Compressed WebSocket messages (permessage-deflate, RFC 7692) are inflated in limited memory and time."""

from __future__ import annotations

import zlib
from collections import Counter
from typing import Final

from faultprint.probe.bounded import BoundedTable

MAX_CONTEXTS: Final = 256
"""Directions whose compression context is kept. Each takes about 40 KiB."""
MAX_TEXT: Final = 3 << 15
"""Longest inflated message, bytes."""
_TAIL: Final = b"\x00\x00\xff\xff"
"""The sender leaves these bytes away at the end of each message."""
_RAW: Final = -15

NO_CONTEXT: Final = "compressed WebSocket message without the start of its stream"
TOO_LONG: Final = "compressed WebSocket message too long"


class Inflaters:
    """The compression contexts of all streams. The one that was not used for the longest time is dropped first."""

    def __init__(self, skipped: Counter[str]) -> None:
        self._skipped = skipped
        self._contexts: BoundedTable[int, zlib._Decompress] = BoundedTable(MAX_CONTEXTS)
        self._last = 0

    def __len__(self) -> int:
        """How many contexts are kept."""
        return len(self._contexts)

    def open(self) -> int:
        """The number of a new context."""
        self._last += 1
        return self._last

    def inflate(self, context: int, payload: bytes) -> bytes | None:
        """The next message of a context, or None. Counts why it cannot be read.

        A sender may refer back to earlier messages of the stream. If those are unknown, a reference fails.
        """
        inflater = self._contexts.pop(context, None) or zlib.decompressobj(_RAW)
        try:
            text = inflater.decompress(payload + _TAIL, MAX_TEXT)
        except zlib.error:
            self.count_unknown()
            return None
        if inflater.unconsumed_tail:
            self._skipped[TOO_LONG] += 1
            return None
        if not inflater.eof:
            self._contexts.put(context, inflater)
        return text

    def count_unknown(self) -> None:
        """A message whose context is unknown."""
        self._skipped[NO_CONTEXT] += 1


def inflate_start(data: bytes) -> bytes | None:
    """The first bytes of a message whose first compressed bytes are `data`. None: no start of a context."""
    try:
        return zlib.decompressobj(_RAW).decompress(data, 64)
    except zlib.error:
        return None
