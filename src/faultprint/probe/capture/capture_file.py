"""Read a capture file: pcap or pcapng, plain or gzip, as a stream in limited memory."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final, cast

from faultprint.errors import CaptureError
from faultprint.probe.capture import pcap, pcapng
from faultprint.probe.capture.chunks import DamagedCapture
from faultprint.probe.types import Packet

_GZIP_MAGIC: Final = b"\x1f\x8b"
_REPAIR: Final = "copy its whole packets with `tcpdump -r FILE -w NEW` and use the new file"


def read_packets(path: Path, on_read: Callable[[int], None] | None = None) -> Iterator[Packet]:
    """The packets of a capture in file order. `on_read` is called from time to time with the bytes read so far.

    Raises CaptureError for a file that cannot be opened, is empty, is no capture, or ends inside a packet: half a
    capture would look like a network without traffic.
    """
    try:
        with path.open("rb") as file:
            yield from _read(_unzipped(file), path, None if on_read is None else lambda: on_read(file.tell()))
    except OSError as error:
        reason = error.strerror or str(error)
        raise CaptureError(f"{path} cannot be read ({reason}); choose a readable pcap or pcapng file.") from error
    except (EOFError, zlib.error) as error:
        raise CaptureError(f"{path} ends inside its gzip data ({error}); copy the whole file again.") from error


def _unzipped(file: IO[bytes]) -> IO[bytes]:
    zipped = file.read(2) == _GZIP_MAGIC
    file.seek(0)
    return cast("IO[bytes]", gzip.GzipFile(fileobj=file)) if zipped else file


def _read(file: IO[bytes], path: Path, on_chunk: Callable[[], None] | None) -> Iterator[Packet]:
    magic = file.read(4)
    if not magic:
        raise CaptureError(f"{path} is empty, but a capture has at least a file header; record it again.")
    try:
        if magic in pcap.MAGICS:
            yield from pcap.read(file, magic, on_chunk)
        elif magic == pcapng.MAGIC:
            yield from pcapng.read(file, on_chunk)
        else:
            raise CaptureError(
                f"{path} is no capture: it starts with the bytes {magic.hex()}, which neither pcap nor pcapng do; "
                "choose a pcap or pcapng file, plain or gzip."
            )
    except DamagedCapture as error:
        raise CaptureError(f"{path} is damaged: {error}; {_REPAIR}.") from error
