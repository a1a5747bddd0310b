"""A file read in large chunks, for parsers that take a few bytes at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO

CHUNK = 1 << 16


class DamagedCapture(Exception):
    """The capture breaks its own format; the message says how, without the file's name."""


class ChunkReader:
    """A window on a file: `data[at:]` is read and unused. `need` moves the window on; the caller moves `at`."""

    __slots__ = ("_file", "_passed", "_watch", "at", "data")

    def __init__(self, file: IO[bytes], already_read: bytes = b"", watch: Callable[[], None] | None = None) -> None:
        """`watch` is called after each chunk."""
        self._file = file
        self._watch = watch
        self._passed = 0
        self.data = already_read
        self.at = 0

    @property
    def offset(self) -> int:
        """Where `at` stands in the file (before compression), in bytes."""
        return self._passed + self.at

    def need(self, size: int) -> bool:
        """Have at least `size` unused bytes in the window. False at a clean end; raises DamagedCapture inside."""
        left = len(self.data) - self.at
        if left >= size:
            return True
        self._passed += self.at
        parts = [self.data[self.at :]]
        while left < size:
            chunk = self._file.read(CHUNK)
            if not chunk:
                break
            parts.append(chunk)
            left += len(chunk)
            if self._watch is not None:
                self._watch()
        self.data = b"".join(parts)
        self.at = 0
        if left >= size:
            return True
        if left == 0:
            return False
        raise DamagedCapture(f"after byte {self._passed} it holds {left} bytes where {size} are due")
