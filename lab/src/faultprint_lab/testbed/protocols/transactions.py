"""The SIP transaction layer (RFC 3261, 17) over UDP, for many user agents."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from faultprint_lab.testbed.protocols import sip

Send = Callable[[str, bytes], None]
"""send(address of the handset, datagram): the datagram goes to the P-CSCF."""


@dataclass(frozen=True, slots=True)
class SipTimers:
    """T1 and T2 of RFC 3261 in seconds; the other timers follow from them."""

    t1: float = 0.5
    t2: float = 4.0

    @property
    def timeout(self) -> float:
        """Timers B, F, H and J: 64 × T1."""
        return 64 * self.t1


@dataclass(slots=True)
class ClientTransaction:
    """A sent request, and the future of its final response (None: timeout)."""

    source: str
    request: sip.SipPdu
    data: bytes
    final: asyncio.Future[sip.SipPdu | None]
    provisional: Callable[[sip.SipPdu], None] | None = None
    proceeding: bool = False
    timer: asyncio.TimerHandle | None = None
    acknowledgement: bytes = b""


@dataclass(slots=True)
class ServerTransaction:
    """A received request and its last response, which answers each retransmission of the request."""

    layer: TransactionLayer
    local: str
    request: sip.SipPdu
    last: bytes = b""
    status: int = 0
    acknowledged: bool = False

    def respond(self, response: sip.SipPdu) -> None:
        """Send a response; a final response to an INVITE is repeated until the ACK (Timers G and H)."""
        self.last = response.encode()
        self.status = response.status
        self.layer.send(self.local, self.last)
        if self.request.method == "INVITE" and self.status >= 200:
            self.layer.await_ack(self)


@dataclass(slots=True)
class TransactionLayer:
    """All transactions of a bed's handsets. `on_request` receives each new request, except ACK."""

    send: Send
    timers: SipTimers
    loop: asyncio.AbstractEventLoop
    on_request: Callable[[ServerTransaction], None]
    counts: Counter[str] = field(default_factory=Counter)
    _clients: dict[tuple[str, str], ClientTransaction] = field(default_factory=dict)
    _servers: dict[tuple[str, str], ServerTransaction] = field(default_factory=dict)
    _awaiting: dict[tuple[str, str, int], ServerTransaction] = field(default_factory=dict)

    def request(
        self, source: str, message: sip.SipPdu, provisional: Callable[[sip.SipPdu], None] | None = None
    ) -> ClientTransaction:
        """Send a request and repeat it by Timer A or E until a response comes or Timer B or F expires."""
        data = message.encode()
        client = ClientTransaction(source, message, data, self.loop.create_future(), provisional)
        key = (message.branch, message.method)
        self._clients[key] = client
        self.counts["requests"] += 1
        self.send(source, data)
        self._repeat(client, key, self.timers.t1, self.loop.time() + self.timers.timeout)
        return client

    def _repeat(self, client: ClientTransaction, key: tuple[str, str], interval: float, end: float) -> None:
        client.timer = self.loop.call_at(min(self.loop.time() + interval, end), self._tick, client, key, interval, end)

    def _tick(self, client: ClientTransaction, key: tuple[str, str], interval: float, end: float) -> None:
        invite = client.request.method == "INVITE"
        if client.final.done() or (invite and client.proceeding):
            return
        if self.loop.time() >= end - 1e-3:
            self._clients.pop(key, None)
            self.counts["timeouts"] += 1
            client.final.set_result(None)
            return
        self.counts["retransmissions"] += 1
        self.send(client.source, client.data)
        doubled = interval * 2 if invite else min(interval * 2, self.timers.t2)
        self._repeat(client, key, self.timers.t2 if client.proceeding and not invite else doubled, end)

    def abandon(self, client: ClientTransaction) -> None:
        """Stop waiting for a response."""
        self._clients.pop((client.request.branch, client.request.method), None)
        if client.timer:
            client.timer.cancel()
        if not client.final.done():
            client.final.set_result(None)

    def receive(self, local: str, data: bytes) -> None:
        """Handle a datagram for a handset."""
        try:
            message = sip.parse(data)
            if message.status:
                self._response(message)
            else:
                self._request(local, message)
        except sip.SipError:
            self.counts["malformed"] += 1

    def _response(self, message: sip.SipPdu) -> None:
        key = (message.branch, message.cseq[1])
        client = self._clients.get(key)
        if client is None:
            self.counts["strays"] += 1
            return
        if message.status < 200:
            client.proceeding = True
            if client.provisional:
                client.provisional(message)
            return
        if client.request.method == "INVITE" and message.status >= 300:
            client.acknowledgement = make_ack(client.request, message).encode()
        if client.acknowledgement:
            self.send(client.source, client.acknowledgement)
        if client.final.done():
            return
        if client.timer:
            client.timer.cancel()
        client.final.set_result(message)
        self.loop.call_later(self.timers.timeout, self._clients.pop, key, None)

    def _request(self, local: str, message: sip.SipPdu) -> None:
        number, _ = message.cseq
        if message.method == "ACK":
            server = self._awaiting.pop((local, message.get("call-id"), number), None)
            if server:
                server.acknowledged = True
            return
        key = (message.branch, message.method)
        known = self._servers.get(key)
        if known is not None:
            self.counts["repeated"] += 1
            if known.last:
                self.send(local, known.last)
            return
        server = ServerTransaction(self, local, message)
        self._servers[key] = server
        self.loop.call_later(2 * self.timers.timeout, self._servers.pop, key, None)
        self.on_request(server)

    def find_invite(self, branch: str) -> ServerTransaction | None:
        """The INVITE that belongs to a CANCEL with this branch."""
        return self._servers.get((branch, "INVITE"))

    def await_ack(self, server: ServerTransaction) -> None:
        """Repeat the final response to an INVITE until the ACK."""
        key = (server.local, server.request.get("call-id"), server.request.cseq[0])
        self._awaiting[key] = server
        self._repeat_response(server, key, self.timers.t1, self.loop.time() + self.timers.timeout)

    def _repeat_response(
        self, server: ServerTransaction, key: tuple[str, str, int], interval: float, end: float
    ) -> None:
        def tick() -> None:
            if server.acknowledged:
                return
            if self.loop.time() >= end:
                self._awaiting.pop(key, None)
                return
            self.send(server.local, server.last)
            self._repeat_response(server, key, min(interval * 2, self.timers.t2), end)

        self.loop.call_later(interval, tick)


def make_ack(request: sip.SipPdu, response: sip.SipPdu) -> sip.SipPdu:
    """The ACK for a final response other than 2xx (RFC 3261, 17.1.1.3)."""
    via = request.all("via")[0]
    number, _ = request.cseq
    return sip.SipPdu(
        method="ACK",
        uri=request.uri,
        headers=[
            ("via", via),
            *((name, value) for name, value in request.headers if name == "route"),
            ("max-forwards", "70"),
            ("from", request.get("from")),
            ("to", response.get("to")),
            ("call-id", request.get("call-id")),
            ("cseq", f"{number} ACK"),
        ],
    )
