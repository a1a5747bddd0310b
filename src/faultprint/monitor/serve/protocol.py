"""HTTP/1.1 of uvicorn and h11, with what they leave open: time limits for requests and readers, and errors as TMF642 has them."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from faultprint.monitor.serve.connections import ClientConnection, ConnectionPhase, ConnectionTable
from faultprint.monitor.serve.response import Response


class BoundedProtocol(H11Protocol):
    """One connection. It reports its phase to the table, which closes it if it is too slow."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        table: ConnectionTable,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._table = table
        self._entry: ClientConnection | None = None
        self._refused, self._ended = False, False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._entry = self._table.find(transport.get_extra_info("socket").fileno())
        if self._entry:
            self._entry.abort = transport.abort

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return  # the rest of a request that is already answered
        if self._phase in (ConnectionPhase.WAITING, ConnectionPhase.KEPT):
            self._enter(ConnectionPhase.RECEIVING)
        super().data_received(data)
        self._note_complete_request()

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client has sent all it will send. It still reads the response, as far as the transport can tell."""
        self._ended = self._phase is ConnectionPhase.BUSY and self.transport.can_write_eof()
        return self._ended

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete:
            if self._ended:
                self.transport.close()
            # A request whose body is not read to its end, or a reader who must be waited for, has the time of a request.
            done = self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]
            kept = done and not self.transport.is_closing()
            self._enter(ConnectionPhase.KEPT if kept else ConnectionPhase.RECEIVING)
        self._note_complete_request()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._entry:
            self._table.stall(self._entry, stalled=True)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._entry:
            self._table.stall(self._entry, stalled=False)

    def send_400_response(self, msg: str) -> None:
        """Answer a malformed request. Its rest is still read for a while, so that the client sees the answer."""
        error = sys.exception()  # uvicorn calls this where it handles the error
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        response = Response.error(status, "bad request", f"The request is not valid HTTP ({error}).")
        self._refused = True
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        headers = [
            (b"content-type", response.content_type.encode()),
            (b"content-length", b"%d" % len(response.body)),
            (b"connection", b"close"),
        ]
        try:
            parts = (h11.Response(status_code=status, headers=headers), h11.Data(response.body), h11.EndOfMessage())
            self.transport.write(b"".join(self.conn.send(part) or b"" for part in parts))
        except h11.LocalProtocolError:  # the answer to this request has begun
            self.transport.abort()
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    @property
    def _phase(self) -> ConnectionPhase | None:
        return self._entry.phase if self._entry else None

    def _note_complete_request(self) -> None:
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and not cycle.more_body:
            self._enter(ConnectionPhase.BUSY)

    def _enter(self, phase: ConnectionPhase) -> None:
        if self._entry and self._entry.phase is not phase:
            self._table.enter(self._entry, phase)
