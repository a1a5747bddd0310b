"""A Diameter message (RFC 6733): told apart from other bytes by its header, its AVPs read when somebody asks for them.

Nothing here raises on what the network sends; `DiameterMessage.defect` names the first rule that a message breaks.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from typing import Final

VERSION: Final = 1
HEADER: Final = 20
SHORTEST: Final = HEADER + 8
"""Every message holds an AVP, if only Origin-Host."""
MAX_MESSAGE: Final = 1 << 17
"""Longest message that is believed: a profile of many services takes tens of kilobytes."""

VENDOR_3GPP: Final = 10415
_USER_NAME: Final = (0, 1)
_SESSION_ID: Final = (0, 263)
_RESULT_CODE: Final = (0, 268)
_EXPERIMENTAL_RESULT: Final = (0, 297)
_EXPERIMENTAL_RESULT_CODE: Final = (0, 298)
_SUBSCRIPTION_ID: Final = (0, 443)
_SUBSCRIPTION_ID_DATA: Final = (0, 444)
_SUBSCRIPTION_ID_TYPE: Final = (0, 450)
_PUBLIC_IDENTITY: Final = (VENDOR_3GPP, 601)
"""Vendor and code of the AVPs that are read: RFC 6733, RFC 8506 (443, 444, 450), TS 29.229 (601)."""

_NAMES: Final[Mapping[int, tuple[int, bytes]]] = {2: (1, b""), 0: (2, b"tel:+"), 3: (3, b"sip:"), 1: (4, b"imsi:")}
"""Subscription-Id-Type (SIP URI, E.164, NAI, IMSI; RFC 8506, 8.47) → how far its data is from the name that SIP uses, and
what makes a URI of it. An NAI is a private identity; the public one that goes with it begins with `sip:` (TS 23.003,
13.4B). A Public-Identity is nearest of all; User-Name is an NAI."""
_NAI: Final = 3
_NAMELESS: Final = 9
_MAX_STATUS: Final = 2**16 - 1

BAD_HEADER: Final = "Diameter header"
BAD_AVP: Final = "Diameter AVP length"
BAD_SESSION: Final = "Diameter Session-Id"
BAD_RESULT: Final = "Diameter Result-Code"

CANDIDATE: Final = re.compile(
    # Version, length up to MAX_MESSAGE, flags without the reserved ones, code of the IETF's or of 3GPP, …
    rb"\x01[\x00-\x02]..[\x00\x10\x20\x30\x40\x50\x60\x70\x80\x90\xc0\xd0](?:\x00\x01|\x80\x00)."
    # … application of the IETF's or of a vendor, both identifiers, and the first AVP's code, flags and length.
    rb"(?:\x00\x00\x00|\x01\x00.).{9}\x00\x00..[\x00\x20\x40\x60\x80\xa0\xc0\xe0]\x00..",
    re.DOTALL,
)
"""What may be a header (RFC 6733, 3 and 4.1); `length_at` says whether it is. The T flag has no business in an answer,
but servers copy it there."""
_HEADER = struct.Struct("!IIIII").unpack_from
_AVP = struct.Struct("!II").unpack_from


def length_at(data: bytes, at: int, end: int) -> int:
    """Length of the message that begins at `at`, of which SHORTEST bytes or more are there; 0 if none begins there.

    No port says that a stream is Diameter, so its header has to: some 50 of its bits are the same in all messages.
    """
    if end - at < SHORTEST or not CANDIDATE.match(data, at, end):
        return 0
    length = int.from_bytes(data[at + 1 : at + 4], "big")
    first = int.from_bytes(data[at + HEADER + 5 : at + HEADER + 8], "big")
    sane = SHORTEST <= length <= MAX_MESSAGE and length % 4 == 0 and 8 <= first <= length - HEADER
    return length if sane else 0


def find(data: bytes, at: int, end: int) -> int | None:
    """Where the first message begins whose header lies between `at` and `end`; None if none does."""
    while (found := CANDIDATE.search(data, at, end)) is not None:
        if length_at(data, found.start(), end):
            return found.start()
        at = found.start() + 1
    return None


class DiameterMessage:
    """One message: `text` from version to the last AVP. `read` fills in what its AVPs say.

    `subscriber` is a URI for `Hasher.user`, the one that SIP most likely uses for the same subscriber.
    """

    __slots__ = (
        "application",
        "command",
        "defect",
        "end_to_end",
        "hop_by_hop",
        "repeated",
        "request",
        "session",
        "size",
        "status",
        "subscriber",
        "text",
    )
    status: int
    """Result-Code or Experimental-Result-Code; 0: a request, or none was found."""
    session: bytes
    """Session-Id; empty: none."""
    subscriber: bytes
    """Empty: the message names none."""

    def __init__(self, text: bytes) -> None:
        """`text`: whole, with a header that `length_at` has accepted."""
        _, word, self.application, self.hop_by_hop, self.end_to_end = _HEADER(text)
        self.text = text
        self.size = len(text)
        self.command = word & 0xFFFFFF
        self.request = bool(word >> 31)
        self.repeated = bool(word >> 28 & 1)
        """The T flag: sent again after a connection failed."""
        self.defect: str | None = None
        self.status = 0
        self.session = self.subscriber = b""

    def read(self) -> bool:
        """Read the AVPs; False, with `defect` set, for an answer whose result cannot be read.

        A request that breaks a rule is a request still: it will be answered, if only with an error.
        """
        rank = _NAMELESS
        for avp, data in self._avps(self.text, HEADER):
            if avp == _SESSION_ID:
                self.session = self.session or data
            elif avp == _RESULT_CODE:
                self._judge(data)
            elif avp == _EXPERIMENTAL_RESULT:
                for inner, code in self._avps(data, 0):
                    if inner == _EXPERIMENTAL_RESULT_CODE:
                        self._judge(code)
            elif self.request:
                rank = self._identify(rank, avp, data)
        if self.request:
            if not self.session:
                self._break(BAD_SESSION)
            return True
        if not self.status:
            self._break(BAD_RESULT)
        return self.status > 0

    def _judge(self, data: bytes) -> None:
        code = int.from_bytes(data, "big")
        if len(data) != 4 or not 1000 <= code <= _MAX_STATUS:
            self._break(BAD_RESULT)
        elif not self.status:
            self.status = code

    def _identify(self, before: int, avp: tuple[int, int], data: bytes) -> int:
        """Take the name that an AVP gives, if it does; the rank of the one that counts so far."""
        if avp == _PUBLIC_IDENTITY:
            return self._name(before, 0, b"", data)
        if avp == _USER_NAME:
            return self._name(before, *_NAMES[_NAI], data)
        return self._subscription(before, data) if avp == _SUBSCRIPTION_ID else before

    def _subscription(self, before: int, data: bytes) -> int:
        kind, name = -1, b""
        for avp, value in self._avps(data, 0):
            if avp == _SUBSCRIPTION_ID_TYPE:
                kind = int.from_bytes(value, "big")
            elif avp == _SUBSCRIPTION_ID_DATA:
                name = value
        if kind not in _NAMES:
            return before
        return self._name(before, *_NAMES[kind], name.lstrip(b"+") if kind == 0 else name)

    def _name(self, before: int, rank: int, scheme: bytes, name: bytes) -> int:
        if rank >= before or not name:
            return before
        self.subscriber = scheme + name if scheme or b":" in name else b"sip:" + name
        return rank

    def _avps(self, data: bytes, at: int) -> Iterator[tuple[tuple[int, int], bytes]]:
        """Vendor and code, and data without padding, of each AVP; ends, with `defect` set, where one breaks the rules."""
        end = len(data)
        while at < end:
            if end - at < 8:
                self._break(BAD_AVP)
                return
            code, word = _AVP(data, at)
            length = word & 0xFFFFFF
            head = 12 if word >> 31 else 8
            if not head <= length <= end - at:
                self._break(BAD_AVP)
                return
            vendor = int.from_bytes(data[at + 8 : at + 12], "big") if head == 12 else 0
            yield (vendor, code), data[at + head : at + length]
            at += length + -length % 4

    def _break(self, defect: str) -> None:
        self.defect = self.defect or defect


def no_header(text: bytes) -> DiameterMessage:
    """Stands for a message that should begin with `text` (SHORTEST bytes), but does not: `defect` says so."""
    message = DiameterMessage(text)
    message.defect = BAD_HEADER
    return message
