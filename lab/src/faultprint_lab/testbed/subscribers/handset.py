"""A subscriber's handset: registers, refreshes its registration, and sends messages, OPTIONS and subscriptions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from faultprint_lab.testbed.protocols import sip
from faultprint_lab.testbed.servers import hss
from faultprint_lab.testbed.subscribers.arrivals import backoff_delay
from faultprint_lab.testbed.subscribers.context import SubscriberContext

ATTEMPTS = 4
"""Maximum number of REGISTER requests for one registration; the first one is challenged."""


@dataclass(slots=True)
class Handset:
    """A handset with its own address.

    until      loop time at which its registration expires
    busy       whether it is in a call
    off        whether it is switched off
    failures   failed registrations in a row
    stagger    whether the first refresh is at a random time in its interval, so that handsets that were switched on
               together do not refresh together
    routes     service route from the registration
    """

    name: str
    address: str
    context: SubscriberContext
    until: float = 0.0
    busy: bool = False
    off: bool = False
    failures: int = 0
    stagger: bool = False
    routes: list[str] = field(default_factory=list)
    _registering: bool = False
    _call_id: str = ""
    _cseq: int = 0
    _tag: str = ""
    _challenge: dict[str, str] = field(default_factory=dict)
    _nonce_count: int = 0
    _timer: asyncio.TimerHandle | None = None

    @property
    def uri(self) -> str:
        """The public identity."""
        return f"sip:{self.name}@{self.context.realm}"

    @property
    def contact(self) -> str:
        """The Contact header value."""
        return f"<sip:{self.name}@{self.address}:5060>"

    @property
    def registered(self) -> bool:
        """Whether the handset has a valid registration, as far as it knows."""
        return not self.off and self.until > self.context.loop.time()

    def via(self) -> str:
        """A Via header value with a new branch."""
        return f"SIP/2.0/UDP {self.address}:5060;branch=z9hG4bK{self.context.token()};rport"

    # Registration (TS 24.229, 5.1.1)

    def switch_on(self, reset: bool = True) -> None:
        """Start a registration; `reset` forgets the earlier one first, as after a power loss."""
        if self._timer:
            self._timer.cancel()
        self.off = False
        if reset:
            self._call_id, self._cseq, self._challenge, self.until = "", 0, {}, 0.0
        if not self._registering:
            self._registering = True
            self.context.spawn(self._register(self.context.network.expiry))

    def switch_off(self, back_after: float) -> None:
        """De-register, and switch on again after `back_after` seconds."""
        if self._timer:
            self._timer.cancel()
        if self._registering or not self.registered:
            return
        self._registering = True
        self.context.spawn(self._deregister())
        self._timer = self.context.loop.call_later(back_after, self.switch_on)

    async def _deregister(self) -> None:
        await self._send_register(0)
        self.off, self.until, self._registering = True, 0.0, False

    async def _register(self, expiry: int) -> None:
        first = not self._call_id
        status = await self._send_register(expiry)
        self._registering = False
        network, load = self.context.network, self.context.network.load
        self.context.counts[f"REGISTER {status}"] += 1
        if status != 200:
            self.failures += 1
            self._call_id, self._cseq, self._challenge = "", 0, {}
            self._schedule(backoff_delay(load, self.failures, self.context.rng), lambda: self.switch_on(reset=False))
            return
        self.failures = 0
        self.until = self.context.loop.time() + expiry
        wait = expiry * network.refresh_at * float(self.context.rng.uniform(0.0 if self.stagger else 0.9, 1.1))
        self.stagger = False
        self._schedule(wait, lambda: self.switch_on(reset=False))
        if first and self.context.rng.random() < load.reg_event_share:
            await self.subscribe()

    def _schedule(self, wait: float, action: Callable[[], None]) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self.context.loop.call_later(wait, action)

    async def _send_register(self, expiry: int) -> int:
        """Send REGISTER until the challenge is answered; returns the final status, 0 for none."""
        for _ in range(ATTEMPTS):
            final = await self.context.layer.request(self.address, self._register_request(expiry)).final
            if final is None:
                return 0
            if final.status != 401:
                if final.status == 200:
                    self.routes = final.all("service-route")
                return final.status
            self._challenge, self._nonce_count = sip.parse_challenge(final.get("www-authenticate")), 0
            # Kamailio's ims_auth responds before it has stored the vector: an immediate answer would be challenged again.
            await asyncio.sleep(0.05 + float(self.context.rng.exponential(0.03)))
        return 401

    def _register_request(self, expiry: int) -> sip.SipPdu:
        realm = self.context.realm
        if not self._call_id:
            self._call_id, self._tag = self.context.token(), self.context.token()
        self._cseq += 1
        private = f"{self.name}@{realm}"
        if self._challenge:
            self._nonce_count += 1
            authorization = sip.digest_authorization(
                self._challenge,
                username=private,
                ha1=hss.ha1(self.name, realm),
                method="REGISTER",
                uri=f"sip:{realm}",
                cnonce=self.context.token(),
                count=self._nonce_count,
            )
        else:
            authorization = f'Digest username="{private}", realm="{realm}", nonce="", uri="sip:{realm}", response=""'
        return sip.SipPdu(
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

    def request(self, method: str, uri: str, *extra: tuple[str, str], body: bytes = b"") -> sip.SipPdu:
        """A request outside a dialog, by way of the P-CSCF and the service route."""
        routes = [f"<sip:{self.context.pcscf}:5060;lr>", *self.routes]
        return sip.SipPdu(
            method=method,
            uri=uri,
            headers=[
                ("via", self.via()),
                *(("route", route) for route in routes),
                ("max-forwards", "70"),
                ("from", f"<{self.uri}>;tag={self.context.token()}"),
                ("to", f"<{uri}>"),
                ("call-id", self.context.token()),
                ("cseq", f"1 {method}"),
                ("contact", self.contact),
                *extra,
            ],
            body=body,
        )

    async def _send(self, message: sip.SipPdu) -> None:
        final = await self.context.layer.request(self.address, message).final
        self.context.counts[f"{message.method} {final.status if final else 0}"] += 1

    async def subscribe(self) -> None:
        """Subscribe to the reg event package (RFC 3680; TS 24.229, 5.1.1.3)."""
        event = (("event", "reg"), ("expires", "3600"), ("accept", "application/reginfo+xml"))
        await self._send(self.request("SUBSCRIBE", self.uri, *event))

    async def send_message(self, recipient: Handset) -> None:
        """Send a short message (RFC 3428)."""
        length = int(self.context.rng.integers(10, 160))
        await self._send(self.request("MESSAGE", recipient.uri, ("content-type", "text/plain"), body=b"x" * length))

    async def send_options(self) -> None:
        """Send OPTIONS to the P-CSCF."""
        message = self.request("OPTIONS", f"sip:{self.context.pcscf}:5060")
        message.headers = [(name, value) for name, value in message.headers if name != "route"]
        await self._send(message)
