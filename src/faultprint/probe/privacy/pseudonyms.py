"""Subscribers and calls as keyed hashes: what they are called never leaves the probe."""

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
_LONGEST_CACHED: Final = 256
"""Bytes; what is longer is hashed anew each time, so that long names cannot fill the memory."""
_GLOBAL_NUMBER: Final = re.compile(rb"\+[0-9().\-]{3,40}\Z")
_SEPARATORS: Final = b"-.()"


class Hasher:
    """BLAKE2b-64 (RFC 7693) under a key: 64 unsigned bits that only the holder of the key can compute again."""

    def __init__(self, key: bytes) -> None:
        if not MIN_KEY <= len(key) <= MAX_KEY:
            raise UsageError(
                f"The key has {len(key)} bytes, but a keyed hash needs {MIN_KEY} to {MAX_KEY}; give such a key."
            )
        self._keyed = hashlib.blake2b(digest_size=8, key=key)
        self._users: BoundedTable[bytes, int | None] = BoundedTable(_CACHE)
        self._texts: BoundedTable[bytes, int] = BoundedTable(_CACHE)

    def user(self, address: bytes) -> int | None:
        """Hash of the subscriber in a From or To value; None if it names nobody."""
        uri = uri_of(address)
        try:
            return self._users[uri]
        except KeyError:
            user = normal_user(uri)
            value = self._hash(b"user\0" + user) if user else None
            if len(uri) <= _LONGEST_CACHED:
                self._users.put(uri, value)
            return value

    def call(self, call_id: bytes) -> int:
        """Hash of a Call-ID or Session-Id."""
        value = self._texts.get(call_id)
        if value is None:
            value = self._hash(b"call\0" + call_id)
            if len(call_id) <= _LONGEST_CACHED:
                self._texts.put(call_id, value)
        return value

    def _hash(self, text: bytes) -> int:
        keyed = self._keyed.copy()
        keyed.update(text)
        return int.from_bytes(keyed.digest(), "big")


def uri_of(address: bytes) -> bytes:
    """The URI of a name-addr or addr-spec (RFC 3261, 20.10), header parameters left out."""
    start = address.rfind(b"<")
    if start < 0:
        return address.partition(b";")[0].strip()
    stop = address.find(b">", start)
    return address[start + 1 : stop if stop >= 0 else len(address)].strip()


def normal_user(uri: bytes) -> bytes:
    """One spelling for one subscriber: `+number` for a global number, in a tel or a SIP URI alike (RFC 3966, 19.1.6 of
    RFC 3261), else `user@host` with the host in lower case and no port, password or parameters. Empty if there is none.
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
        host = hostport.partition(b";")[0].strip().lower()
        host = host[: host.find(b"]") + 1] if host.startswith(b"[") else host.partition(b":")[0]
        return user + b"@" + host if user or host else b""
    number = rest.partition(b";")[0].strip()
    if scheme == b"tel":
        return number.translate(None, _SEPARATORS)
    return scheme + b":" + number if number else b""
