"""One UDP socket for the addresses of thousands of handsets (IP_PKTINFO, ip(7))."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Final

_IP_PKTINFO: Final = 8
"""Linux constant; the socket module of Python 3.11 lacks it."""
_PKTINFO = struct.Struct("@i4s4s")
_BUFFER: Final = 8 << 20
_AT_ONCE: Final = 256
"""Datagrams to read before timers run."""


class UdpTransport:
    """A socket on `port` of every local address; calls `receive` with the handset's address and the datagram."""

    def __init__(self, port: int, receive: Callable[[str, bytes], None]) -> None:
        self._receive = receive
        self.dropped = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        # The kernel may cap this at net.core.rmem_max.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._socket.bind(("0.0.0.0", port))
        self._socket.setblocking(False)

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start reading in the event loop."""
        loop.add_reader(self._socket, self._readable)

    def send(self, source: str, target: tuple[str, int], data: bytes) -> None:
        """Send one datagram from a handset; it is lost if the kernel does not accept it."""
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
