"""HEP over TCP and TLS: bounded connections, and packets divided by the length in their header."""

from __future__ import annotations

import socket
import ssl
from typing import Final

from faultprint.errors import UsageError
from faultprint.probe.capture.agents.access import TLS, HepAddress, HepOptions
from faultprint.probe.capture.hep import MAGIC
from faultprint.units import SECOND_US

MAX_CONNECTIONS: Final = 64
SLOW_US: Final = 10 * SECOND_US
"""A handshake, the first packet, and the rest of a packet that has begun may each take this long."""
READ_BYTES: Final = 65_536
_MAX_READS: Final = 16
"""Reads of one connection before the next one has its turn."""
_HEADER: Final = 6

GARBAGE: Final = "HEP connection closed: its bytes are not HEP version 3"
SLOW: Final = "HEP connection closed: too slow"
TOO_MANY: Final = "HEP connection refused: too many connections"
BROKEN: Final = "HEP connection closed: error"


class HepFramer:
    """Divides a stream into HEP packets. It holds less than one packet."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = b""

    @property
    def held(self) -> int:
        """Bytes that wait for the rest of their packet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> tuple[list[bytes], bool]:
        """The packets that these bytes complete, and whether the stream is HEP so far."""
        buffer, at, packets = self._buffer + data, 0, []
        size, sound = len(buffer), True
        while at < size:
            if not MAGIC.startswith(buffer[at : at + 4]):
                sound = False
                break
            if size - at < _HEADER:
                break
            length = int.from_bytes(buffer[at + 4 : at + 6], "big")
            if length < _HEADER:
                sound = False
                break
            if size - at < length:
                break
            packets.append(buffer[at : at + length])
            at += length
        self._buffer = buffer[at:] if sound else b""
        return packets, sound


class HepConnection:
    """One connection of an agent. `address`: the agent's IP address."""

    def __init__(self, connection: socket.socket, address: str, now_us: int) -> None:
        self.socket, self.address = connection, address
        self.framer = HepFramer()
        self.closed_for: str | None = None
        """Why it has to be closed; "" if the agent has closed it."""
        self.authentic = False
        """Whether a packet of it was accepted."""
        self._waiting_since_us: int | None = now_us

    def fileno(self) -> int:
        return self.socket.fileno()

    def read(self, now_us: int) -> tuple[list[bytes], bool]:
        """The packets that have arrived, and whether nothing more waits."""
        packets: list[bytes] = []
        for _ in range(_MAX_READS):
            data = self._receive()
            if not data:
                return packets, True
            found, sound = self.framer.feed(data)
            packets += found
            if not self.framer.held:
                self._waiting_since_us = None
            elif found or self._waiting_since_us is None:
                self._waiting_since_us = now_us
            if not sound:
                self.closed_for = GARBAGE
                return packets, True
        return packets, False

    def check_pace(self, now_us: int) -> None:
        """Have it closed if it is slow."""
        since = self._waiting_since_us
        if self.closed_for is None and since is not None and now_us - since > SLOW_US:
            self.closed_for = SLOW

    def close(self) -> None:
        self.socket.close()

    def _receive(self) -> bytes:
        """The next bytes; none if there are no more now, or if the connection is at its end (`closed_for`)."""
        try:
            data = self.socket.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return b""
        except (OSError, ValueError):
            self.closed_for = BROKEN
            return b""
        if not data:
            self.closed_for = ""
        return data


class HepListener:
    """Accepts connections on one address."""

    def __init__(self, address: HepAddress, options: HepOptions) -> None:
        """Raises OSError, or UsageError for certificates that cannot be used."""
        self._context = _context(options) if address.transport == TLS else None
        family, kind, protocol, _, place = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        self.socket = socket.socket(family, kind, protocol)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind(place)
            self.socket.listen(MAX_CONNECTIONS)
        except OSError:
            self.socket.close()
            raise
        self.socket.setblocking(False)

    def fileno(self) -> int:
        return self.socket.fileno()

    def accept(self, now_us: int) -> HepConnection | None:
        """The next connection that waits, or None."""
        try:
            connection, address = self.socket.accept()
            connection.setblocking(False)
        except OSError:
            return None
        if self._context is not None:
            try:
                # The handshake goes on with the first reads.
                connection = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            except (OSError, ValueError):
                connection.close()
                return None
        return HepConnection(connection, str(address[0]), now_us)

    def close(self) -> None:
        self.socket.close()


def _context(options: HepOptions) -> ssl.SSLContext:
    assert options.certificate is not None and options.certificate_key is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(options.certificate, options.certificate_key)
    except OSError as error:
        raise UsageError(
            f"The certificate {options.certificate} cannot be used with the key {options.certificate_key} ({error}); "
            "name PEM files that belong together."
        ) from None
    return context
