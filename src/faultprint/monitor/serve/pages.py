"""What the HTTP server answers, as an ASGI application. Work that may wait runs in threads of its own, health does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response as HttpAnswer
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from faultprint.monitor.serve.alarm_api import AlarmApi
from faultprint.monitor.serve.auth import BearerAuth
from faultprint.monitor.serve.connections import client_key
from faultprint.monitor.serve.observed import Observed
from faultprint.monitor.serve.response import Response
from faultprint.publish.tmf642.alarm import BASE_PATH

METRIC_THREADS: Final = 2
ALARM_THREADS: Final = 16
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
_METHODS: Final = ("GET", "HEAD", "POST")
_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Pages:
    """The endpoints."""

    def __init__(
        self,
        observed: Observed,
        exposition: Callable[[], bytes],
        api: AlarmApi | None,
        auth: BearerAuth,
        metrics_auth: BearerAuth | None,
        largest_body: int,
    ) -> None:
        """`api`: None, no alarms; `metrics_auth`: None, metrics need no token; `largest_body`: bytes of a request."""
        self._observed, self._exposition = observed, exposition
        self._api, self._auth, self._metrics_auth = api, auth, metrics_auth
        self._largest_body = largest_body
        self._metric_threads, self._alarm_threads = CapacityLimiter(METRIC_THREADS), CapacityLimiter(ALARM_THREADS)

    def application(self) -> ASGIApp:
        """The ASGI application."""
        routes = [
            Route("/metrics", self._metrics),
            Route("/healthz", self._alive),
            Route("/readyz", self._ready),
            *([Route(f"{BASE_PATH}/{{path:path}}", self._alarms, methods=["GET", "POST"])] if self._api else []),
        ]
        application = Starlette(
            routes=routes, exception_handlers={HTTPException: _refused, Exception: self._log_defect}
        )
        application.router.redirect_slashes = False
        return _OriginForm(application)

    async def _metrics(self, request: Request) -> HttpAnswer:
        if self._metrics_auth and (refusal := self._metrics_auth.rejection(request.headers, _client(request))):
            return _answer(refusal)
        return _answer(Response(200, await run_sync(self._exposition, limiter=self._metric_threads), _TEXT))

    async def _alive(self, _: Request) -> HttpAnswer:
        return _health(self._observed.liveness.alive)

    async def _ready(self, _: Request) -> HttpAnswer:
        return _health(self._observed.liveness.ready)

    async def _alarms(self, request: Request) -> HttpAnswer:
        assert self._api
        changes = request.method not in ("GET", "HEAD")
        if refusal := self._auth.rejection(request.headers, _client(request), changes=changes):
            return _answer(refusal)
        path = request.scope["raw_path"].decode("ascii").removeprefix(BASE_PATH)
        if not changes:
            query = request.scope["query_string"].decode("ascii")
            return _answer(await run_sync(self._api.get, path, query, limiter=self._alarm_threads))
        if error := self._unread_error(request):
            return _answer(error)
        try:
            body = await request.body()
        except ClientDisconnect:
            return HttpAnswer(status_code=400)  # it goes nowhere
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            # Browsers send this type across origins only after a CORS preflight, which we do not answer.
            return _answer(Response.error(415, "unsupported", "The body must be application/json."))
        return _answer(await run_sync(self._api.post, path, body, limiter=self._alarm_threads))

    def _unread_error(self, request: Request) -> Response | None:
        """The error response to a request whose body need not be read, or None."""
        length = request.headers.get("content-length", "")
        if not (length.isascii() and length.isdecimal()):
            return Response.error(411, "length required", "Send the length of the body as Content-Length.")
        if len(length) > 9 or int(length) > self._largest_body:
            return Response.error(413, "too large", f"The body may have at most {self._largest_body} bytes; send less.")
        return None

    def _log_defect(self, _: Request, error: Exception) -> HttpAnswer:
        self._observed.log("request_failed", detail=f"{type(error).__name__}: {error}"[:200])
        return _answer(Response.error(500, "internal error", "The request failed because of a defect; see the log."))


class _OriginForm:
    """Accepts a target with scheme and host, too, as RFC 9112 (3.2.2) demands of servers."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw: bytes = scope.get("raw_path", b"/")
        if raw.lower().startswith((b"http://", b"https://")):
            try:
                target, shown = urlsplit(raw.decode("ascii")).path or "/", urlsplit(scope["path"]).path or "/"
            except ValueError:
                target = shown = "/invalid"
            scope = {**scope, "raw_path": target.encode("ascii"), "path": shown}
        await self._application(scope, receive, send)


def _refused(request: Request, error: Exception) -> HttpAnswer:
    """The answer to a path or method that is not served."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return _answer(Response(404, b"not found\n", _TEXT))
    allowed = dict(error.headers or {})
    if request.method not in _METHODS:
        return _answer(Response.error(501, "not implemented", f"Only {', '.join(_METHODS)} are served.", allowed))
    return _answer(Response.error(error.status_code, "not allowed", "This path has another method.", allowed))


def _client(request: Request) -> str:
    return client_key(tuple(request.client) if request.client else ())


def _health(well: bool) -> HttpAnswer:
    return _answer(Response(200, b"ok\n", _TEXT) if well else Response(503, b"not ok\n", _TEXT))


def _answer(response: Response) -> HttpAnswer:
    answer = HttpAnswer(response.body, response.status)
    length = str(len(response.body))
    headers = {**_HEADERS, **response.headers, "Content-Type": response.content_type, "Content-Length": length}
    # Set as they are: Starlette writes names in lower case, and not every client looks them up in any case.
    answer.raw_headers = [(name.encode("ascii"), value.encode("latin-1", "replace")) for name, value in headers.items()]
    return answer
