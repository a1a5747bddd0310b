"""/metrics, /healthz and /readyz over HTTP, on this machine unless configured otherwise.

/healthz  200 while the monitor's loop turns, 503 when it has not for BEAT_S
/readyz   the same, once it has turned for the first time
"""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from faultprint.errors import UsageError

if TYPE_CHECKING:
    from faultprint.monitor.kafka.group import Group
    from faultprint.monitor.watch import Monitor

BEAT_S: Final = 60.0
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


class HttpServer:
    """Serves in a thread until it is closed. `address` is where: the port that was free, if 0 was asked for."""

    def __init__(self, monitor: Monitor | Group, host: str, port: int) -> None:
        """Raises UsageError if the address cannot be had, or prometheus-client is not installed."""
        try:
            from faultprint.monitor import metrics
        except ImportError:
            raise UsageError(
                "Metrics need prometheus-client; install faultprint[monitor], or set http.port = 0."
            ) from None

        collector = metrics.collector(monitor)

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                body, status = b"ok\n", 200
                match self.path:
                    case "/metrics":
                        body = metrics.exposition(collector)
                    case "/healthz":
                        status = 200 if _alive(monitor.beat, started) else 503
                    case "/readyz":
                        status = 200 if monitor.beat and _alive(monitor.beat, started) else 503
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

        started = time.monotonic()
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


def _alive(beat: float | None, started: float) -> bool:
    return time.monotonic() - (beat or started) < BEAT_S
