"""Sockets that receive packets: large buffers, and the number of packets that the kernel has dropped."""

from __future__ import annotations

import socket
import struct
from typing import Any, Final

RECEIVE_BUFFER: Final = 64 << 20
"""Bytes."""
DROPPED: Final = "packets dropped by the kernel"
_SO_RCVBUFFORCE: Final = 33
_SO_MEMINFO: Final = 55
_MEMINFO: Final = struct.Struct("@9I")
"""The last number counts the datagrams that the kernel has dropped since the socket was opened (SK_MEMINFO_DROPS,
sock_diag(7))."""


def bound_socket(family: int, address: tuple[Any, ...]) -> socket.socket:
    """A UDP socket with a large buffer at this address. Raises OSError."""
    receiver = socket.socket(family, socket.SOCK_DGRAM)
    try:
        enlarge_buffer(receiver)
        receiver.bind(address)
    except OSError:
        receiver.close()
        raise
    return receiver


def enlarge_buffer(receiver: socket.socket) -> None:
    """Ask for a large buffer: beyond the limit of the system if this process may, else up to the limit."""
    try:
        receiver.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
    except OSError:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)


def total_dropped(receiver: socket.socket, known: int) -> int:
    """The kernel's count of dropped datagrams. Systems other than Linux do not tell it: the last known count."""
    try:
        total: int = _MEMINFO.unpack(receiver.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))[-1]
    except (OSError, struct.error):
        return known
    return total
