"""Bindings of subscribers as the REGISTER transactions of a node show them (RFC 3261, section 10)."""

from __future__ import annotations

import re
from typing import Final

from faultprint.probe.bounded import BoundedTable
from faultprint.probe.messages.sip import SipMessage
from faultprint.probe.messages.sip_header import CONTACT, EXPIRES
from faultprint.tables import Method

_INITIAL: Final = Method.REGISTER_INITIAL.value
_REFRESH: Final = Method.REGISTER_REFRESH.value
_DEREGISTRATION: Final = Method.REGISTER_DEREGISTRATION.value
MAX_BINDINGS: Final = 40_960
DEFAULT_S: Final = 3600
"""What the RFC suggests where neither side names an expiry."""
_LONGEST_S: Final = 2**32 - 1
_EXPIRES: Final = re.compile(rb";[ \t]*+[eE][xX][pP][iI][rR][eE][sS][ \t]*+=[ \t]*+\"?(\d{1,10})")


def expiry_of(message: SipMessage) -> int | None:
    """The longest expiry among the contacts, else that of the Expires header; seconds; None if neither is there.

    `Contact: *` removes all bindings and counts as 0.
    """
    contacts = message.all(CONTACT)
    if contacts:
        if contacts[0] == b"*":
            return 0
        own = _EXPIRES.findall(contacts[0] if len(contacts) == 1 else b"\n".join(contacts))
        if own:
            return min(int(own[0]) if len(own) == 1 else max(map(int, own)), _LONGEST_S)
    header = message.get(EXPIRES)
    return min(int(header), _LONGEST_S) if header and header.isdigit() and len(header) <= 10 else None


class Registrations:
    """Who is registered until when, for all nodes; the longest untouched go first when there are too many."""

    def __init__(self) -> None:
        self._bindings: BoundedTable[int, int] = BoundedTable(MAX_BINDINGS)

    def method(self, binding: int, now: int, message: SipMessage) -> str:
        """Which kind of REGISTER this is. `binding` stands for the subscriber at the node.

        A refresh is one whose subscriber has a live binding, so that the answer to a challenge of an initial
        registration is initial as well. A binding made before the capture began is not known.
        """
        if expiry_of(message) == 0:
            return _DEREGISTRATION
        return _REFRESH if self._bindings.get(binding, now) > now else _INITIAL

    def succeeded(self, binding: int, now: int, kind: str, response: SipMessage) -> None:
        """A REGISTER of this kind drew a 2xx."""
        if kind == _DEREGISTRATION:
            self._bindings.pop(binding, None)
            return
        granted = expiry_of(response)
        self._bindings.put(binding, now + (DEFAULT_S if granted is None else granted) * 1_000_000)
