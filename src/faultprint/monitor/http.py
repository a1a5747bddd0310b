"""/metrics, /healthz and /readyz over HTTP, on this machine unless configured otherwise.

/healthz  200 while the monitor's loop turns, 503 when it has not for `watch.BEAT_S`
/readyz   the same, once it has turned for the first time
"""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from faultprint.errors import UsageError
from faultprint.monitor.watch import BEAT_S, Monitor

_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


class HttpServer:
    """Serves in a thread until it is closed. `address` is where: the port that was free, if 0 was asked for."""

    def __init__(self, monitor: Monitor, host: str, port: int) -> None:
        """Raises UsageError if the address cannot be had, or prometheus-client is not installed."""
        try:
            from faultprint.monitor import metrics
        except ImportError:
            raise UsageError(
                "Metrics need prometheus-client; install faultprint[monitor], or set http.port = 0."
            ) from None

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                body, status = b"ok\n", 200
                match self.path:
                    case "/metrics":
                        body = metrics.exposition(monitor)
                    case "/healthz":
                        status = 200 if monitor.ready or (monitor.beat is None and starting()) else 503
                    case "/readyz":
                        status = 200 if monitor.ready else 503
                    case _:
                        status = 404
                self.send_response(status)
                self.send_header("Content-Type", _TEXT)
                body = body if status == 200 else b"not ok\n"
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Standard error is the log's."""

        end = time.monotonic() + BEAT_S

        def starting() -> bool:
            return time.monotonic() < end

        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except (OSError, OverflowError) as error:
            raise UsageError(
                f"Metrics cannot be served on {host}:{port} ({error}); set http.host and http.port."
            ) from None
        self._server.daemon_threads = True
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
