"""Keyed hashes of subscribers and calls: their names never leave the probe."""

from __future__ import annotations

import hashlib
import re
from typing import Final
from urllib.parse import unquote_to_bytes

from faultprint.errors import UsageError
from faultprint.probe.bounded import BoundedTable

MIN_KEY: Final = 16
MAX_KEY: Final = hashlib.blake2b.MAX_KEY_SIZE
_CACHE: Final = 8192
_MAX_CACHED: Final = 256
"""Bytes. Longer names are hashed each time, so that they cannot fill the memory."""
_GLOBAL_NUMBER: Final = re.compile(rb"\+[0-9().\-]{3,40}\Z")
_SEPARATORS: Final = b"-.()"
_CONTEXT: Final = re.compile(rb";phone-context=([^;]*+)", re.IGNORECASE)
_USER_PHONE: Final = re.compile(rb";user=phone(?:;|\Z)", re.IGNORECASE)


class Hasher:
    """BLAKE2b with a key (RFC 7693): 64-bit hashes that cannot be computed without the key."""

    def __init__(self, key: bytes) -> None:
        """Raises UsageError for a key of the wrong length."""
        if not MIN_KEY <= len(key) <= MAX_KEY:
            raise UsageError(
                f"The key has {len(key)} bytes, but a keyed hash needs {MIN_KEY} to {MAX_KEY}; use a key of that length."
            )
        self._keyed = hashlib.blake2b(digest_size=8, key=key)
        self._users: BoundedTable[bytes, int | None] = BoundedTable(_CACHE)
        self._texts: BoundedTable[bytes, int] = BoundedTable(_CACHE)

    def user(self, address: bytes) -> int | None:
        """Hash of the subscriber in a From or To value; None if it names no subscriber."""
        uri = uri_of(address)
        try:
            return self._users[uri]
        except KeyError:
            user = normalize_user(uri)
            value = self._hash(b"user\0" + user) if user else None
            if len(uri) <= _MAX_CACHED:
                self._users.put(uri, value)
            return value

    def call(self, call_id: bytes) -> int:
        """Hash of a Call-ID or Session-Id."""
        value = self._texts.get(call_id)
        if value is None:
            value = self._hash(b"call\0" + call_id)
            if len(call_id) <= _MAX_CACHED:
                self._texts.put(call_id, value)
        return value

    def _hash(self, text: bytes) -> int:
        keyed = self._keyed.copy()
        keyed.update(text)
        return int.from_bytes(keyed.digest(), "big")


def uri_of(address: bytes) -> bytes:
    """The URI of a name-addr or addr-spec (RFC 3261, 20.10), without header parameters."""
    start = address.rfind(b"<")
    if start < 0:
        return address.partition(b";")[0].strip()
    stop = address.find(b">", start)
    return address[start + 1 : stop if stop >= 0 else len(address)].strip()


def normalize_user(uri: bytes) -> bytes:
    """One spelling for each subscriber. Empty if the URI names none.

    A global number becomes `+number`, in a tel URI (RFC 3966) and in a SIP URI (RFC 3261, 19.1.6). A local number keeps
    its phone-context, in a tel URI and in a SIP URI with `user=phone` and a context: `number;phone-context=context`.
    Other SIP users become `user@host`, with the host in lower case and without port, password and parameters.
    """
    scheme, _, rest = uri.partition(b":")
    scheme = scheme.strip().lower()
    rest = rest.partition(b"?")[0]
    if scheme in (b"sip", b"sips"):
        userinfo, at, hostport = rest.rpartition(b"@")
        user = unquote_to_bytes(userinfo.partition(b":")[0]) if at else b""
        number = user.partition(b";")[0]
        if _GLOBAL_NUMBER.match(number):
            return number.translate(None, _SEPARATORS)
        if _USER_PHONE.search(hostport) and _CONTEXT.search(user):
            return _telephone_number(user)
        host = hostport.partition(b";")[0].strip().lower()
        host = host[: host.find(b"]") + 1] if host.startswith(b"[") else host.partition(b":")[0]
        return user + b"@" + host if user or host else b""
    if scheme == b"tel":
        return _telephone_number(unquote_to_bytes(rest))
    number = rest.partition(b";")[0].strip()
    return scheme + b":" + number if number else b""


def _telephone_number(subscriber: bytes) -> bytes:
    """One spelling of a number with its parameters (RFC 3966, 4 and 5.1): separators and letter case do not matter.

    A local number is only unique within its context, which is a domain or the beginning of a global number.
    """
    number = subscriber.partition(b";")[0].strip().translate(None, _SEPARATORS).lower()
    match = _CONTEXT.search(subscriber)
    if not number or number.startswith(b"+") or match is None:
        return number
    context = match[1].strip().lower()
    if context.startswith(b"+"):
        context = context.translate(None, _SEPARATORS)
    return number + b";phone-context=" + context
