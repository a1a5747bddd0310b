"""The HTTP server: /metrics, /healthz, /readyz and, if `http.alarms` is set, TMF642 alarms.

    /metrics      metrics for Prometheus
    /healthz      200 while the main loop turns, 503 after a minute without a turn
    /readyz       like /healthz, but 503 until the first turn
    /tmf-api/…    TMF642 alarms

A request must arrive completely within 10 seconds, with a head of at most 32 KiB and a body of at most 256 KiB. There are 64
connections at a time. If more come, the oldest is closed whose request is incomplete, first of the address that has most.
"""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from faultprint.errors import UsageError
from faultprint.monitor.base.interfaces import Clock
from faultprint.monitor.base.location import StateLocation
from faultprint.monitor.base.log import Log
from faultprint.monitor.config.secret import read_token
from faultprint.monitor.config.settings import Settings
from faultprint.monitor.config.sinks import elements
from faultprint.monitor.control.requests import CommandQueue
from faultprint.monitor.serve.alarm_api import AlarmApi
from faultprint.monitor.serve.attempts import TokenAttempts
from faultprint.monitor.serve.auth import BearerAuth
from faultprint.monitor.serve.certificate import ServerCertificate
from faultprint.monitor.serve.connections import BACKLOG, ConnectionTable, listen
from faultprint.monitor.serve.observed import Observed

if TYPE_CHECKING:
    from uvicorn import Server

REQUEST_S: Final = 10.0
"""Time for a request to arrive, and for a client to read on."""
KEPT_S: Final = 75
"""Time that a connection is kept for the next request; Prometheus asks at least once a minute."""
HEAD: Final = 32_768
BODY: Final = 262_144
CONNECTIONS: Final = 64
SWEEP_S: Final = 0.25
STOP_S: Final = 2
"""Time for the last responses when the server stops."""


def start_server(settings: Settings, observed: Observed, state: StateLocation, clock: Clock) -> HttpServer:
    """Start the server of these settings. `state`: location of the monitor's state. Raises UsageError or StateError."""
    http, api = settings.http, None
    attempts = TokenAttempts(partial(_log_wrong_tokens, observed.log))
    auth = BearerAuth(read_token(http.token_file, "http.token_file"), attempts)
    metrics_token = read_token(http.metrics_token_file, "http.metrics_token_file")
    certificate = None
    if http.certificate:
        certificate = ServerCertificate(http.certificate, http.certificate_key, observed.log)
    if http.alarms:
        api = AlarmApi(CommandQueue(state), settings.tmf642.alarm_settings(elements(settings.inventory)), clock)
    return HttpServer(
        observed,
        http.host,
        http.port,
        api,
        auth,
        metrics_auth=BearerAuth(metrics_token, attempts) if metrics_token else None,
        certificate=certificate,
    )


class HttpServer(threading.Thread):
    """Serves in a thread of its own from its creation until `stop`."""

    def __init__(
        self,
        observed: Observed,
        host: str,
        port: int,
        api: AlarmApi | None = None,
        auth: BearerAuth | None = None,
        *,
        metrics_auth: BearerAuth | None = None,
        certificate: ServerCertificate | None = None,
    ) -> None:
        """`port`: 0, a free one; `api`: None, no alarms; `metrics_auth`: None, metrics need no token.

        Raises UsageError if the address is not available or a package is not installed.
        """
        super().__init__(name="http", daemon=True)
        try:
            import uvicorn

            from faultprint.monitor.serve import metrics
            from faultprint.monitor.serve.pages import Pages
            from faultprint.monitor.serve.protocol import BoundedProtocol
        except ImportError as error:
            raise UsageError(
                f"The HTTP server needs {error.name}; install faultprint[monitor], or set http.port = 0."
            ) from None
        exposition = partial(metrics.exposition, metrics.MonitorCollector(observed))
        pages = Pages(observed, exposition, api, auth or BearerAuth(), metrics_auth, BODY)
        self.failure: BaseException | None = None
        """What ended the thread."""
        self._log: Log = observed.log
        self._certificate = certificate
        self._table = ConnectionTable(CONNECTIONS, lambda: REQUEST_S, KEPT_S)
        self._sockets = listen(host, port, self._table)
        protocol: Any = partial(BoundedProtocol, table=self._table)
        config = uvicorn.Config(
            pages.application(),
            http=protocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            interface="asgi3",
            workers=1,
            log_config=None,  # standard error carries the JSON log
            log_level="critical",
            access_log=False,
            proxy_headers=False,  # a client must not choose its own address
            forwarded_allow_ips=[],
            server_header=False,
            backlog=BACKLOG,
            h11_max_incomplete_event_size=HEAD,
            timeout_keep_alive=KEPT_S,
            timeout_graceful_shutdown=STOP_S,
            ssl_context_factory=(lambda *_: certificate.context) if certificate else None,
        )
        self._server: Server = uvicorn.Server(config)
        name = self._sockets[0].getsockname()
        self.address: tuple[str, int] = (str(name[0]), int(name[1])) if isinstance(name, tuple) else (host, 0)
        """Host and port of the first address; of a socket in the file system its name and 0."""
        self.start()

    def run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # uvicorn also raises SystemExit
            self.failure = error
            self._log("thread_ended", thread=self.name, detail=f"{type(error).__name__}: {error}"[:500])
        finally:
            for listener in self._sockets:
                listener.close()

    def stop(self) -> None:
        """End the last responses, then the thread."""
        self._server.should_exit = True
        self.join()

    close = stop

    async def _serve(self) -> None:
        asyncio.get_running_loop().set_exception_handler(self._log_defect)
        async with asyncio.TaskGroup() as tasks:
            sweeper = tasks.create_task(self._sweep())
            await self._server.serve(sockets=list(self._sockets))
            sweeper.cancel()

    async def _sweep(self) -> None:
        """Close slow connections, and look for a renewed certificate."""
        while True:
            self._table.sweep()
            if self._certificate:
                self._certificate.refresh()
            await asyncio.sleep(SWEEP_S)

    def _log_defect(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Ignore broken connections, log everything else."""
        error = context.get("exception")
        if not isinstance(error, OSError):
            detail = f"{type(error).__name__}: {error}" if error else str(context.get("message"))
            self._log("request_failed", detail=detail[:200])


def _log_wrong_tokens(log: Log, client: str, count: int) -> None:
    log("token_refused", client=client, count=count)
