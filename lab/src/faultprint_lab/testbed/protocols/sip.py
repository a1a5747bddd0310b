"""SIP messages (RFC 3261) for user agents: lenient parser, strict builder."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Final

COMPACT: Final = {
    "v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "c": "content-type",
    "e": "content-encoding", "k": "supported", "s": "subject", "o": "event", "r": "refer-to", "u": "allow-events",
}  # fmt: skip
"""Compact header names (RFC 3261, 7.3.3, and extensions)."""

_PARAMETER = re.compile(r'([a-zA-Z-]+)\s*=\s*(?:"([^"]*)"|([^",\s]+))')


class SipError(ValueError):
    """The bytes are no SIP message."""


@dataclass(slots=True)
class SipPdu:
    """A request (`method`, `uri`) or a response (`status`, `reason`); headers in order, with names in lower case."""

    method: str = ""
    uri: str = ""
    status: int = 0
    reason: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def get(self, name: str, default: str = "") -> str:
        """The first header with this name."""
        return next((value for header, value in self.headers if header == name), default)

    def all(self, name: str) -> list[str]:
        """All values of a header that may be a comma-separated list (Via, Route, Record-Route, …)."""
        values = []
        for header, value in self.headers:
            if header == name:
                values.extend(split_list(value))
        return values

    @property
    def branch(self) -> str:
        """Branch of the topmost Via; empty if it has none."""
        top = self.all("via")
        return parameter(top[0], "branch") if top else ""

    @property
    def cseq(self) -> tuple[int, str]:
        """Number and method of CSeq. Raises SipError."""
        number, _, method = self.get("cseq").partition(" ")
        if not number.isdecimal():
            raise SipError(f"CSeq {self.get('cseq')!r} has no number")
        return int(number), method.strip().upper()

    def encode(self) -> bytes:
        """The message as bytes, with Content-Length."""
        first = f"{self.method} {self.uri} SIP/2.0" if self.method else f"SIP/2.0 {self.status} {self.reason}"
        lines = [first, *(f"{_NAMES.get(name, name.title())}: {value}" for name, value in self.headers)]
        return "\r\n".join([*lines, f"Content-Length: {len(self.body)}", "", ""]).encode() + self.body


_NAMES: Final = {
    "call-id": "Call-ID", "cseq": "CSeq", "www-authenticate": "WWW-Authenticate", "mime-version": "MIME-Version",
}  # fmt: skip


def parse(data: bytes) -> SipPdu:
    """Parse one datagram. Raises SipError."""
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("utf-8", "replace").split("\r\n")
    parts = lines[0].split(" ", 2)
    if len(parts) < 3:
        raise SipError(f"{lines[0][:60]!r} is no start line of SIP")
    message = SipPdu(body=body)
    if parts[0] == "SIP/2.0":
        if not (parts[1].isdecimal() and len(parts[1]) == 3):
            raise SipError(f"status {parts[1][:20]!r} is not a number with three digits")
        message.status, message.reason = int(parts[1]), parts[2]
    elif parts[2] == "SIP/2.0" and parts[0].isalpha():
        message.method, message.uri = parts[0].upper(), parts[1]
    else:
        raise SipError(f"{lines[0][:60]!r} is no start line of SIP")
    for line in lines[1:]:
        if line[:1] in (" ", "\t") and message.headers:
            name, value = message.headers[-1]
            message.headers[-1] = (name, f"{value} {line.strip()}")
            continue
        name, colon, value = line.partition(":")
        if colon:
            key = name.strip().lower()
            if key != "content-length" and key != "l":
                message.headers.append((COMPACT.get(key, key), value.strip()))
    return message


_COPIED_HEADERS: Final = ("via", "from", "to", "call-id", "cseq")


def make_response(request: SipPdu, status: int, reason: str, tag: str = "") -> SipPdu:
    """A response to `request` (RFC 3261, 8.2.6); `tag` is added to To if that has none."""
    headers = [(name, value) for name, value in request.headers if name in _COPIED_HEADERS]
    if tag:
        headers = [
            (name, f"{value};tag={tag}" if name == "to" and not parameter(value, "tag") else value)
            for name, value in headers
        ]
    return SipPdu(status=status, reason=reason, headers=headers)


def split_list(value: str) -> list[str]:
    """The elements of a comma-separated list; commas in quotes or angle brackets do not count."""
    if "," not in value:
        return [value.strip()]
    parts, depth, quoted, start = [], 0, False, 0
    for index, character in enumerate(value):
        if character == '"':
            quoted = not quoted
        elif not quoted and character in "<>":
            depth += 1 if character == "<" else -1
        elif character == "," and not quoted and depth <= 0:
            parts.append(value[start:index].strip())
            start = index + 1
    parts.append(value[start:].strip())
    return [part for part in parts if part]


def parameter(value: str, name: str) -> str:
    """Parameter `name` of a header value such as Via, From or Contact; empty if it has none."""
    tail = value.rpartition(">")[2] if ">" in value else value.partition(";")[2]
    for part in tail.split(";"):
        key, _, content = part.partition("=")
        if key.strip().lower() == name:
            return content.strip().strip('"')
    return ""


def uri_of(value: str) -> str:
    """The URI of a name-addr or addr-spec (From, To, Contact, Route)."""
    inside = value.partition("<")[2].partition(">")[0]
    return inside or value.partition(";")[0].strip()


def parse_challenge(value: str) -> dict[str, str]:
    """The parameters of a WWW-Authenticate or Authorization header (RFC 2617)."""
    return {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(value)}


def md5_hex(text: str) -> str:
    """MD5 in hexadecimal, for digest authentication."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def digest_authorization(
    challenge: dict[str, str], *, username: str, ha1: str, method: str, uri: str, cnonce: str, count: int = 1
) -> str:
    """The Authorization header value that answers a challenge (RFC 2617, 3.2.2; RFC 3261, 22.4)."""
    realm, nonce = challenge.get("realm", ""), challenge.get("nonce", "")
    ha2 = md5_hex(f"{method}:{uri}")
    parts = [f'username="{username}"', f'realm="{realm}"', f'nonce="{nonce}"', f'uri="{uri}"', "algorithm=MD5"]
    if "auth" in challenge.get("qop", "").split(","):
        number = f"{count:08x}"
        response = md5_hex(f"{ha1}:{nonce}:{number}:{cnonce}:auth:{ha2}")
        parts += ["qop=auth", f"nc={number}", f'cnonce="{cnonce}"']
    else:
        response = md5_hex(f"{ha1}:{nonce}:{ha2}")
    if "opaque" in challenge:
        parts.append(f'opaque="{challenge["opaque"]}"')
    return "Digest " + ", ".join([*parts, f'response="{response}"'])
