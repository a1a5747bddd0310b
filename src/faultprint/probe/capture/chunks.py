"""Read a file in large chunks, for parsers that need only a few bytes at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Final

CHUNK: Final = 1 << 16


class DamagedCapture(Exception):
    """The capture breaks its file format. The message says how, without the name of the file."""


class CutCapture(DamagedCapture):
    """The capture ends inside a packet, as when it was copied while it was recorded."""


class ChunkReader:
    """A window on a file: `data[at:]` is read but not used yet. `need` moves the window, the caller moves `at`."""

    __slots__ = ("_file", "_on_chunk", "_passed", "at", "data")

    def __init__(self, file: IO[bytes], already_read: bytes = b"", on_chunk: Callable[[], None] | None = None) -> None:
        """`on_chunk` is called after each chunk."""
        self._file = file
        self._on_chunk = on_chunk
        self._passed = 0
        self.data = already_read
        self.at = 0

    @property
    def offset(self) -> int:
        """The offset of `at` in the uncompressed file, bytes."""
        return self._passed + self.at

    def need(self, size: int) -> bool:
        """Read until the window has `size` unused bytes. False at the end of the file.

        Raises CutCapture if the file ends after fewer bytes.
        """
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
            if self._on_chunk is not None:
                self._on_chunk()
        self.data = b"".join(parts)
        self.at = 0
        if left >= size:
            return True
        if left == 0:
            return False
        raise CutCapture(f"after byte {self._passed} it has only {left} bytes instead of {size}")
