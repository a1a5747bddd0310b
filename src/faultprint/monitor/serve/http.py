"""The HTTP server: /metrics, /healthz, /readyz and, if `http.alarms` is set, TMF642 alarms.

    /metrics      metrics for Prometheus
    /healthz      200 while the main loop turns, 503 after a minute without a turn
    /readyz       like /healthz, but 503 until the first turn
    /tmf-api/…    TMF642 alarms

Each connection carries one request. It must arrive completely within 10 seconds, with a body of at most 256 KiB. The server
handles 32 connections at a time and closes further ones.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from typing import Any, Final, cast
from urllib.parse import urlsplit

from faultprint.errors import UsageError
from faultprint.monitor.base.interfaces import Clock
from faultprint.monitor.base.location import StateLocation
from faultprint.monitor.config.secret import first_line
from faultprint.monitor.config.settings import Settings
from faultprint.monitor.config.sinks import elements
from faultprint.monitor.control.requests import CommandQueue
from faultprint.monitor.serve.alarm_api import AlarmApi
from faultprint.monitor.serve.auth import BearerAuth
from faultprint.monitor.serve.observed import Observed
from faultprint.monitor.serve.response import Response
from faultprint.publish.senders.http_connection import DeadlineSocket
from faultprint.publish.tmf642.alarm import BASE_PATH

REQUEST_S: Final = 10.0
BODY: Final = 262_144
_HEAD: Final = 65_536
CONNECTIONS: Final = 32
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


def start_server(settings: Settings, observed: Observed, state: StateLocation, clock: Clock) -> HttpServer:
    """Start the server of these settings. `state`: location of the monitor's state. Raises UsageError or StateError."""
    http, api = settings.http, None
    if http.alarms:
        api = AlarmApi(CommandQueue(state), settings.tmf642.alarm_settings(elements(settings.inventory)), clock)
    return HttpServer(observed, http.host, http.port, api, BearerAuth(first_line(http.token_file)))


class HttpServer:
    """Serves in a thread of its own until `close`. `address`: host and port; a free port if `port` is 0."""

    def __init__(
        self,
        observed: Observed,
        host: str,
        port: int,
        api: AlarmApi | None = None,
        auth: BearerAuth | None = None,
    ) -> None:
        """`api`: None, no alarms. Raises UsageError if the address is not available or prometheus-client is not installed."""
        try:
            from faultprint.monitor.serve import metrics
        except ImportError:
            raise UsageError(
                "The HTTP server needs prometheus-client; install faultprint[monitor], or set http.port = 0."
            ) from None
        collector = metrics.MonitorCollector(observed)
        pages = _Pages(observed, partial(metrics.exposition, collector), api, auth or BearerAuth())
        try:
            self._server = _Server((host, port), pages)
        except (OSError, OverflowError) as error:
            raise UsageError(
                f"The HTTP server cannot listen on {host}:{port} ({error}); change http.host or http.port."
            ) from None
        self._thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def close(self) -> None:
        """Stop the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Pages:
    """Finds the response to a request."""

    def __init__(
        self, observed: Observed, exposition: Callable[[], bytes], api: AlarmApi | None, auth: BearerAuth
    ) -> None:
        self.observed = observed
        self._exposition, self._api, self._auth = exposition, api, auth

    def get(self, path: str, query: str, headers: Any) -> Response:
        match path:
            case "/metrics":
                return Response(200, self._exposition(), _TEXT)
            case "/healthz":
                return _health(self.observed.liveness.alive)
            case "/readyz":
                return _health(self.observed.liveness.ready)
        if self._api and path.startswith(f"{BASE_PATH}/"):
            return self._auth.rejection(headers) or self._api.get(path.removeprefix(BASE_PATH), query)
        return Response(404, b"not found\n", _TEXT)

    def post(self, path: str, body: bytes, headers: Any) -> Response:
        assert self._api
        if headers.get_content_type() != "application/json":
            # Browsers send this type across origins only after a CORS preflight, which we do not answer.
            return Response.error(415, "unsupported", "The body must be application/json.")
        return self._api.post(path.removeprefix(BASE_PATH), body)

    def early_error(self, path: str, headers: Any) -> Response | None:
        """The error response to a request whose body need not be read, or None."""
        if not self._api or not path.startswith(f"{BASE_PATH}/"):
            return Response(404, b"not found\n", _TEXT)
        if refusal := self._auth.rejection(headers):
            return refusal
        length = headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            return Response.error(411, "length required", "Send the length of the body as Content-Length.")
        if len(length) > 9 or int(length) > BODY:
            return Response.error(413, "too large", f"The body may have at most {BODY} bytes; send less.")
        return None


def _health(well: bool) -> Response:
    return Response(200, b"ok\n", _TEXT) if well else Response(503, b"not ok\n", _TEXT)


class _Bounded(DeadlineSocket):
    """A socket that reads for at most REQUEST_S, and at most the size of one request."""

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
            self._send(Response.error(400, "bad request", "The path is not valid."))
            return
        self._send(cast(_Server, self.server).pages.get(url.path, url.query, self.headers))

    def do_POST(self) -> None:
        pages, path = cast(_Server, self.server).pages, self.path.partition("?")[0]
        response = pages.early_error(path, self.headers)
        if response is None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:
                return  # the client has closed the connection
            response = pages.post(path, body, self.headers)
        self._send(response)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer malformed requests with a TMF642 error."""
        self._send(Response.error(code, message or "bad request", explain or "The request is malformed."))

    def _send(self, response: Response) -> None:
        self.connection.settimeout(REQUEST_S)  # for the whole response
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    def log_message(self, *_: Any) -> None:
        """No access log: standard error carries the JSON log."""


class _Server(ThreadingHTTPServer):
    """One thread per connection, and at most CONNECTIONS of them."""

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
        except RuntimeError:  # the system has no more threads
            self._free.release()
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore broken connections, log everything else."""
        if not isinstance(error := sys.exception(), OSError):
            self.pages.observed.log("request_failed", detail=f"{type(error).__name__}: {error}"[:200])
