"""SIP messages (RFC 3261) as a user agent needs them: parse leniently, build strictly."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Final

COMPACT: Final = {
    "v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "c": "content-type",
    "e": "content-encoding", "k": "supported", "s": "subject", "o": "event", "r": "refer-to", "u": "allow-events",
}  # fmt: skip
"""Compact header names (RFC 3261, 7.3.3, and the extensions that a user agent meets)."""

_PARAMETER = re.compile(r'([a-zA-Z-]+)\s*=\s*(?:"([^"]*)"|([^",\s]+))')


class SipError(ValueError):
    """Bytes that are no SIP message."""


@dataclass(slots=True)
class SipText:
    """A request (`method`, `uri`) or a response (`status`, `reason`); headers in order, names in lower case."""

    method: str = ""
    uri: str = ""
    status: int = 0
    reason: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def get(self, name: str, default: str = "") -> str:
        """The first header of that name."""
        return next((value for header, value in self.headers if header == name), default)

    def all(self, name: str) -> list[str]:
        """Every value of a header that may come as a comma list (Via, Route, Record-Route, …)."""
        values = []
        for header, value in self.headers:
            if header == name:
                values.extend(split_list(value))
        return values

    @property
    def branch(self) -> str:
        """Branch of the topmost Via; empty where it has none."""
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
        """As on the wire; Content-Length is written here."""
        first = f"{self.method} {self.uri} SIP/2.0" if self.method else f"SIP/2.0 {self.status} {self.reason}"
        lines = [first, *(f"{_NAMES.get(name, name.title())}: {value}" for name, value in self.headers)]
        return "\r\n".join([*lines, f"Content-Length: {len(self.body)}", "", ""]).encode() + self.body


_NAMES: Final = {
    "call-id": "Call-ID", "cseq": "CSeq", "www-authenticate": "WWW-Authenticate", "mime-version": "MIME-Version",
}  # fmt: skip


def parse(data: bytes) -> SipText:
    """One datagram. Raises SipError."""
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("utf-8", "replace").split("\r\n")
    words = lines[0].split(" ", 2)
    if len(words) < 3:
        raise SipError(f"start line {lines[0][:60]!r} is none of SIP")
    message = SipText(body=body)
    if words[0] == "SIP/2.0":
        if not (words[1].isdecimal() and len(words[1]) == 3):
            raise SipError(f"status {words[1][:20]!r} is no number of three digits")
        message.status, message.reason = int(words[1]), words[2]
    elif words[2] == "SIP/2.0" and words[0].isalpha():
        message.method, message.uri = words[0].upper(), words[1]
    else:
        raise SipError(f"start line {lines[0][:60]!r} is none of SIP")
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


COPIED: Final = ("via", "from", "to", "call-id", "cseq")


def reply(request: SipText, status: int, reason: str, tag: str = "") -> SipText:
    """A response to `request` (RFC 3261, 8.2.6); `tag` is put on To where that has none."""
    headers = [(name, value) for name, value in request.headers if name in COPIED]
    if tag:
        headers = [
            (name, f"{value};tag={tag}" if name == "to" and not parameter(value, "tag") else value)
            for name, value in headers
        ]
    return SipText(status=status, reason=reason, headers=headers)


def split_list(value: str) -> list[str]:
    """The elements of a comma list; commas in quotes and in angle brackets separate nothing."""
    if "," not in value:
        return [value.strip()]
    parts, depth, quoted, start = [], 0, False, 0
    for at, character in enumerate(value):
        if character == '"':
            quoted = not quoted
        elif not quoted and character in "<>":
            depth += 1 if character == "<" else -1
        elif character == "," and not quoted and depth <= 0:
            parts.append(value[start:at].strip())
            start = at + 1
    parts.append(value[start:].strip())
    return [part for part in parts if part]


def parameter(value: str, name: str) -> str:
    """Parameter `name` of a header value such as a Via, From or Contact; empty where it has none."""
    tail = value.rpartition(">")[2] if ">" in value else value.partition(";")[2]
    for part in tail.split(";"):
        key, _, found = part.partition("=")
        if key.strip().lower() == name:
            return found.strip().strip('"')
    return ""


def address(value: str) -> str:
    """The URI of a name-addr or addr-spec (From, To, Contact, Route)."""
    inside = value.partition("<")[2].partition(">")[0]
    return inside or value.partition(";")[0].strip()


def challenge(value: str) -> dict[str, str]:
    """The parameters of a WWW-Authenticate or Authorization header (RFC 2617)."""
    return {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(value)}


def md5(text: str) -> str:
    """MD5 in hexadecimal, as digest authentication wants it."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def credentials(
    asked: dict[str, str], *, username: str, ha1: str, method: str, uri: str, cnonce: str, count: int = 1
) -> str:
    """An Authorization header that answers a challenge (RFC 2617, 3.2.2; RFC 3261, 22.4)."""
    realm, nonce = asked.get("realm", ""), asked.get("nonce", "")
    ha2 = md5(f"{method}:{uri}")
    parts = [f'username="{username}"', f'realm="{realm}"', f'nonce="{nonce}"', f'uri="{uri}"', "algorithm=MD5"]
    if "auth" in asked.get("qop", "").split(","):
        number = f"{count:08x}"
        response = md5(f"{ha1}:{nonce}:{number}:{cnonce}:auth:{ha2}")
        parts += ["qop=auth", f"nc={number}", f'cnonce="{cnonce}"']
    else:
        response = md5(f"{ha1}:{nonce}:{ha2}")
    if "opaque" in asked:
        parts.append(f'opaque="{asked["opaque"]}"')
    return "Digest " + ", ".join([*parts, f'response="{response}"'])
