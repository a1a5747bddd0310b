"""The transaction layer of RFC 3261, chapter 17, over UDP, for many user agents at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from faultprint_lab.testbed.protocols import sip

Send = Callable[[str, bytes], None]
"""Called with the handset's address and the datagram, which goes to its P-CSCF."""


@dataclass(frozen=True, slots=True)
class Timers:
    """T1 and T2 of RFC 3261 in seconds, from which all its other timers follow."""

    t1: float = 0.5
    t2: float = 4.0

    @property
    def timeout(self) -> float:
        """Timers B, F, H, J: 64 T1."""
        return 64 * self.t1


@dataclass(slots=True)
class Client:
    """A request that was sent, and the future of its final response (None: it timed out)."""

    source: str
    request: sip.SipText
    data: bytes
    final: asyncio.Future[sip.SipText | None]
    provisional: Callable[[sip.SipText], None] | None = None
    proceeding: bool = False
    timer: asyncio.TimerHandle | None = None
    acknowledgement: bytes = b""


@dataclass(slots=True)
class Server:
    """A request that was received, with the last response, sent again whenever the request is."""

    layer: Layer
    local: str
    request: sip.SipText
    last: bytes = b""
    status: int = 0
    acknowledged: bool = False

    def respond(self, response: sip.SipText) -> None:
        """Send a response; the final one to an INVITE is repeated until the ACK comes (timers G and H)."""
        self.last = response.encode()
        self.status = response.status
        self.layer.send(self.local, self.last)
        if self.request.method == "INVITE" and self.status >= 200:
            self.layer.await_ack(self)


@dataclass(slots=True)
class Layer:
    """All transactions of a bed's handsets. `on_request` is the user agents' part; ACK never reaches it."""

    send: Send
    timers: Timers
    loop: asyncio.AbstractEventLoop
    on_request: Callable[[Server], None]
    counts: Counter[str] = field(default_factory=Counter)
    _clients: dict[tuple[str, str], Client] = field(default_factory=dict)
    _servers: dict[tuple[str, str], Server] = field(default_factory=dict)
    _awaiting: dict[tuple[str, str, int], Server] = field(default_factory=dict)

    def request(
        self, source: str, message: sip.SipText, provisional: Callable[[sip.SipText], None] | None = None
    ) -> Client:
        """Send a request and repeat it by timers A or E until it is answered or timer B or F ends it."""
        data = message.encode()
        client = Client(source, message, data, self.loop.create_future(), provisional)
        key = (message.branch, message.method)
        self._clients[key] = client
        self.counts["requests"] += 1
        self.send(source, data)
        self._repeat(client, key, self.timers.t1, self.loop.time() + self.timers.timeout)
        return client

    def _repeat(self, client: Client, key: tuple[str, str], interval: float, end: float) -> None:
        client.timer = self.loop.call_at(min(self.loop.time() + interval, end), self._tick, client, key, interval, end)

    def _tick(self, client: Client, key: tuple[str, str], interval: float, end: float) -> None:
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
        following = interval * 2 if invite else min(interval * 2, self.timers.t2)
        self._repeat(client, key, self.timers.t2 if client.proceeding and not invite else following, end)

    def abandon(self, client: Client) -> None:
        """Stop waiting for a response that will not come any more."""
        self._clients.pop((client.request.branch, client.request.method), None)
        if client.timer:
            client.timer.cancel()
        if not client.final.done():
            client.final.set_result(None)

    def receive(self, local: str, data: bytes) -> None:
        """One datagram for a handset."""
        try:
            message = sip.parse(data)
            if message.status:
                self._response(message)
            else:
                self._request(local, message)
        except sip.SipError:
            self.counts["malformed"] += 1

    def _response(self, message: sip.SipText) -> None:
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
            client.acknowledgement = acknowledge(client.request, message).encode()
        if client.acknowledgement:
            self.send(client.source, client.acknowledgement)
        if client.final.done():
            return
        if client.timer:
            client.timer.cancel()
        client.final.set_result(message)
        self.loop.call_later(self.timers.timeout, self._clients.pop, key, None)

    def _request(self, local: str, message: sip.SipText) -> None:
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
        server = Server(self, local, message)
        self._servers[key] = server
        self.loop.call_later(2 * self.timers.timeout, self._servers.pop, key, None)
        self.on_request(server)

    def invited(self, branch: str) -> Server | None:
        """The INVITE that a CANCEL with this branch belongs to."""
        return self._servers.get((branch, "INVITE"))

    def await_ack(self, server: Server) -> None:
        """Repeat the final response to an INVITE until its ACK comes."""
        key = (server.local, server.request.get("call-id"), server.request.cseq[0])
        self._awaiting[key] = server
        self._again(server, key, self.timers.t1, self.loop.time() + self.timers.timeout)

    def _again(self, server: Server, key: tuple[str, str, int], interval: float, end: float) -> None:
        def tick() -> None:
            if server.acknowledged:
                return
            if self.loop.time() >= end:
                self._awaiting.pop(key, None)
                return
            self.send(server.local, server.last)
            self._again(server, key, min(interval * 2, self.timers.t2), end)

        self.loop.call_later(interval, tick)


def acknowledge(request: sip.SipText, response: sip.SipText) -> sip.SipText:
    """The ACK of a final response other than 2xx (RFC 3261, 17.1.1.3)."""
    via = request.all("via")[0]
    number, _ = request.cseq
    return sip.SipText(
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
