"""Bindings of subscribers to contacts, as the REGISTER transactions of a node show them (RFC 3261, section 10).

A contact of a subscriber is a binding of its own: a second device registers initially, and one that leaves takes only
its own binding away. A REGISTER without a contact asks for the bindings and changes none. An emergency registration
(contact with `sos`, TS 24.229, 5.1.6.2) has bindings of its own and changes no other.
"""

from __future__ import annotations

from typing import Final

from faultprint.probe.bounded import BoundedTable
from faultprint.probe.messages.contact import MAX_CONTACTS, MAX_EXPIRY_S, WILDCARD, Contact, contacts
from faultprint.probe.messages.sip import NO_END, SipMessage
from faultprint.probe.messages.sip_header import CONTACT, EXPIRES
from faultprint.tables import Method
from faultprint.units import SECOND_US

_INITIAL: Final = Method.REGISTER_INITIAL.value
_REFRESH: Final = Method.REGISTER_REFRESH.value
_DEREGISTRATION: Final = Method.REGISTER_DEREGISTRATION.value
_FETCH: Final = Method.OTHER.value
MAX_BINDINGS: Final = 40_960
"""Subscribers at a node whose bindings are kept."""
DEFAULT_EXPIRY_S: Final = 3600
"""The RFC's default if neither side names an expiry."""
_EXPIRY_BITS: Final = 32
_EXPIRY: Final = (1 << _EXPIRY_BITS) - 1
_CONTACT: Final = (1 << 28) - 1
_EMERGENCY: Final = 1 << (_EXPIRY_BITS + 28)
_IDENTITY: Final = _CONTACT << _EXPIRY_BITS | _EMERGENCY
_MAX_CACHED: Final = 256
_ALL: Final = 0
"""The identity of `Contact: *`."""
_RECENT: Final[BoundedTable[bytes, tuple[tuple[int, int | None], ...]]] = BoundedTable(2048)
"""Contact values of the last messages → identity and expiry of each contact: the messages of a registration repeat them."""

# A binding is one integer, to save memory: emergency or not, 28 bits of a hash of the contact, and 32 bits for the second
# at which it expires (or, as asked or granted in a message, the seconds until then).


def expiry_header(message: SipMessage) -> int | None:
    """The value of the Expires header in seconds, None if it has no valid one."""
    header = message.get(EXPIRES)
    return min(int(header), MAX_EXPIRY_S) if header and header.isdigit() and len(header) <= 10 else None


def bindings_of(message: SipMessage) -> tuple[int, ...]:
    """The bindings that a message asks for or grants: identity of the contact and seconds, together in one integer.

    Empty for a message without a contact.
    """
    values = message.all(CONTACT)
    found = _RECENT.get(values[0]) if len(values) == 1 else None
    if found is None:
        found = tuple([(_identity(contact), contact.expiry_s) for contact in contacts(values)])
        if len(values) == 1 and len(values[0]) <= _MAX_CACHED:
            _RECENT.put(values[0], found)
    if len(found) == 1 and found[0][1] is not None:
        return (found[0][0] | found[0][1],)
    if not found:
        return (DEFAULT_EXPIRY_S | 1 << _EXPIRY_BITS,) if message.defect == NO_END and message.method else ()
    default = expiry_header(message)
    if default is None:
        default = DEFAULT_EXPIRY_S
    return tuple([identity | (default if expiry is None else expiry) for identity, expiry in found])


def _identity(contact: Contact) -> int:
    if contact.identity == WILDCARD:
        return _ALL
    return (hash(contact.identity) & _CONTACT or 1) << _EXPIRY_BITS | (_EMERGENCY if contact.emergency else 0)


class Registrations:
    """The bindings of each subscriber, for all nodes. When the table is full, the oldest entries are dropped."""

    def __init__(self) -> None:
        self._bindings: BoundedTable[int, tuple[int, ...]] = BoundedTable(MAX_BINDINGS)
        """Subscriber → bindings with the second at which each expires."""

    def method(self, subscriber: int, now: int, asked: tuple[int, ...]) -> str:
        """The kind of a REGISTER that asks for these bindings. `subscriber`: at the node. `now` is in µs.

        It is a refresh if all contacts that it binds are bound. So the answer to the challenge of an initial registration
        is initial too. The probe does not know bindings that are older than the capture.
        """
        if not asked:
            return _FETCH
        second = now // SECOND_US
        if len(asked) == 1 and asked[0] & _EXPIRY:
            for known in self._bindings.get(subscriber, ()):
                if (known ^ asked[0]) & _IDENTITY == 0 and known & _EXPIRY > second:
                    return _REFRESH
            return _INITIAL
        wanted = {binding & _IDENTITY for binding in asked if binding & _EXPIRY}
        if not wanted:
            return _DEREGISTRATION
        bound = {known & _IDENTITY for known in self._bindings.get(subscriber, ()) if known & _EXPIRY > second}
        return _REFRESH if wanted <= bound else _INITIAL

    def on_success(self, subscriber: int, now: int, asked: tuple[int, ...], response: SipMessage) -> None:
        """Record the 2xx response to a REGISTER that asked for these bindings.

        Its contacts are all present bindings (RFC 3261, 10.3). Without contacts, the request tells what has changed.
        """
        second = now // SECOND_US
        granted = bindings_of(response)
        if len(granted) == len(asked) == 1 and (granted[0] ^ asked[0]) & _IDENTITY == 0 and granted[0] & _EXPIRY:
            before = self._bindings.get(subscriber)
            if before is None or (len(before) == 1 and (before[0] ^ granted[0]) & _EMERGENCY == 0):
                # True for nearly all subscribers: one device.
                expiry = min(second + (granted[0] & _EXPIRY), _EXPIRY)
                self._bindings.put(subscriber, (granted[0] & _IDENTITY | expiry,))
                return
        known = {known & _IDENTITY: known for known in self._bindings.get(subscriber, ()) if known & _EXPIRY > second}
        if granted:
            emergency = (asked or granted)[0] & _EMERGENCY
            known = {identity: binding for identity, binding in known.items() if identity & _EMERGENCY != emergency}
        elif _ALL in asked:
            known = {identity: binding for identity, binding in known.items() if identity & _EMERGENCY}
        default = None if granted else expiry_header(response)
        listed = {binding & _IDENTITY for binding in granted}
        # A registrar may list a contact in another spelling than the request.
        changes = [*granted, *(binding for binding in asked if binding & _IDENTITY not in listed)]
        for binding in changes:
            identity, seconds = binding & _IDENTITY, binding & _EXPIRY
            if not seconds:
                known.pop(identity, None)
            elif identity:
                granted_s = seconds if default is None or identity in listed else default
                known[identity] = identity | min(second + granted_s, _EXPIRY)
        if known:
            self._bindings.put(subscriber, tuple(list(known.values())[-MAX_CONTACTS:]))
        else:
            self._bindings.pop(subscriber, None)
