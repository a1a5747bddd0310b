"""A capture file on disk: plain or gzip, pcap or pcapng, read as a stream in bounded memory."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

from faultprint.errors import CaptureError
from faultprint.probe.capture import pcap, pcapng
from faultprint.probe.capture.chunks import DamagedCapture
from faultprint.probe.types import Packet

_GZIP_MAGIC = b"\x1f\x8b"
_MEND = "copy what is whole into a new file with `tcpdump -r FILE -w NEW` and give that"


def read_packets(path: Path, watch: Callable[[int], None] | None = None) -> Iterator[Packet]:
    """The packets of a capture in file order; `watch` is told now and then how many bytes of the file are read.

    Raises CaptureError for a file that cannot be opened, is empty, is no capture, or ends inside a packet: half a
    capture would pass for a quiet network.
    """
    try:
        with path.open("rb") as file:
            yield from _read(_unzipped(file), path, None if watch is None else lambda: watch(file.tell()))
    except OSError as error:
        reason = error.strerror or str(error)
        raise CaptureError(f"{path} cannot be read ({reason}); give a readable pcap or pcapng file.") from error
    except (EOFError, zlib.error) as error:
        raise CaptureError(f"{path} ends inside its gzip data ({error}); fetch the whole file again.") from error


def _unzipped(file: IO[bytes]) -> IO[bytes]:
    zipped = file.read(2) == _GZIP_MAGIC
    file.seek(0)
    return cast("IO[bytes]", gzip.GzipFile(fileobj=file)) if zipped else file


def _read(file: IO[bytes], path: Path, watch: Callable[[], None] | None) -> Iterator[Packet]:
    magic = file.read(4)
    if not magic:
        raise CaptureError(f"{path} is empty; a capture holds at least its file header, so record it again.")
    try:
        if magic in pcap.MAGICS:
            yield from pcap.read(file, magic, watch)
        elif magic == pcapng.MAGIC:
            yield from pcapng.read(file, watch)
        else:
            raise CaptureError(
                f"{path} is no capture: it starts with the bytes {magic.hex()}, which neither pcap nor pcapng do; "
                "give a pcap or pcapng file, gzip or not."
            )
    except DamagedCapture as error:
        raise CaptureError(f"{path} is damaged: {error}; {_MEND}.") from error
