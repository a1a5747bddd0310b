"""What a request says about the host at the other end of its leg: headers that only one kind of host writes (TS 24.229).

The patterns read hostile text: no quantifier in them goes back.
"""

from __future__ import annotations

import re
import socket
from typing import Final

from faultprint.probe.messages.sip import SipMessage
from faultprint.probe.messages.sip_header import SipHeader

# Names are written in any case (RFC 3261, 7.3.1). The first letter is written out, so that the search is fast.
_CORE: Final = re.compile(
    rb"\n(?:[rR](?i:ecord-Route)|[pP](?i:ath|-Charging-Vector|-Charging-Function-Addresses|-Visited-Network-ID"
    rb"|-Served-User|-User-Database|-Asserted-Service|-Profile-Key))[ \t]*+:"
)
"""Headers that a CSCF or an application server adds. User equipment sends none of them."""
_EQUIPMENT: Final = re.compile(
    rb"\n(?:[pP](?i:-Preferred-Identity|-Preferred-Service|-Access-Network-Info)"
    rb"|[sS](?i:ecurity-Client|ecurity-Verify)|[pP](?i:roxy-Authorization))[ \t]*+:"
)
"""Headers of user equipment. In a request with one Via, no core host has passed them on."""
_REGISTRATION_EVENT: Final = re.compile(rb"\n(?:[eE](?i:vent)|[oO])[ \t]*+:[ \t]*+(?i:reg)[ \t]*+[;\r\n]")
"""The registration state. The S-CSCF notifies of it (TS 24.229, 5.4.2.1.2)."""
_ROUTE: Final = SipHeader(b"Route")
_URI: Final = re.compile(rb"[^ ]++ ([A-Za-z][A-Za-z0-9+.-]*+):(?:([^@ ]*+)@)?+(\[[^\] ]*+\]|[^;:?@ ]*+)([^ @]*+) ")
"""The request URI. Groups: scheme, user, host, and what follows the host."""


def from_core(message: SipMessage) -> bool:
    """Whether only a host of the core can have sent this request."""
    text, head = message.text, message.head
    if _CORE.search(text, 0, head):
        return True
    if message.method == b"NOTIFY" and _REGISTRATION_EVENT.search(text, 0, head):
        return True
    return message.forwarded


def from_equipment(message: SipMessage) -> bool:
    """Whether a request that is not `from_core` has a header of user equipment."""
    return _EQUIPMENT.search(message.text, 0, message.head) is not None


def is_routed(message: SipMessage) -> bool:
    """Whether the request has a Route: the next hop is then a proxy. User equipment is the end of every route."""
    return message.get(_ROUTE) is not None


class RequestTarget:
    """The request URI of a request that goes out: where the next hop must bring it."""

    __slots__ = ("_host", "_rest", "_scheme", "user")

    def __init__(self, message: SipMessage) -> None:
        match = _URI.match(message.text)
        scheme, user, host, rest = match.groups() if match else (b"", None, b"", b"")
        self._scheme = scheme.lower()
        self._host = host.strip(b"[]").lower()
        self._rest = rest.lower()
        self.user: bytes | None = user
        """The part before the `@`; None if there is none."""

    def is_at(self, endpoint: bytes) -> bool:
        """Whether the URI names the address of `endpoint` (wire form, with or without a port)."""
        size = 4 if len(endpoint) in (4, 6) else 16
        try:
            address = socket.inet_pton(socket.AF_INET if size == 4 else socket.AF_INET6, self._host.decode("ascii"))
        except (OSError, ValueError):
            return False
        return address == endpoint[:size]

    @property
    def is_number(self) -> bool:
        """Whether the URI is a telephone number or a service, which the next hop must find (RFC 3261, 19.1.1)."""
        return self._scheme in (b"tel", b"urn") or b";user=phone" in self._rest

    @property
    def is_browser(self) -> bool:
        """Whether the URI is the contact of a WebSocket client, which has no address of its own (RFC 7118, 5.2)."""
        return self._host.endswith(b".invalid") or b";transport=ws" in self._rest

    @property
    def is_domain(self) -> bool:
        """Whether the URI names a domain. Its last label begins with a letter (RFC 3261, 25.1)."""
        return self._host.rstrip(b".").rpartition(b".")[2][:1].isalpha()
