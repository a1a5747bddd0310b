"""Read a capture file: pcap or pcapng, plain or gzip, as a stream in limited memory."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final, cast

from faultprint.errors import CaptureError
from faultprint.probe.capture import pcap, pcapng
from faultprint.probe.capture.chunks import CutCapture, DamagedCapture
from faultprint.probe.types import Packet

_GZIP_MAGIC: Final = b"\x1f\x8b"
_OTHERS: Final = {
    b"snoo": "a snoop capture",
    b"GMBU": "a capture of Network Monitor",
    b"RTSS": "a capture of Network Monitor",
    b"\x54\x52\x00\x64": "a Network Instruments capture",
    b"XCP\x00": "a NetXRay capture",
    b"TRSN": "a Sniffer capture",
    b"\xd8\xbb\xb3\xcd": "a Sysdig capture",
}
"""Other formats by their first four bytes. Wireshark's editcap converts them."""
_PACKED: Final = {
    b"\x28\xb5\x2f\xfd": "zstd -d",
    b"\xfd7zX": "xz -d",
    b"BZh9": "bzip2 -d",
    b"\x04\x22\x4d\x18": "lz4 -d",
    b"PK\x03\x04": "unzip",
}
"""Compressed files by their first four bytes, and the command that unpacks them."""
_REPAIR: Final = "copy its whole packets with `tcpdump -r FILE -w NEW` and use the new file"


def read_packets(
    path: Path, on_read: Callable[[int], None] | None = None, on_cut: Callable[[Path], None] | None = None
) -> Iterator[Packet]:
    """The packets of a capture in file order. `on_read` is called from time to time with the bytes read so far.

    `on_cut` is called at the end of a file that ends inside a packet. Its whole packets are read.

    Raises CaptureError for a file that cannot be opened, is empty, is no capture, or has no whole packet.
    """
    try:
        with path.open("rb") as file:
            yield from _read(_unzipped(file), path, None if on_read is None else lambda: on_read(file.tell()), on_cut)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CaptureError(f"{path} cannot be read ({reason}); choose a readable pcap or pcapng file.") from error
    except (EOFError, zlib.error) as error:
        raise CaptureError(f"{path} ends inside its gzip data ({error}); copy the whole file again.") from error


def _unzipped(file: IO[bytes]) -> IO[bytes]:
    zipped = file.read(2) == _GZIP_MAGIC
    file.seek(0)
    return cast("IO[bytes]", gzip.GzipFile(fileobj=file)) if zipped else file


def _read(
    file: IO[bytes], path: Path, on_chunk: Callable[[], None] | None, on_cut: Callable[[Path], None] | None
) -> Iterator[Packet]:
    magic = file.read(4)
    if not magic:
        raise CaptureError(f"{path} is empty, but a capture has at least a file header; record it again.")
    if magic in pcap.MAGICS:
        packets = pcap.read(file, magic, on_chunk)
    elif magic == pcapng.MAGIC:
        packets = pcapng.read(file, on_chunk)
    else:
        raise CaptureError(_other(path, magic))
    any_packet = False
    try:
        for packet in packets:
            any_packet = True
            yield packet
    except CutCapture as error:
        if not any_packet:
            raise CaptureError(f"{path} is damaged: {error}, and no whole packet before; record it again.") from error
        if on_cut is not None:
            on_cut(path)
    except DamagedCapture as error:
        raise CaptureError(f"{path} is damaged: {error}; {_REPAIR}.") from error


def _other(path: Path, magic: bytes) -> str:
    """The error for a file that is neither pcap nor pcapng, and the command that helps."""
    if magic in _OTHERS:
        return f"{path} is {_OTHERS[magic]}; convert it with `editcap -F pcapng {path.name} new.pcapng`."
    if magic in _PACKED:
        return f"{path} is compressed, and not by gzip; unpack it first with `{_PACKED[magic]} {path.name}`."
    return (
        f"{path} is no capture: it starts with the bytes {magic.hex()}, which neither pcap nor pcapng do; "
        "choose a pcap or pcapng file, plain or gzip."
    )
