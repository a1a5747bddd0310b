"""Bindings of subscribers, as the REGISTER transactions of a node show them (RFC 3261, section 10)."""

from __future__ import annotations

import re
from typing import Final

from faultprint.probe.bounded import BoundedTable
from faultprint.probe.messages.sip import SipMessage
from faultprint.probe.messages.sip_header import CONTACT, EXPIRES
from faultprint.tables import Method
from faultprint.units import SECOND_US

_INITIAL: Final = Method.REGISTER_INITIAL.value
_REFRESH: Final = Method.REGISTER_REFRESH.value
_DEREGISTRATION: Final = Method.REGISTER_DEREGISTRATION.value
MAX_BINDINGS: Final = 40_960
DEFAULT_EXPIRY_S: Final = 3600
"""The RFC's default if neither side names an expiry."""
_MAX_EXPIRY_S: Final = 2**32 - 1
_EXPIRES: Final = re.compile(rb";[ \t]*+[eE][xX][pP][iI][rR][eE][sS][ \t]*+=[ \t]*+\"?(\d{1,10})")


def expiry_of(message: SipMessage) -> int | None:
    """The longest expiry among the contacts, else that of the Expires header, in seconds. None if there is neither.

    `Contact: *` removes all bindings and counts as 0.
    """
    contacts = message.all(CONTACT)
    if contacts:
        if contacts[0] == b"*":
            return 0
        expiries = _EXPIRES.findall(contacts[0] if len(contacts) == 1 else b"\n".join(contacts))
        if expiries:
            return min(int(expiries[0]) if len(expiries) == 1 else max(map(int, expiries)), _MAX_EXPIRY_S)
    header = message.get(EXPIRES)
    return min(int(header), _MAX_EXPIRY_S) if header and header.isdigit() and len(header) <= 10 else None


class Registrations:
    """The time at which each binding expires, for all nodes. When the table is full, the oldest entries are dropped."""

    def __init__(self) -> None:
        self._expiry_us: BoundedTable[int, int] = BoundedTable(MAX_BINDINGS)

    def method(self, binding: int, now: int, message: SipMessage) -> str:
        """The kind of this REGISTER. `binding` identifies the subscriber at the node, `now` is in µs.

        A REGISTER is a refresh if the subscriber has a valid binding. So the answer to the challenge of an initial
        registration is initial too. The probe does not know bindings that are older than the capture.
        """
        if expiry_of(message) == 0:
            return _DEREGISTRATION
        return _REFRESH if self._expiry_us.get(binding, now) > now else _INITIAL

    def on_success(self, binding: int, now: int, kind: str, response: SipMessage) -> None:
        """Record the 2xx response to a REGISTER of this kind."""
        if kind == _DEREGISTRATION:
            self._expiry_us.pop(binding, None)
            return
        granted = expiry_of(response)
        self._expiry_us.put(binding, now + (DEFAULT_EXPIRY_S if granted is None else granted) * SECOND_US)
