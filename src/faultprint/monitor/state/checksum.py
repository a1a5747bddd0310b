"""Checksums of the blobs in a state: CRC-32 of place and content, behind the content. Blobs of old states have none."""

from __future__ import annotations

import zlib
from typing import Final

_MARK: Final = b"\xf5crc"
_SIZE: Final = len(_MARK) + 4


class ChecksumError(Exception):
    """A blob that is not what was written there."""


def seal(place: str, data: bytes | memoryview) -> bytes:
    """`data` with its checksum. `place`: where it is kept, so that a blob in another place is found, too."""
    return b"".join((data, _MARK, _sum(place, data)))


def unseal(place: str, stored: bytes | None) -> bytes:
    """The data, or the whole blob if it has no checksum. Raises ChecksumError."""
    if not isinstance(stored, bytes):
        raise ChecksumError(f"{place} is no blob")
    if stored[-_SIZE:-4] != _MARK:
        return stored  # of an old state; the reader checks its size
    data = stored[:-_SIZE]
    if _sum(place, data) != stored[-4:]:
        raise ChecksumError(f"{place} has another checksum than its content")
    return data


def _sum(place: str, data: bytes | memoryview) -> bytes:
    return zlib.crc32(data, zlib.crc32(place.encode("utf-8", "replace"))).to_bytes(4, "little")
