"""HTTP requests over one connection, with one deadline for each request and bounded memory. Standard library only.

The deadline covers the whole request. A timeout for each read alone would let a receiver hold the connection for hours by sending
single bytes. The remaining time is therefore set as the timeout of the socket before each call. Name resolution is done by the
system and has no deadline. Redirections are not followed, and proxy settings of the environment are not used.
"""

from __future__ import annotations

import io
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import cast

from faultprint.publish.senders.endpoint import Endpoint

MonotonicClock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response: status, reason phrase, Retry-After in seconds, and the beginning of the body."""

    status: int
    reason: str
    retry_after_s: float | None
    body: bytes


class HttpConnection:
    """A connection to an endpoint, kept open between requests if the receiver allows it. Not thread-safe."""

    def __init__(self, endpoint: Endpoint, clock: MonotonicClock) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._socket: DeadlineSocket | None = None
        self._http: HTTPConnection | None = None

    def post(self, target: str, body: bytes, headers: Mapping[str, str]) -> HttpResponse:
        """Post `body` and read the response. Raises OSError or HTTPException and then closes the connection."""
        deadline = self._clock() + self._endpoint.timeout_s
        reused = self._http is not None
        try:
            try:
                return self._exchange(target, body, headers, deadline)
            except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                if not reused:
                    raise
            # A receiver may close an idle connection at any time; that is not a failure. Try once on a new connection.
            self.close()
            return self._exchange(target, body, headers, deadline)
        except (OSError, HTTPException):
            self.close()
            raise

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._socket:
            self._socket.disconnect()
        self._socket = self._http = None

    def _exchange(self, target: str, body: bytes, headers: Mapping[str, str], deadline: float) -> HttpResponse:
        http = self._open(deadline)
        http.request("POST", target, body, dict(headers))
        response = http.getresponse()
        seconds = response.getheader("Retry-After", "")
        result = HttpResponse(
            response.status,
            response.reason,
            float(seconds) if seconds.isascii() and seconds.isdecimal() and len(seconds) < 10 else None,
            self._body(response),
        )
        # The connection can only be used again if the response was read to its end.
        if not response.isclosed() or response.will_close:
            self.close()
        return result

    def _body(self, response: HTTPResponse) -> bytes:
        try:
            return response.read(self._endpoint.max_response_bytes)
        except (OSError, HTTPException):
            # The status arrived and is what counts. The connection is closed because the body is incomplete.
            return b""

    def _open(self, deadline: float) -> HTTPConnection:
        if self._socket and self._http:
            self._socket.deadline = deadline
            return self._http
        address = (self._endpoint.host, self._endpoint.port)
        plain_socket = socket.create_connection(address, timeout=_remaining(deadline, self._clock))
        try:
            plain_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context := self._endpoint.tls_context():
                plain_socket.settimeout(_remaining(deadline, self._clock))
                plain_socket = context.wrap_socket(plain_socket, server_hostname=self._endpoint.host)
        except BaseException:
            plain_socket.close()
            raise
        self._socket = DeadlineSocket(plain_socket, deadline, self._clock)
        self._http = HTTPConnection(*address)
        self._http.auto_open = 0
        self._http.sock = cast(socket.socket, self._socket)
        return self._http


class DeadlineSocket:
    """The socket methods that http.client and, for reading, http.server need. Each call gets the remaining time as timeout."""

    def __init__(self, plain: socket.socket, deadline: float, clock: MonotonicClock) -> None:
        """`deadline`: the time of `clock` after which every call raises TimeoutError."""
        self.deadline = deadline
        self._plain = plain
        self._clock = clock

    def sendall(self, data: bytes) -> None:
        self._plain.settimeout(_remaining(self.deadline, self._clock))
        self._plain.sendall(data)

    def receive(self, buffer: memoryview) -> int:
        self._plain.settimeout(_remaining(self.deadline, self._clock))
        return self._plain.recv_into(buffer)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_SocketReader(self))

    def close(self) -> None:
        """Does nothing: http.client calls it before the last response is read. `disconnect` closes the socket."""

    def disconnect(self) -> None:
        self._plain.close()


class _SocketReader(io.RawIOBase):
    """The read side of the socket as a raw stream."""

    def __init__(self, socket: DeadlineSocket) -> None:
        self._socket = socket

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return self._socket.receive(buffer)


def _remaining(deadline: float, clock: MonotonicClock) -> float:
    remaining = deadline - clock()
    if remaining <= 0:
        raise TimeoutError("the attempt took too long")
    return remaining
