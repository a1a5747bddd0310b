"""A telephony application server behind the S-CSCF: a stateless SIP proxy (RFC 3261, 16.11) that can fail."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from faultprint_lab.testbed.protocols import sip

Address = tuple[str, int]


@dataclass(slots=True)
class ApplicationServer(asyncio.DatagramProtocol):
    """Sends every request back to the S-CSCF along its Route.

    address, scscf   addresses of this server and of the S-CSCF
    failing          share of INVITEs that fail
    silent           whether they fail without a response; else by 503
    requests         number of INVITEs received
    """

    address: Address
    scscf: Address
    rng: np.random.Generator
    failing: float = 0.0
    silent: bool = False
    requests: int = 0
    _failed: dict[str, bool] = field(default_factory=dict)
    _transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, source: Any) -> None:
        try:
            message = sip.parse(data)
            branch = message.branch
        except sip.SipError:
            return
        for answer in self.handle(message, branch):
            self._transport.sendto(answer.encode(), self.scscf)

    def handle(self, message: sip.SipPdu, branch: str) -> list[sip.SipPdu]:
        """The messages to send to the S-CSCF for one message from it."""
        if message.status:
            vias = message.all("via")[1:]
            others = [(name, value) for name, value in message.headers if name != "via"]
            message.headers = [("via", value) for value in vias] + others
            return [message] if vias else []
        if message.method == "INVITE":
            self.requests += 1
            if self._fails(branch):
                return [] if self.silent else [sip.make_response(message, 503, "Service Unavailable")]
        elif self._failed.get(branch):
            if message.method == "ACK" or self.silent:
                return []
            return [sip.make_response(message, 481, "Call/Transaction Does Not Exist")]
        return [self._forward(message, branch)]

    def _fails(self, branch: str) -> bool:
        if branch not in self._failed:
            if len(self._failed) > 4096:
                self._failed.clear()
            self._failed[branch] = bool(self.rng.random() < self.failing)
        return self._failed[branch]

    def _forward(self, message: sip.SipPdu, branch: str) -> sip.SipPdu:
        host, port = self.address
        via = f"SIP/2.0/UDP {host}:{port};branch=z9hG4bK{sip.md5_hex(branch)[:20]}"
        routes = message.all("route")[1:]
        hops = int(message.get("max-forwards", "70") or 70) - 1
        others = [(name, value) for name, value in message.headers if name not in ("route", "max-forwards")]
        message.headers = [
            ("via", via),
            *(("route", route) for route in routes),
            ("max-forwards", str(hops)),
            *others,
        ]
        return message
