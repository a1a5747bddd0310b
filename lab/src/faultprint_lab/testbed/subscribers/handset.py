"""One subscriber's handset: registers, keeps its registration, sends messages, answers what comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from faultprint_lab.testbed.protocols import sip
from faultprint_lab.testbed.servers import hss
from faultprint_lab.testbed.subscribers.arrivals import back_off

if TYPE_CHECKING:
    from faultprint_lab.testbed.subscribers.population import SubscriberPopulation

ATTEMPTS = 4
"""REGISTERs of one registration at most; the first draws the challenge."""


@dataclass(slots=True)
class Handset:
    """A handset with an address of its own. `until` is the loop time at which its registration runs out.

    `spread` makes the first refresh come anywhere in its interval, so that handsets that were switched on together do
    not refresh together.
    """

    name: str
    address: str
    around: SubscriberPopulation
    until: float = 0.0
    busy: bool = False
    off: bool = False
    failures: int = 0
    spread: bool = False
    routes: list[str] = field(default_factory=list)
    _working: bool = False
    _call_id: str = ""
    _cseq: int = 0
    _tag: str = ""
    _asked: dict[str, str] = field(default_factory=dict)
    _uses: int = 0
    _timer: asyncio.TimerHandle | None = None

    @property
    def uri(self) -> str:
        """Public identity."""
        return f"sip:{self.name}@{self.around.realm}"

    @property
    def contact(self) -> str:
        """Where the handset is reached."""
        return f"<sip:{self.name}@{self.address}:5060>"

    @property
    def registered(self) -> bool:
        """As far as the handset knows."""
        return not self.off and self.until > self.around.loop.time()

    def via(self) -> str:
        """A topmost Via with a branch of its own."""
        return f"SIP/2.0/UDP {self.address}:5060;branch=z9hG4bK{self.around.token()};rport"

    # Registration (TS 24.229, 5.1.1)

    def switch_on(self, anew: bool = True) -> None:
        """Begin a registration; `anew` forgets the earlier one, as a handset that lost power does."""
        if self._timer:
            self._timer.cancel()
        self.off = False
        if anew:
            self._call_id, self._cseq, self._asked, self.until = "", 0, {}, 0.0
        if not self._working:
            self._working = True
            self.around.spawn(self._register(self.around.network.expiry))

    def switch_off(self, back_after: float) -> None:
        """De-register, and come back later."""
        if self._timer:
            self._timer.cancel()
        if self._working or not self.registered:
            return
        self._working = True
        self.around.spawn(self._leave())
        self._timer = self.around.loop.call_later(back_after, self.switch_on)

    async def _leave(self) -> None:
        await self._authenticated(0)
        self.off, self.until, self._working = True, 0.0, False

    async def _register(self, expiry: int) -> None:
        first = not self._call_id
        status = await self._authenticated(expiry)
        self._working = False
        network, load = self.around.network, self.around.network.load
        self.around.counts[f"REGISTER {status}"] += 1
        if status != 200:
            self.failures += 1
            self._call_id, self._cseq, self._asked = "", 0, {}
            self._later(back_off(load, self.failures, self.around.rng), lambda: self.switch_on(anew=False))
            return
        self.failures = 0
        self.until = self.around.loop.time() + expiry
        wait = expiry * network.refresh_at * float(self.around.rng.uniform(0.0 if self.spread else 0.9, 1.1))
        self.spread = False
        self._later(wait, lambda: self.switch_on(anew=False))
        if first and self.around.rng.random() < load.reg_event_share:
            await self.subscribe()

    def _later(self, wait: float, what: Callable[[], None]) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self.around.loop.call_later(wait, what)

    async def _authenticated(self, expiry: int) -> int:
        """REGISTER until the challenge is met; the final status, 0 for none."""
        for _ in range(ATTEMPTS):
            final = await self.around.layer.request(self.address, self._register_request(expiry)).final
            if final is None:
                return 0
            if final.status != 401:
                if final.status == 200:
                    self.routes = final.all("service-route")
                return final.status
            self._asked, self._uses = sip.challenge(final.get("www-authenticate")), 0
            # ims_auth answers before it has stored the vector: whoever replies at once is challenged again.
            await asyncio.sleep(0.05 + float(self.around.rng.exponential(0.03)))
        return 401

    def _register_request(self, expiry: int) -> sip.SipText:
        realm = self.around.realm
        if not self._call_id:
            self._call_id, self._tag = self.around.token(), self.around.token()
        self._cseq += 1
        private = f"{self.name}@{realm}"
        if self._asked:
            self._uses += 1
            authorization = sip.credentials(
                self._asked,
                username=private,
                ha1=hss.ha1(self.name, realm),
                method="REGISTER",
                uri=f"sip:{realm}",
                cnonce=self.around.token(),
                count=self._uses,
            )
        else:
            authorization = f'Digest username="{private}", realm="{realm}", nonce="", uri="sip:{realm}", response=""'
        return sip.SipText(
            method="REGISTER",
            uri=f"sip:{realm}",
            headers=[
                ("via", self.via()),
                ("max-forwards", "70"),
                ("from", f"<{self.uri}>;tag={self._tag}"),
                ("to", f"<{self.uri}>"),
                ("call-id", self._call_id),
                ("cseq", f"{self._cseq} REGISTER"),
                ("contact", f"{self.contact};expires={expiry}"),
                ("expires", str(expiry)),
                ("authorization", authorization),
                ("supported", "path"),
            ],
        )

    # Requests outside a registration

    def request(self, method: str, uri: str, *extra: tuple[str, str], body: bytes = b"") -> sip.SipText:
        """A request outside any dialog, along the P-CSCF and the service route."""
        routes = [f"<sip:{self.around.pcscf}:5060;lr>", *self.routes]
        return sip.SipText(
            method=method,
            uri=uri,
            headers=[
                ("via", self.via()),
                *(("route", route) for route in routes),
                ("max-forwards", "70"),
                ("from", f"<{self.uri}>;tag={self.around.token()}"),
                ("to", f"<{uri}>"),
                ("call-id", self.around.token()),
                ("cseq", f"1 {method}"),
                ("contact", self.contact),
                *extra,
            ],
            body=body,
        )

    async def _send(self, message: sip.SipText) -> None:
        final = await self.around.layer.request(self.address, message).final
        self.around.counts[f"{message.method} {final.status if final else 0}"] += 1

    async def subscribe(self) -> None:
        """Subscribe to the reg event package (RFC 3680; TS 24.229, 5.1.1.3)."""
        event = (("event", "reg"), ("expires", "3600"), ("accept", "application/reginfo+xml"))
        await self._send(self.request("SUBSCRIBE", self.uri, *event))

    async def message(self, to: Handset) -> None:
        """A short message (RFC 3428)."""
        length = int(self.around.rng.integers(10, 160))
        await self._send(self.request("MESSAGE", to.uri, ("content-type", "text/plain"), body=b"x" * length))

    async def options(self) -> None:
        """Ask the P-CSCF whether it is alive."""
        message = self.request("OPTIONS", f"sip:{self.around.pcscf}:5060")
        message.headers = [(name, value) for name, value in message.headers if name != "route"]
        await self._send(message)
