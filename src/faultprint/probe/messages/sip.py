"""A SIP message (RFC 3261), read lazily: a header is searched for only when it is needed.

Nothing here raises on what the network sends. `SipMessage.defect` names the first rule that a message breaks.
"""

from __future__ import annotations

import re
from typing import Final

from faultprint.probe.bounded import BoundedTable
from faultprint.probe.messages.sip_header import (
    CALL_ID,
    CONTENT_LENGTH,
    CSEQ,
    FROM,
    TO,
    VIA,
    SipHeader,
    clean,
)

# Possessive quantifiers (++) never backtrack, so that the work grows only linearly with a hostile message.
START_LINE: Final = re.compile(
    rb"(?:[sS][iI][pP]/2\.0 ([1-6]\d\d)(?=[ \r\n])[^\n]*+\n?"
    rb"|([A-Za-z0-9.!%*_+`'~-]{1,64}) [A-Za-z][A-Za-z0-9+.-]*+:[^ \r\n]*+ [sS][iI][pP]/2\.0\r?\n)"
    rb"(?:Via: SIP/2\.0/[A-Z-]++ ([^;, \t\r\n]++)[^,\"\r\n]*?;branch=(z9hG4bK[^;, \t\r\n]++))?"
)
"""A status line (group 1: status code) or a request line (group 2: method). The version has any case (RFC 3261, 7.1).

Groups 3 and 4: sent-by and branch of the Via, which often follows at once.
"""

_BAD_START_LINE: Final = re.compile(
    rb"SIP/\d+\.\d+[ \t\r\n]|[!-~]{1,32}[ \t][^\r\n]{0,2048}?[ \t]SIP/\d{1,9}\.\d{1,9}[ \t]*+\r?\n", re.IGNORECASE
)
"""A start line of SIP with an error: extra blanks, another version, no URI (RFC 4475, 3.1.2)."""

_FIRST_VIA: Final = re.compile(
    rb"\n(?:[vV][iI][aA]|[vV])[ \t]*+:"
    rb"(?: SIP/2\.0/[A-Z-]++ ([^;, \t\r\n]++)[^,\"\r\n]*?;branch=(z9hG4bK[^;, \t\r\n]++))?"
)
"""The first Via. Groups 1 and 2: sent-by and branch in the usual spelling. The patterns below find other spellings."""
_VIA: Final = re.compile(
    rb"SIP[ \t]*+/[ \t]*+2\.0[ \t]*+/[ \t]*+[\w.!%*+`'~-]++[ \t]++([^;, \t\r\n]++(?:[ \t]*+:[ \t]*+\d++)?)"
    rb"((?:[ \t\r\n]*+;(?:[^;,\"]|\"(?:[^\"\\]|\\.){0,512}+\")*+)*+)",
    re.IGNORECASE,
)
_QUOTED: Final = re.compile(rb"\"(?:[^\"\\]|\\.){0,512}+\"")
_BRANCH: Final = re.compile(rb";[ \t\r\n]*+branch[ \t]*+=[ \t]*+([^;, \t\r\n]++)", re.IGNORECASE)
# Both cases are written out: with IGNORECASE, a search cannot look for the first character fast.
_TAG: Final = re.compile(rb";[ \t\r\n]*+[tT][aA][gG][ \t]*+=[ \t]*+([^;, \t\r\n]++)")
_ID_HEADERS: Final = re.compile(
    rb"\n(From|To|Call-ID|CSeq): ([^\n]++)\n(From|To|Call-ID|CSeq): ([^\n]++)\n"
    rb"(From|To|Call-ID|CSeq): ([^\n]++)\n(From|To|Call-ID|CSeq): ([^\n]++)\n(?![ \t])"
)
"""The four headers that identify a request, in any order: most clients write them one after the other."""
_HEAD_END: Final = re.compile(rb"\n\r?\n")
_EMPTY_BODY: Final = b"\nContent-Length: 0\r\n\r\n"
_MAGIC_COOKIE: Final = b"z9hg4bk"
"""In lower case, as `SipMessage.via` has the branch."""
_ID_HEADER_NAMES: Final = ((b"From", FROM), (b"To", TO), (b"Call-ID", CALL_ID), (b"CSeq", CSEQ))
_MAX_CACHED_CSEQ: Final = 64
_MAX_CSEQ: Final = 2**31 - 1

# The reasons why a message is malformed. With NO_END and BAD_LENGTH it can still belong to a transaction.
BAD_START: Final = "start line"
NO_END: Final = "header without end"
BAD_VIA: Final = "Via"
BAD_CSEQ: Final = "CSeq"
BAD_CALL_ID: Final = "Call-ID"
BAD_FROM: Final = "From"
BAD_TO: Final = "To"
BAD_LENGTH: Final = "Content-Length"

_CODES: Final = {str(code).encode(): code for code in range(100, 700)}
_CSEQ_CACHE: Final[BoundedTable[bytes, tuple[int, bytes]]] = BoundedTable(1024)
"""Recent CSeq values: there are few, and a lookup is faster than parsing."""


class SipMessage:
    """One message: `text` from start line to end of body; `head` is the offset where its last header line ends.

    `identify` sets the top Via (sent-by and branch, and more for RFC 2543) and CSeq. For a request it also sets Call-ID,
    `sender` (From) and `receiver` (To). Sent-by, branch and tag are in lower case: they match in any case (RFC 3261,
    7.3.1). The Call-ID (20.8) and methods (7.1) do not.
    """

    __slots__ = (
        "call_id",
        "cseq",
        "cseq_method",
        "defect",
        "head",
        "identified",
        "method",
        "origin",
        "receiver",
        "sender",
        "size",
        "status",
        "text",
        "via",
    )
    identified: bool | None
    """What `identify` has found; None before its first call."""
    method: bytes | None
    """None: a response. Empty: neither request nor response."""
    status: int
    """0: not a response."""
    via: tuple[bytes, ...]
    call_id: bytes
    cseq: int
    cseq_method: bytes
    sender: bytes
    receiver: bytes

    def __init__(self, text: bytes, start: re.Match[bytes] | None) -> None:
        """`start`: the match of START_LINE, at any offset. None for a start line that breaks the rules."""
        self.text = text
        self.identified = None
        self.origin = 0
        """Which packet it was, and where it was captured (see `transactions.duplicates`)."""
        if start is not None:
            status, self.method, sent_by, branch = start.groups()
            self.status = _CODES[status] if status else 0
            self.via = (sent_by.lower(), branch.lower()) if branch else ()
        else:
            self.method, self.status, self.via = b"", 0, ()
        self.defect: str | None = None
        self.size = len(text)
        if text.endswith(_EMPTY_BODY):
            # True for most messages. A body that ends like this counts as headers, which changes nothing that is read.
            self.head = self.size - 2
            return
        end = text.find(b"\n\r\n") + 1
        if end:
            self.head = end
            # Content-Length is mostly the last header, so the search begins at the end.
            at = text.rfind(b"\nContent-Length: ", 0, end)
            length = text[at + 17 : text.find(b"\r", at)] if at >= 0 else b""
            if length.isdigit() and len(length) < 10 and end + 2 + int(length) <= self.size:
                self.size = end + 2 + int(length)
            else:
                self._measure(end + 2)
        else:
            match = _HEAD_END.search(text)
            if match:
                self.head = match.start() + 1
                self._measure(match.end())
            else:
                self.head = len(text)
                self.defect = NO_END

    def _measure(self, body: int) -> None:
        """Compare Content-Length with the body. Extra bytes of a datagram are no part of the message (RFC 3261, 18.3)."""
        length = self.get(CONTENT_LENGTH)
        if length is None:
            return
        if length.isdigit() and len(length) < 10 and body + int(length) <= self.size:
            self.size = body + int(length)
        else:
            self.defect = BAD_LENGTH

    def get(self, header: SipHeader) -> bytes | None:
        """The value of the first such header, with its folded lines; None if there is none."""
        return header.value(self.text, self.head)

    def all(self, header: SipHeader) -> list[bytes]:
        """The values of all such headers, in order."""
        return [clean(value) for value in header.pattern.findall(self.text, 0, self.head)]

    @property
    def forwarded(self) -> bool:
        """Whether a proxy has forwarded it: it has two or more Via values."""
        return sum(_QUOTED.sub(b"", value).count(b",") + 1 for value in self.all(VIA)) > 1

    def identify(self) -> bool:
        """Read what identifies the transaction, once. False, with `defect` set, if the message belongs to none.

        Nearly all messages have these headers in one spelling, with Via first. The others take a slower path.
        """
        if self.identified is None:
            self.identified = self.method != b"" and self._identify()
        return self.identified

    def _identify(self) -> bool:
        text = self.text
        if not self.via and not self._read_via():
            return False
        if self.method is not None:
            return self._read_request()
        at = text.find(b"\nCSeq: ", 0, self.head)
        known = _CSEQ_CACHE.get(text[at + 7 : text.find(b"\r", at)]) if at >= 0 else None
        if known is None:
            return self._read_cseq(self.get(CSEQ) or b"")
        self.cseq, self.cseq_method = known
        return True

    def _read_via(self) -> bool:
        """Read the first Via, in any spelling."""
        match = _FIRST_VIA.search(self.text, 0, self.head)
        if match is not None and match[2]:
            self.via = (match[1].lower(), match[2].lower())
            return True
        value = VIA.pattern.search(self.text, 0, self.head)
        via = _VIA.match(clean(value[1])) if value else None
        if via is None:
            return self._reject(BAD_VIA)
        sent_by = b"".join(via[1].split()).lower()
        match = _BRANCH.search(_QUOTED.sub(b"", via[2]))
        branch = match[1].lower() if match else b""
        if branch.startswith(_MAGIC_COOKIE) and branch != _MAGIC_COOKIE:
            self.via = (sent_by, branch)
        else:
            # RFC 2543: the branch may not be unique. RFC 3261, 17.2.3, lists what makes it unique.
            tag = tag_of(self.get(FROM) or b"") or b""
            self.via = (sent_by, branch, tag.lower(), self.get(CALL_ID) or b"")
        return True

    def _read_cseq(self, value: bytes) -> bool:
        parts = value.split()
        if len(parts) != 2 or not parts[0].isdigit() or len(parts[0]) > 12 or int(parts[0]) > _MAX_CSEQ:
            return self._reject(BAD_CSEQ)
        self.cseq, self.cseq_method = int(parts[0]), parts[1]
        if len(value) < _MAX_CACHED_CSEQ:
            _CSEQ_CACHE.put(value, (self.cseq, self.cseq_method))
        return True

    def _read_request(self) -> bool:
        match = _ID_HEADERS.search(self.text, 0, self.head)
        values: dict[bytes, bytes] = {}
        if match is not None:
            name1, value1, name2, value2, name3, value3, name4, value4 = match.groups()
            values = {name1: value1, name2: value2, name3: value3, name4: value4}
        if len(values) < 4:
            values = {name: self.get(header) or b"" for name, header in _ID_HEADER_NAMES}
        self.sender, self.receiver = values[b"From"].strip(), values[b"To"].strip()
        self.call_id = values[b"Call-ID"].strip()
        known = _CSEQ_CACHE.get(values[b"CSeq"].strip())
        if known is not None:
            self.cseq, self.cseq_method = known
        elif not self._read_cseq(values[b"CSeq"].strip()):
            return False
        if self.method != self.cseq_method:
            return self._reject(BAD_CSEQ)
        if self.call_id and b":" in self.sender and b":" in self.receiver:
            return True
        return self._reject(
            BAD_FROM if b":" not in self.sender else BAD_TO if b":" not in self.receiver else BAD_CALL_ID
        )

    def _reject(self, defect: str) -> bool:
        self.defect = defect
        return False


def tag_of(address: bytes) -> bytes | None:
    """The tag parameter of a From or To value, or None."""
    parameters = address.rfind(b">") + 1
    if parameters == len(address):
        return None
    match = _TAG.search(address, parameters)
    return match[1] if match else None


def read_datagram(data: bytes, at: int, end: int) -> SipMessage | None:
    """The SIP message in `data[at:end]`, or None if there is none. Blank lines may come first (RFC 3261, 7.5)."""
    start = START_LINE.match(data, at, end)
    if start is None:
        while at < end and data[at] in b"\r\n":
            at += 1
        start = START_LINE.match(data, at, end)
        if start is None and _BAD_START_LINE.match(data, at, end) is None:
            return None
    message = SipMessage(data[at:end], start)
    if start is None:
        message.defect = BAD_START
    return message
