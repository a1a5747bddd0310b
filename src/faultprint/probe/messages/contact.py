"""The contacts of a REGISTER and of its response, and when two of them are the same (RFC 3261, 10.3 and 19.1.4)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

MAX_CONTACTS: Final = 16
"""Contacts of one message that are read. Subscribers have fewer devices."""
MAX_EXPIRY_S: Final = 2**32 - 1
WILDCARD: Final = b"*"
"""Stands for all contacts of the subscriber."""

_ONE: Final = re.compile(
    rb"[\s,]*+((?:\"(?:[^\"\\]|\\.)*+\"|[^\",<])++)?+(?:<([^>]*+)>((?:\"(?:[^\"\\]|\\.)*+\"|[^\",])*+))?+", re.DOTALL
)
"""One value of a Contact header. Groups: name or bare URI with parameters, URI in brackets, parameters."""
_EXPIRES: Final = re.compile(rb";[ \t]*+expires[ \t]*+=[ \t]*+\"?(\d{1,10})", re.IGNORECASE)
_INSTANCE: Final = re.compile(rb";[ \t]*+\+sip\.instance[ \t]*+=[ \t]*+\"([^\"]++)\"", re.IGNORECASE)
_FLOW: Final = re.compile(rb";[ \t]*+reg-id[ \t]*+=[ \t]*+(\d{1,10})", re.IGNORECASE)
_COMPARED: Final = frozenset({b"transport", b"user", b"ttl", b"method", b"maddr"})
"""URI parameters that make two URIs differ even if only one of them has it."""


class Contact(NamedTuple):
    """`identity`: equal for contacts that bind the same device. `expiry_s`: None if it names no expiry."""

    identity: bytes
    expiry_s: int | None
    emergency: bool


def contacts(values: list[bytes]) -> list[Contact]:
    """The contacts in the values of all Contact headers of a message, at most MAX_CONTACTS."""
    found: list[Contact] = []
    for value in values:
        at = 0
        while at < len(value) and len(found) < MAX_CONTACTS:
            match = _ONE.match(value, at)
            if match is None or match.end() == at:
                break
            at = match.end()
            bare, uri, parameters = match.groups()
            if uri is None:
                uri, _, parameters = (bare or b"").partition(b";")
                parameters = b";" + parameters
            if uri.strip():
                found.append(_contact(uri.strip(), parameters))
    return found


def _contact(uri: bytes, parameters: bytes) -> Contact:
    if uri == WILDCARD:
        return Contact(WILDCARD, 0, False)
    expires = _EXPIRES.search(parameters)
    instance, flow = _INSTANCE.search(parameters), _FLOW.search(parameters)
    identity, emergency = _uri(uri)
    if instance is not None and flow is not None:
        # RFC 5626, 6: these identify the flow of a device, even when its address changes.
        identity = b"flow " + instance[1].lower() + b" " + flow[1].lstrip(b"0")
    return Contact(identity, min(int(expires[1]), MAX_EXPIRY_S) if expires else None, emergency)


def _uri(uri: bytes) -> tuple[bytes, bool]:
    """One spelling of equal URIs, and whether it marks an emergency registration (TS 24.229, 7.2A.13)."""
    userinfo, at, rest = uri.partition(b"?")[0].rpartition(b"@")
    if not at:
        scheme, _, rest = rest.partition(b":")
        user = b""
    else:
        scheme, _, user = userinfo.partition(b":")
    host, *names = rest.split(b";")
    given = sorted(name.strip().lower() for name in names)
    compared = [name for name in given if name.partition(b"=")[0].strip() in _COMPARED]
    identity = b";".join(
        [scheme.strip().lower() + b":" + unquote_to_bytes(user) + at + host.strip().lower(), *compared]
    )
    return identity, any(name.partition(b"=")[0].strip() == b"sos" for name in given)
