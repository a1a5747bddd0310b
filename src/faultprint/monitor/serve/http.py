"""/metrics, /healthz, /readyz and, if wanted, TMF642 alarms over HTTP, on this machine unless configured otherwise.

    /metrics      for Prometheus
    /healthz      200 while the monitor's loop turns, 503 when it has not for a minute
    /readyz       the same, once it has turned for the first time
    /tmf-api/…    alarms (`alarm_api`), for those whom `guard` lets

A connection carries one request, which must have arrived, whole, within ten seconds and with a body of 256 KiB at most; 32 of
them are served at once, and further ones closed.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from faultprint.errors import UsageError
from faultprint.monitor.base.interfaces import Clock
from faultprint.monitor.config.secret import first_line
from faultprint.monitor.config.settings import HttpSettings
from faultprint.monitor.control.requests import CommandQueue
from faultprint.monitor.serve.alarm_api import AlarmApi
from faultprint.monitor.serve.auth import BearerAuth
from faultprint.monitor.serve.response import Response
from faultprint.monitor.state.connect import State
from faultprint.publish.senders.exchange import TimedSocket
from faultprint.publish.tmf642.alarm import BASE, AlarmSettings

if TYPE_CHECKING:
    from faultprint.monitor.kafka.group import Group
    from faultprint.monitor.monitor import Monitor

REQUEST_S: Final = 10.0
BODY: Final = 262_144
_HEAD: Final = 65_536
CONNECTIONS: Final = 32
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


def served(settings: HttpSettings, watched: Monitor | Group, state: State, clock: Clock) -> HttpServer:
    """The server that the settings ask for; `state`: the monitor's. Raises UsageError or StateError."""
    api = AlarmApi(CommandQueue(state), AlarmSettings(), clock) if settings.alarms else None
    return HttpServer(watched, settings.host, settings.port, api, BearerAuth(first_line(settings.token_file)))


class HttpServer:
    """Serves in a thread until it is closed. `address` is where: the port that was free, if 0 was asked for."""

    def __init__(
        self,
        watched: Monitor | Group,
        host: str,
        port: int,
        api: AlarmApi | None = None,
        guard: BearerAuth | None = None,
    ) -> None:
        """`api`: none, no alarms. Raises UsageError if the address cannot be had, or prometheus-client is not installed."""
        try:
            from faultprint.monitor.serve import metrics
        except ImportError:
            raise UsageError(
                "Metrics need prometheus-client; install faultprint[monitor], or set http.port = 0."
            ) from None
        collector = metrics.MonitorCollector(watched)
        pages = _Pages(watched, partial(metrics.exposition, collector), api, guard or BearerAuth())
        try:
            self._server = _Server((host, port), pages)
        except (OSError, OverflowError) as error:
            raise UsageError(
                f"Metrics cannot be served on {host}:{port} ({error}); set http.host and http.port."
            ) from None
        self._thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Pages:
    """What is answered to whom. `watched` is a monitor, or several."""

    def __init__(
        self, watched: Monitor | Group, exposition: Callable[[], bytes], api: AlarmApi | None, guard: BearerAuth
    ) -> None:
        self.watched = watched
        self._exposition, self._api, self._guard = exposition, api, guard

    def get(self, path: str, query: str, headers: Any) -> Response:
        match path:
            case "/metrics":
                return Response(200, self._exposition(), _TEXT)
            case "/healthz":
                return _health(self.watched.liveness.well)
            case "/readyz":
                return _health(self.watched.liveness.ready)
        if self._api and path.startswith(f"{BASE}/"):
            return self._guard.refuses(headers) or self._api.get(path.removeprefix(BASE), query)
        return Response(404, b"not found\n", _TEXT)

    def post(self, path: str, body: bytes, headers: Any) -> Response:
        assert self._api
        if headers.get_content_type() != "application/json":
            # Also keeps out what a web page may post without being asked.
            return Response.refusal(415, "unsupported", "The body must be application/json.")
        return self._api.post(path.removeprefix(BASE), body)

    def refuses_post(self, path: str, headers: Any) -> Response | None:
        """The refusal of a body that need not be read."""
        if not self._api or not path.startswith(f"{BASE}/"):
            return Response(404, b"not found\n", _TEXT)
        if refusal := self._guard.refuses(headers):
            return refusal
        length = headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            return Response.refusal(411, "length required", "Say by Content-Length how long the body is.")
        if len(length) > 9 or int(length) > BODY:
            return Response.refusal(413, "too large", f"A body may have {BODY} bytes; send less.")
        return None


def _health(well: bool) -> Response:
    return Response(200, b"ok\n", _TEXT) if well else Response(503, b"not ok\n", _TEXT)


class _Bounded(TimedSocket):
    """A client's socket to be read from: no longer than REQUEST_S in whole, and no more than a request may have."""

    def __init__(self, plain: socket) -> None:
        super().__init__(plain, time.monotonic() + REQUEST_S, time.monotonic)
        self._left = _HEAD + BODY

    def receive(self, buffer: memoryview) -> int:
        count = super().receive(buffer[: self._left]) if self._left else 0
        self._left -= count
        return count


class _Handler(BaseHTTPRequestHandler):
    server_version, sys_version = "faultprint", ""

    def setup(self) -> None:
        super().setup()
        self.rfile = _Bounded(self.connection).makefile("rb")

    def do_GET(self) -> None:
        try:
            url = urlsplit(self.path)
        except ValueError:
            self._reply(Response.refusal(400, "bad request", "The path is none."))
            return
        self._reply(cast(_Server, self.server).pages.get(url.path, url.query, self.headers))

    def do_POST(self) -> None:
        pages, path = cast(_Server, self.server).pages, self.path.partition("?")[0]
        reply = pages.refuses_post(path, self.headers)
        if reply is None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:
                return  # the client has gone
            reply = pages.post(path, body, self.headers)
        self._reply(reply)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """For requests that are none, in our form."""
        self._reply(Response.refusal(code, message or "bad request", explain or "The request cannot be understood."))

    def _reply(self, reply: Response) -> None:
        self.connection.settimeout(REQUEST_S)  # for all of the answer
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def log_message(self, *_: Any) -> None:
        """Standard error is the log's."""


class _Server(ThreadingHTTPServer):
    """A thread for each connection, and a bounded number of both."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], pages: _Pages) -> None:
        self.pages = pages
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no more threads
            self._free.release()
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is none; a defect of ours is told."""
        if not isinstance(error := sys.exception(), OSError):
            self.pages.watched.log("request failed", detail=f"{type(error).__name__}: {error}"[:200])
