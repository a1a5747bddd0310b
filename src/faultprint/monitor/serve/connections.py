"""The connections of the HTTP server: how many there may be, and which one is closed for a new or a better one.

A new connection is always accepted unless all others have a complete request. Otherwise the oldest of those that wait or are
incomplete is closed, first of the address that has most. Idle or slow clients therefore cannot keep out a health check.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import stat
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

from faultprint.errors import UsageError

BACKLOG: Final = 128
LARGEST_PORT: Final = 65_535
UNIX: Final = "unix:"
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {"": ("::", "0.0.0.0"), "localhost": ("127.0.0.1", "::1")}
"""Names that do not depend on the system: all addresses (the first that the machine has), and both loopback addresses."""
_NOT_HERE: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class ConnectionPhase(Enum):
    """What a connection does."""

    WAITING = "no byte of a request has come"
    RECEIVING = "a request is incomplete"
    BUSY = "a request is complete and its response is not"
    KEPT = "a response is complete"


@dataclass(slots=True, eq=False)
class ClientConnection:
    """One connection. `since`: start of its phase; `stalled`: since when the client reads nothing; both by the table's clock."""

    socket: socket.socket
    client: str
    since: float
    phase: ConnectionPhase = ConnectionPhase.WAITING
    stalled: float | None = None
    abort: Callable[[], object] | None = None

    def close(self) -> None:
        """Close it at once, in whatever phase."""
        if self.abort:
            self.abort()
        else:  # before or in the TLS handshake
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)


class ConnectionTable:
    """All connections of a server. Only the thread of the server uses it."""

    def __init__(
        self, largest: int, request_s: Callable[[], float], kept_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`request_s`: time for a request to arrive, or for a client to read; `kept_s`: time between two requests."""
        self._largest, self._request_s, self._kept_s, self._clock = largest, request_s, kept_s, clock
        self._by_number: dict[int, ClientConnection] = {}

    def __len__(self) -> int:
        return len(self._by_number)

    def admit(self, accepted: socket.socket, address: Any) -> None:
        """Add a new connection, and close another one if there are too many."""
        self._forget_closed()
        new = ClientConnection(accepted, client_key(address), self._clock())
        if len(self._by_number) >= self._largest:
            others = [one for one in self._by_number.values() if one.phase is not ConnectionPhase.BUSY]
            counts = Counter(one.client for one in (*self._by_number.values(), new))
            closed = min(others, key=lambda one: (-counts[one.client], one.since), default=new)
            closed.close()
            self._by_number.pop(closed.socket.fileno(), None)
            if closed is new:
                return
        self._by_number[accepted.fileno()] = new

    def find(self, number: int) -> ClientConnection | None:
        """The connection with this file descriptor."""
        return self._by_number.get(number)

    def enter(self, connection: ClientConnection, phase: ConnectionPhase) -> None:
        """Begin a phase of a connection."""
        connection.phase, connection.since = phase, self._clock()

    def stall(self, connection: ClientConnection, *, stalled: bool) -> None:
        """Note that the client stopped reading, or reads again."""
        connection.stalled = self._clock() if stalled else None

    def sweep(self) -> None:
        """Close the connections that are too slow."""
        self._forget_closed()
        now, request_s = self._clock(), self._request_s()
        limits = {
            ConnectionPhase.WAITING: request_s,
            ConnectionPhase.RECEIVING: request_s,
            ConnectionPhase.BUSY: float("inf"),
            ConnectionPhase.KEPT: self._kept_s,
        }
        for connection in list(self._by_number.values()):
            late = now - connection.since > limits[connection.phase]
            if late or (connection.stalled is not None and now - connection.stalled > request_s):
                connection.close()

    def _forget_closed(self) -> None:
        for number, connection in list(self._by_number.items()):
            if connection.socket.fileno() != number:
                del self._by_number[number]


class TableListener(socket.socket):
    """A listening socket that enters each accepted connection into a table."""

    table: ConnectionTable

    def accept(self) -> tuple[socket.socket, Any]:
        accepted, address = super().accept()
        self.table.admit(accepted, address)
        return accepted, address


def listen(host: str, port: int, table: ConnectionTable) -> list[TableListener]:
    """Sockets that listen on a host. A name may have several addresses; an empty one, or `::`, is all of IPv4 and IPv6.

    `unix:PATH` is a socket in the file system. `port` 0: a free one. Raises UsageError.
    """
    try:
        if host.startswith(UNIX):
            return [_unix(Path(host.removeprefix(UNIX)), table)]
        if port > LARGEST_PORT:
            raise ValueError(f"ports end at {LARGEST_PORT}")
        return _internet(host, port, table)
    except (OSError, ValueError) as error:  # ValueError: the name cannot be encoded
        raise UsageError(
            f"The HTTP server cannot listen on {host}:{port} ({error}); change http.host or http.port."
        ) from None


def client_key(address: Any) -> str:
    """The client at an address: IPv4, or the /64 network of IPv6, because one client can have all of it."""
    host = str(address[0]) if isinstance(address, tuple) and address else ""
    with suppress(ValueError):
        ip = ipaddress.ip_address(host.partition("%")[0])
        if isinstance(ip, ipaddress.IPv6Address):
            return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
    return host


def _internet(host: str, port: int, table: ConnectionTable) -> list[TableListener]:
    names = _NAMES.get(host, (host,))
    listening: list[TableListener] = []
    missing: OSError | None = None
    try:
        for name in names:
            for family, _, _, _, address in dict.fromkeys(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)):
                if listening and not port:
                    address = (address[0], listening[0].getsockname()[1], *address[2:])
                try:
                    listening.append(_bound(family, address, table))
                except OSError as error:
                    if error.errno not in _NOT_HERE:
                        raise
                    missing = error
            if listening and not host:
                break
        if not listening:
            raise missing or OSError(f"{host} has no address")
    except BaseException:
        for one in listening:
            one.close()
        raise
    return listening


def _bound(family: int, address: Any, table: ConnectionTable) -> TableListener:
    # asyncio sends small parts at once (TCP_NODELAY) only where the protocol is given.
    listener = TableListener(family, socket.SOCK_STREAM, 0 if family == socket.AF_UNIX else socket.IPPROTO_TCP)
    listener.table = table
    try:
        if family != socket.AF_UNIX:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address[0] != "::"))
        listener.bind(address)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _unix(path: Path, table: ConnectionTable) -> TableListener:
    """The socket at a path. One that a killed monitor left there is replaced."""
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(os.fspath(path)) == errno.ECONNREFUSED:
                    path.unlink()
    return _bound(socket.AF_UNIX, os.fspath(path), table)
