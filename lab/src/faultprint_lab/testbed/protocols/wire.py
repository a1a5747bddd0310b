"""One UDP socket that speaks with the addresses of thousands of handsets (IP_PKTINFO, ip(7))."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Final

_IP_PKTINFO: Final = 8
"""Linux's number; Python 3.11 does not name it."""
_PKTINFO = struct.Struct("@i4s4s")
_BUFFER: Final = 8 << 20
_AT_ONCE: Final = 256
"""Datagrams read before timers get their turn."""


class UdpTransport:
    """Bound to `port` on every local address; `receive` is called with the handset's address and the datagram."""

    def __init__(self, port: int, receive: Callable[[str, bytes], None]) -> None:
        self._receive = receive
        self.dropped = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        # Beyond net.core.rmem_max the super-user may still go; elsewhere the kernel caps it.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._socket.bind(("0.0.0.0", port))
        self._socket.setblocking(False)

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read whenever the loop finds something to read."""
        loop.add_reader(self._socket, self._readable)

    def send(self, source: str, target: tuple[str, int], data: bytes) -> None:
        """One datagram from a handset; what the kernel does not take is lost, as on any network."""
        info = _PKTINFO.pack(0, socket.inet_aton(source), b"\0\0\0\0")
        try:
            self._socket.sendmsg([data], [(socket.IPPROTO_IP, _IP_PKTINFO, info)], 0, target)
        except OSError:
            self.dropped += 1

    def _readable(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                data, ancillary, _, _ = self._socket.recvmsg(65_535, 64)
            except OSError:
                return
            if ancillary:
                self._receive(socket.inet_ntoa(_PKTINFO.unpack(ancillary[0][2][: _PKTINFO.size])[2]), data)
