"""A Diameter message (RFC 6733): recognised by its header, its AVPs read on demand.

Nothing here raises on what the network sends. `DiameterMessage.defect` names the first rule that a message breaks.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from typing import Final

from faultprint.probe.messages.dictionary import VENDOR_3GPP, AvpCode, SubscriptionIdType

VERSION: Final = 1
HEADER: Final = 20
MIN_MESSAGE: Final = HEADER + 8
"""Every message holds at least one AVP, for example Origin-Host."""
MAX_MESSAGE: Final = 1 << 17
"""Longest message that is accepted, bytes. A user profile with many services takes tens of kilobytes."""

# Vendor and code of the AVPs that are read, as plain integers: comparing members of an IntEnum is slow.
_USER_NAME: Final = (0, int(AvpCode.USER_NAME))
_SESSION_ID: Final = (0, int(AvpCode.SESSION_ID))
_RESULT_CODE: Final = (0, int(AvpCode.RESULT_CODE))
_EXPERIMENTAL_RESULT: Final = (0, int(AvpCode.EXPERIMENTAL_RESULT))
_EXPERIMENTAL_RESULT_CODE: Final = (0, int(AvpCode.EXPERIMENTAL_RESULT_CODE))
_SUBSCRIPTION_ID: Final = (0, int(AvpCode.SUBSCRIPTION_ID))
_SUBSCRIPTION_ID_DATA: Final = (0, int(AvpCode.SUBSCRIPTION_ID_DATA))
_SUBSCRIPTION_ID_TYPE: Final = (0, int(AvpCode.SUBSCRIPTION_ID_TYPE))
_PUBLIC_IDENTITY: Final = (VENDOR_3GPP, int(AvpCode.PUBLIC_IDENTITY))

_E164: Final = int(SubscriptionIdType.E164)
_NAI: Final = int(SubscriptionIdType.NAI)
_SCHEMES: Final[Mapping[int, tuple[int, bytes]]] = {
    int(SubscriptionIdType.SIP_URI): (1, b""),
    _E164: (2, b"tel:+"),
    _NAI: (3, b"sip:"),
    int(SubscriptionIdType.IMSI): (4, b"imsi:"),
}
"""Subscription-Id-Type → rank and URI scheme of its data.

The name with the lowest rank is used: it is the most likely name of the same subscriber in SIP. Public-Identity has
rank 0. User-Name is an NAI. An NAI is a private identity; the matching public one begins with `sip:` (TS 23.003, 13.4B).
"""
_PUBLIC_RANK: Final = 0
_NO_NAME_RANK: Final = 9
_MIN_STATUS: Final = 1000
_MAX_STATUS: Final = 2**16 - 1

BAD_HEADER: Final = "Diameter header"
BAD_AVP: Final = "Diameter AVP length"
BAD_SESSION: Final = "Diameter Session-Id"
BAD_RESULT: Final = "Diameter Result-Code"

HEADER_PATTERN: Final = re.compile(
    # Version, length up to MAX_MESSAGE, flags without the reserved ones, command code of the IETF or of 3GPP, …
    rb"\x01[\x00-\x02]..[\x00\x10\x20\x30\x40\x50\x60\x70\x80\x90\xc0\xd0](?:\x00\x01|\x80\x00)."
    # … application of the IETF or of a vendor, both identifiers, then code, flags and length of the first AVP.
    rb"(?:\x00\x00\x00|\x01\x00.).{9}\x00\x00..[\x00\x20\x40\x60\x80\xa0\xc0\xe0]\x00..",
    re.DOTALL,
)
"""What may be a header (RFC 6733, 3 and 4.1); `length_at` decides. The T flag is not allowed in an answer, but servers
copy it there."""
_RESERVED_FLAGS: Final = 0x1F << 24
_MAX_CANDIDATES: Final = 256
_MAX_AVPS: Final = 2048
"""Headers and AVPs that a search looks at, so that hostile bytes take a bounded time."""
_HEADER = struct.Struct("!IIIII").unpack_from
_AVP = struct.Struct("!II").unpack_from


def length_at(data: bytes, at: int, end: int) -> int:
    """Length of the message that begins at `at`, or 0 if none begins there. Needs MIN_MESSAGE bytes.

    No port shows that a stream is Diameter, so its header must: about 50 of its bits are the same in all messages.
    """
    if end - at < MIN_MESSAGE or not HEADER_PATTERN.match(data, at, end):
        return 0
    length = int.from_bytes(data[at + 1 : at + 4], "big")
    first_avp = int.from_bytes(data[at + HEADER + 5 : at + HEADER + 8], "big")
    valid = MIN_MESSAGE <= length <= MAX_MESSAGE and length % 4 == 0 and 8 <= first_avp <= length - HEADER
    return length if valid else 0


def find(data: bytes, at: int, end: int) -> int | None:
    """The offset of the first message whose header lies between `at` and `end`, or None.

    Its AVPs must fill its length, as far as `data` holds them. A header alone may stand by chance in other data.
    """
    for _ in range(_MAX_CANDIDATES):
        match = HEADER_PATTERN.search(data, at, end)
        if match is None:
            return None
        at = match.start()
        length = length_at(data, at, end)
        if length and avps_fill(data, at, length):
            return at
        at += 1
    return None


def avps_fill(data: bytes, at: int, length: int) -> bool:
    """Whether the AVPs of the message at `at` fill its length. Those that `data` does not hold yet are believed."""
    stop = at + length
    at += HEADER
    for _ in range(_MAX_AVPS):
        if at >= stop:
            break
        if at + 8 > len(data):
            return True
        word = int.from_bytes(data[at + 4 : at + 8], "big")
        size = word & 0xFFFFFF
        if word & _RESERVED_FLAGS or size < (12 if word >> 31 else 8):
            return False
        at += size + -size % 4
    return at == stop


class DiameterMessage:
    """One message. `text` goes from the version to the last AVP. `read_avps` sets what the AVPs say.

    `subscriber` is a URI for `Hasher.user`: the most likely name of the same subscriber in SIP.
    """

    __slots__ = (
        "application",
        "command",
        "defect",
        "end_to_end",
        "hop_by_hop",
        "origin",
        "request",
        "retransmit_flag",
        "session",
        "size",
        "status",
        "subscriber",
        "text",
    )
    status: int
    """Result-Code or Experimental-Result-Code. 0: a request, or an answer without one."""
    session: bytes
    """Session-Id, or empty."""
    subscriber: bytes
    """Empty if the message names none."""

    def __init__(self, text: bytes) -> None:
        """`text`: a whole message, with a header that `length_at` has accepted."""
        _, word, self.application, self.hop_by_hop, self.end_to_end = _HEADER(text)
        self.text = text
        self.origin = 0
        """Which packet it was, and where it was captured (see `transactions.duplicates`)."""
        self.size = len(text)
        self.command = word & 0xFFFFFF
        self.request = bool(word >> 31)
        self.retransmit_flag = bool(word >> 28 & 1)
        """The T flag: sent again after a connection failure."""
        self.defect: str | None = None
        self.status = 0
        self.session = self.subscriber = b""

    def read_avps(self) -> bool:
        """Read the AVPs. False, with `defect` set, for an answer without a readable result.

        A request that breaks a rule still counts as a request: it gets an answer, perhaps an error.
        """
        rank = _NO_NAME_RANK
        for avp, data in self._avps(self.text, HEADER):
            if avp == _SESSION_ID:
                self.session = self.session or data
            elif avp == _RESULT_CODE:
                self._read_result(data)
            elif avp == _EXPERIMENTAL_RESULT:
                for inner, code in self._avps(data, 0):
                    if inner == _EXPERIMENTAL_RESULT_CODE:
                        self._read_result(code)
            elif self.request:
                rank = self._read_name(rank, avp, data)
        if self.request:
            if not self.session:
                self._set_defect(BAD_SESSION)
            return True
        if not self.status:
            self._set_defect(BAD_RESULT)
        return self.status > 0

    def _read_result(self, data: bytes) -> None:
        code = int.from_bytes(data, "big")
        if len(data) != 4 or not _MIN_STATUS <= code <= _MAX_STATUS:
            self._set_defect(BAD_RESULT)
        elif not self.status:
            self.status = code

    def _read_name(self, best_rank: int, avp: tuple[int, int], data: bytes) -> int:
        """Use the subscriber's name in an AVP if it ranks better than `best_rank`; return the best rank so far."""
        if avp == _PUBLIC_IDENTITY:
            return self._use_name(best_rank, _PUBLIC_RANK, b"", data)
        if avp == _USER_NAME:
            return self._use_name(best_rank, *_SCHEMES[_NAI], data)
        return self._read_subscription_id(best_rank, data) if avp == _SUBSCRIPTION_ID else best_rank

    def _read_subscription_id(self, best_rank: int, data: bytes) -> int:
        kind, name = -1, b""
        for avp, value in self._avps(data, 0):
            if avp == _SUBSCRIPTION_ID_TYPE:
                kind = int.from_bytes(value, "big")
            elif avp == _SUBSCRIPTION_ID_DATA:
                name = value
        if kind not in _SCHEMES:
            return best_rank
        return self._use_name(best_rank, *_SCHEMES[kind], name.lstrip(b"+") if kind == _E164 else name)

    def _use_name(self, best_rank: int, rank: int, scheme: bytes, name: bytes) -> int:
        if rank >= best_rank or not name:
            return best_rank
        self.subscriber = scheme + name if scheme or b":" in name else b"sip:" + name
        return rank

    def _avps(self, data: bytes, at: int) -> Iterator[tuple[tuple[int, int], bytes]]:
        """(Vendor, code) and data without padding of each AVP. Stops, with `defect` set, at one that breaks the rules."""
        end = len(data)
        while at < end:
            if end - at < 8:
                self._set_defect(BAD_AVP)
                return
            code, word = _AVP(data, at)
            length = word & 0xFFFFFF
            head = 12 if word >> 31 else 8
            if not head <= length <= end - at:
                self._set_defect(BAD_AVP)
                return
            vendor = int.from_bytes(data[at + 8 : at + 12], "big") if head == 12 else 0
            yield (vendor, code), data[at + head : at + length]
            at += length + -length % 4

    def _set_defect(self, defect: str) -> None:
        self.defect = self.defect or defect


def invalid_header(text: bytes) -> DiameterMessage:
    """A placeholder for a message that should begin with `text` (MIN_MESSAGE bytes) but does not. Sets `defect`."""
    message = DiameterMessage(text)
    message.defect = BAD_HEADER
    return message
