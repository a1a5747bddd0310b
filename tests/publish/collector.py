"""A real HTTP server on 127.0.0.1 with programmed responses, correct or wrong; each connection has its own thread."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Act = Callable[[socket.socket], bool]
"""Responds to one request; returns whether the connection stays open."""


@dataclass
class Request:
    """A request and the number of its connection."""

    line: str
    headers: dict[str, str]
    body: bytes
    connection: int
    subject: str = ""


@dataclass
class Collector:
    """The requests that arrived; `acts` are used in order, the last one repeatedly."""

    acts: list[Act]
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    def act(self) -> Act:
        return self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]


def free_port() -> int:
    """A free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(*acts: Act, context: ssl.SSLContext | None = None, port: int = 0) -> Iterator[Collector]:
    """A server that stops after the block; `port` 0: any free port."""
    collector = Collector(list(acts))
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", port))
    listener.settimeout(0.05)
    collector.port = listener.getsockname()[1]
    threads: list[threading.Thread] = []
    sockets: list[socket.socket] = []

    def accept() -> None:
        while not stop.is_set():
            with suppress(TimeoutError):
                plain, _ = listener.accept()
                collector.connections += 1
                sockets.append(plain)
                arguments = (collector, plain, context, collector.connections, stop)
                threads.append(threading.Thread(target=_serve, args=arguments, daemon=True))
                threads[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield collector
    finally:
        stop.set()
        acceptor.join(5)
        listener.close()
        for plain in sockets:
            with suppress(OSError):
                plain.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)


def _serve(
    collector: Collector, plain: socket.socket, context: ssl.SSLContext | None, number: int, stop: threading.Event
) -> None:
    # Many tests make the client give up or the handshake fail.
    with suppress(OSError), plain:
        plain.settimeout(5)
        connection = context.wrap_socket(plain, server_side=True) if context else plain
        with connection:
            while not stop.is_set():
                request = _read(connection, number)
                if request is None:
                    return
                collector.requests.append(request)
                if not collector.act()(connection):
                    return


def _read(connection: socket.socket, number: int) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65_536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (text.partition(": ") for text in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65_536)
    subject = ""
    if isinstance(connection, ssl.SSLSocket) and (certificate := connection.getpeercert()):
        subject = str(certificate["subject"])
    return Request(first, headers, body, number, subject)


def answer(status: int, body: bytes = b"", *headers: str, keep: bool = True) -> Act:
    """A correct response."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]
    if not keep:
        lines.append("Connection: close")
    return says("\r\n".join(lines).encode() + b"\r\n\r\n" + body, keep=keep)


def says(data: bytes, *, keep: bool = False) -> Act:
    """Send exactly these bytes, then close the connection."""

    def act(connection: socket.socket) -> bool:
        connection.sendall(data)
        return keep

    return act


def drips(data: Iterable[bytes], every_s: float = 0.05) -> Act:
    """Send one piece after another, with pauses."""

    def act(connection: socket.socket) -> bool:
        for piece in data:
            connection.sendall(piece)
            time.sleep(every_s)
        return False

    return act


def pours(sent: list[int], head: bytes, piece: bytes, pieces: int) -> Act:
    """Send until the client stops reading; the sizes are added to `sent`."""

    def act(connection: socket.socket) -> bool:
        connection.sendall(head)
        for _ in range(pieces):
            connection.sendall(piece)
            sent.append(len(piece))
        return False

    return act


def hangs_up(_connection: socket.socket) -> bool:
    """Close without a response."""
    return False


def is_silent(connection: socket.socket) -> bool:
    """Send nothing until the client closes."""
    with suppress(OSError):
        connection.recv(1)
    return False
