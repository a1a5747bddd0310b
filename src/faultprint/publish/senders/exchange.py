"""One HTTP exchange over one connection, within one deadline and bounded memory. Standard library only.

The deadline is for all of it. A time-out of each read alone would let a receiver hold us for hours with a byte now and
then, so the socket is armed anew with what is left before each read. (Looking up a host's name is the system's affair
and has no deadline.) Redirections are not followed and proxies of the environment are not used.
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

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class HttpReply:
    """An answer: its status, its reason phrase, how long to wait (Retry-After in seconds), and the body's beginning."""

    status: int
    reason: str
    retry_after_s: float | None
    body: bytes


class Connection:
    """A connection to an endpoint that is kept while both sides want to. Not for several threads at once."""

    def __init__(self, endpoint: Endpoint, clock: Clock) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._timed: TimedSocket | None = None
        self._http: HTTPConnection | None = None

    def post(self, target: str, body: bytes, headers: Mapping[str, str]) -> HttpReply:
        """Post `body` and read the answer. Raises OSError or HTTPException; the connection is closed then."""
        deadline = self._clock() + self._endpoint.timeout_s
        kept = self._http is not None
        try:
            try:
                return self._exchange(target, body, headers, deadline)
            except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                if not kept:
                    raise
            # A receiver may close a kept connection whenever it likes: that is no failure of the receiver.
            self.close()
            return self._exchange(target, body, headers, deadline)
        except (OSError, HTTPException):
            self.close()
            raise

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._timed:
            self._timed.hang_up()
        self._timed = self._http = None

    def _exchange(self, target: str, body: bytes, headers: Mapping[str, str], deadline: float) -> HttpReply:
        http = self._open(deadline)
        http.request("POST", target, body, dict(headers))
        response = http.getresponse()
        seconds = response.getheader("Retry-After", "")
        found = HttpReply(
            response.status,
            response.reason,
            float(seconds) if seconds.isascii() and seconds.isdecimal() and len(seconds) < 10 else None,
            self._body(response),
        )
        # Only an answer that was read to its end leaves the connection fit for another.
        if not response.isclosed() or response.will_close:
            self.close()
        return found

    def _body(self, response: HTTPResponse) -> bytes:
        try:
            return response.read(self._endpoint.answer_bytes)
        except (OSError, HTTPException):
            # The status was said in full, and it is what counts. The connection is closed, for the body has no end.
            return b""

    def _open(self, deadline: float) -> HTTPConnection:
        if self._timed and self._http:
            self._timed.deadline = deadline
            return self._http
        address = (self._endpoint.host, self._endpoint.port)
        plain = socket.create_connection(address, timeout=_left(deadline, self._clock))
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context := self._endpoint.context():
                plain.settimeout(_left(deadline, self._clock))
                plain = context.wrap_socket(plain, server_hostname=self._endpoint.host)
        except BaseException:
            plain.close()
            raise
        self._timed = TimedSocket(plain, deadline, self._clock)
        self._http = HTTPConnection(*address)
        self._http.auto_open = 0
        self._http.sock = cast(socket.socket, self._timed)
        return self._http


class TimedSocket:
    """What http.client, and http.server for reading, need of a socket, armed with the time left before each call."""

    def __init__(self, plain: socket.socket, deadline: float, clock: Clock) -> None:
        """`deadline`: a reading of `clock`, after which every call raises TimeoutError."""
        self.deadline = deadline
        self._plain = plain
        self._clock = clock

    def sendall(self, data: bytes) -> None:
        self._plain.settimeout(_left(self.deadline, self._clock))
        self._plain.sendall(data)

    def receive(self, buffer: memoryview) -> int:
        self._plain.settimeout(_left(self.deadline, self._clock))
        return self._plain.recv_into(buffer)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Stream(self))

    def close(self) -> None:
        """http.client closes its socket before the last answer is read; ours stays until it is."""

    def hang_up(self) -> None:
        self._plain.close()


class _Stream(io.RawIOBase):
    """The reading side as a raw stream."""

    def __init__(self, timed: TimedSocket) -> None:
        self._timed = timed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return self._timed.receive(buffer)


def _left(deadline: float, clock: Clock) -> float:
    left = deadline - clock()
    if left <= 0:
        raise TimeoutError("the time for this attempt is up")
    return left
