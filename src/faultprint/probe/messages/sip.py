"""A SIP message (RFC 3261), read lazily: a header is looked for when somebody asks for it.

Nothing here raises on what the network sends; `Message.defect` names the first rule that a message breaks.
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
    Header,
    clean,
)

# Possessive quantifiers (++) keep a hostile message from costing more than its length.
START: Final = re.compile(
    rb"(?:SIP/2\.0 ([1-6]\d\d)(?=[ \r\n])[^\n]*+\n?"
    rb"|([A-Za-z0-9.!%*_+`'~-]{1,64}) [A-Za-z][A-Za-z0-9+.-]*+:[^ \r\n]*+ SIP/2\.0\r?\n)"
    rb"(?:Via: SIP/2\.0/[A-Z-]++ ([^;, \t\r\n]++)[^,\"\r\n]*?;branch=(z9hG4bK[^;, \t\r\n]++))?"
)
"""A status line (status code in group 1) or a request line (method in group 2); sent-by and branch of the Via that often
follows at once."""

_ALMOST: Final = re.compile(
    rb"SIP/\d+\.\d+[ \t\r\n]|[!-~]{1,32}[ \t][^\r\n]{0,2048}?[ \t]SIP/\d{1,9}\.\d{1,9}[ \t]*+\r?\n", re.IGNORECASE
)
"""A start line that means to be SIP but is not one: extra blanks, another version, no URI (RFC 4475, 3.1.2)."""

_FIRST_VIA: Final = re.compile(
    rb"\n(?:[vV][iI][aA]|[vV])[ \t]*+:"
    rb"(?: SIP/2\.0/[A-Z-]++ ([^;, \t\r\n]++)[^,\"\r\n]*?;branch=(z9hG4bK[^;, \t\r\n]++))?"
)
"""The first Via; sent-by and branch if they are written as nearly always, else the patterns below find them."""
_VIA: Final = re.compile(
    rb"SIP[ \t]*+/[ \t]*+2\.0[ \t]*+/[ \t]*+[\w.!%*+`'~-]++[ \t]++([^;, \t\r\n]++(?:[ \t]*+:[ \t]*+\d++)?)"
    rb"((?:[ \t\r\n]*+;(?:[^;,\"]|\"(?:[^\"\\]|\\.){0,512}+\")*+)*+)",
    re.IGNORECASE,
)
_QUOTED: Final = re.compile(rb"\"(?:[^\"\\]|\\.){0,512}+\"")
_BRANCH: Final = re.compile(rb";[ \t\r\n]*+branch[ \t]*+=[ \t]*+([^;, \t\r\n]++)", re.IGNORECASE)
# Letters in both cases rather than IGNORECASE, which keeps a search from looking for its first character quickly.
_TAG: Final = re.compile(rb";[ \t\r\n]*+[tT][aA][gG][ \t]*+=[ \t]*+([^;, \t\r\n]++)")
_NAMES: Final = re.compile(
    rb"\n(From|To|Call-ID|CSeq): ([^\n]++)\n(From|To|Call-ID|CSeq): ([^\n]++)\n"
    rb"(From|To|Call-ID|CSeq): ([^\n]++)\n(From|To|Call-ID|CSeq): ([^\n]++)\n(?![ \t])"
)
"""The four headers that name a request, in any order: most clients write them one after the other."""
_HEAD_END: Final = re.compile(rb"\n\r?\n")
_EMPTY: Final = b"\nContent-Length: 0\r\n\r\n"
_MAGIC_COOKIE: Final = b"z9hG4bK"
_NAMED: Final = ((b"From", FROM), (b"To", TO), (b"Call-ID", CALL_ID), (b"CSeq", CSEQ))
_MAX_SEQUENCE: Final = 64
_MAX_CSEQ: Final = 2**31 - 1

# Why a message counts as malformed. All but NO_END and BAD_LENGTH keep it out of every transaction.
BAD_START: Final = "start line"
NO_END: Final = "header without end"
BAD_VIA: Final = "Via"
BAD_CSEQ: Final = "CSeq"
BAD_CALL_ID: Final = "Call-ID"
BAD_FROM: Final = "From"
BAD_TO: Final = "To"
BAD_LENGTH: Final = "Content-Length"


_CODES: Final = {str(code).encode(): code for code in range(100, 700)}
_SEQUENCES: Final[BoundedTable[bytes, tuple[int, bytes]]] = BoundedTable(1024)
"""CSeq values read lately: there are few, and reading one takes longer than looking it up."""


class SipMessage:
    """One message: `text` from start line to end of body, `head` the end of the last header line within it.

    `identify` fills in the top Via (sent-by and branch, and more for RFC 2543), CSeq and, of a request, Call-ID, From, To.
    """

    __slots__ = (
        "call_id",
        "cseq",
        "cseq_method",
        "defect",
        "head",
        "method",
        "receiver",
        "sender",
        "size",
        "status",
        "text",
        "via",
    )
    method: bytes | None
    """None: a response; empty: neither."""
    status: int
    """0: no response."""
    via: tuple[bytes, ...]
    call_id: bytes
    cseq: int
    cseq_method: bytes
    sender: bytes
    receiver: bytes

    def __init__(self, text: bytes, start: re.Match[bytes] | None) -> None:
        """`start`: how START matched, wherever that was; None for a start line that breaks the rules."""
        self.text = text
        if start is not None:
            status, self.method, sent_by, branch = start.groups()
            self.status = _CODES[status] if status else 0
            self.via = (sent_by, branch) if branch else ()
        else:
            self.method, self.status, self.via = b"", 0, ()
        self.defect: str | None = None
        self.size = len(text)
        if text.endswith(_EMPTY):
            # Most messages. Where a body ends like this, too, taking it for more headers changes nothing that is read here.
            self.head = self.size - 2
            return
        end = text.find(b"\n\r\n") + 1
        if end:
            self.head = end
            # Mostly the last header, so the search begins there.
            at = text.rfind(b"\nContent-Length: ", 0, end)
            length = text[at + 17 : text.find(b"\r", at)] if at >= 0 else b""
            if length.isdigit() and len(length) < 10 and end + 2 + int(length) <= self.size:
                self.size = end + 2 + int(length)
            else:
                self._measure(end + 2)
        else:
            found = _HEAD_END.search(text)
            if found:
                self.head = found.start() + 1
                self._measure(found.end())
            else:
                self.head = len(text)
                self.defect = NO_END

    def _measure(self, body: int) -> None:
        """Hold Content-Length against what is there; a datagram's surplus is no part of the message (RFC 3261, 18.3)."""
        length = self.get(CONTENT_LENGTH)
        if length is None:
            return
        if length.isdigit() and len(length) < 10 and body + int(length) <= self.size:
            self.size = body + int(length)
        else:
            self.defect = BAD_LENGTH

    def get(self, header: Header) -> bytes | None:
        """The value of the first such header, folded lines included; None if there is none."""
        return header.value(self.text, self.head)

    def all(self, header: Header) -> list[bytes]:
        """The values of every such header, in order."""
        return [clean(value) for value in header.pattern.findall(self.text, 0, self.head)]

    @property
    def forwarded(self) -> bool:
        """Whether more than one hop has signed it: a second Via value."""
        return sum(_QUOTED.sub(b"", value).count(b",") + 1 for value in self.all(VIA)) > 1

    def identify(self) -> bool:
        """Find what names the transaction; False, with `defect` set, if the message belongs to none.

        Nearly all messages write these headers in one way, with Via first; the others take the slower path.
        """
        text = self.text
        if not self.via and not self._read_via():
            return False
        if self.method is not None:
            return self._read_request()
        at = text.find(b"\nCSeq: ", 0, self.head)
        known = _SEQUENCES.get(text[at + 7 : text.find(b"\r", at)]) if at >= 0 else None
        if known is None:
            return self._read_sequence(self.get(CSEQ) or b"")
        self.cseq, self.cseq_method = known
        return True

    def _read_via(self) -> bool:
        """The first Via, in whichever spelling it comes."""
        first = _FIRST_VIA.search(self.text, 0, self.head)
        if first is not None and first[2]:
            self.via = first.groups()
            return True
        value = VIA.pattern.search(self.text, 0, self.head)
        found = _VIA.match(clean(value[1])) if value else None
        if found is None:
            return self._broken(BAD_VIA)
        branch = _BRANCH.search(_QUOTED.sub(b"", found[2]))
        if branch and branch[1].startswith(_MAGIC_COOKIE) and branch[1] != _MAGIC_COOKIE:
            self.via = (found[1], branch[1])
        else:
            # RFC 2543: the branch need not be unique; 17.2.3 of RFC 3261 adds what makes it so.
            old = branch[1] if branch else b""
            self.via = (found[1], old, tag_of(self.get(FROM) or b"") or b"", self.get(CALL_ID) or b"")
        return True

    def _read_sequence(self, value: bytes) -> bool:
        parts = value.split()
        if len(parts) != 2 or not parts[0].isdigit() or len(parts[0]) > 12 or int(parts[0]) > _MAX_CSEQ:
            return self._broken(BAD_CSEQ)
        self.cseq, self.cseq_method = int(parts[0]), parts[1]
        if len(value) < _MAX_SEQUENCE:
            _SEQUENCES.put(value, (self.cseq, self.cseq_method))
        return True

    def _read_request(self) -> bool:
        found = _NAMES.search(self.text, 0, self.head)
        values: dict[bytes, bytes] = {}
        if found is not None:
            one, first, two, second, three, third, four, fourth = found.groups()
            values = {one: first, two: second, three: third, four: fourth}
        if len(values) < 4:
            values = {name: self.get(header) or b"" for name, header in _NAMED}
        self.sender, self.receiver = values[b"From"].strip(), values[b"To"].strip()
        self.call_id = values[b"Call-ID"].strip()
        known = _SEQUENCES.get(values[b"CSeq"].strip())
        if known is not None:
            self.cseq, self.cseq_method = known
        elif not self._read_sequence(values[b"CSeq"].strip()):
            return False
        if self.method != self.cseq_method:
            return self._broken(BAD_CSEQ)
        if self.call_id and b":" in self.sender and b":" in self.receiver:
            return True
        return self._broken(
            BAD_FROM if b":" not in self.sender else BAD_TO if b":" not in self.receiver else BAD_CALL_ID
        )

    def _broken(self, defect: str) -> bool:
        self.defect = defect
        return False


def tag_of(address: bytes) -> bytes | None:
    """The tag parameter of a From or To value, or None."""
    parameters = address.rfind(b">") + 1
    if parameters == len(address):
        return None
    found = _TAG.search(address, parameters)
    return found[1] if found else None


def read_datagram(data: bytes, at: int, end: int) -> SipMessage | None:
    """The SIP message in `data[at:end]`, or None if it is none. Blank lines before it are allowed (RFC 3261, 7.5)."""
    start = START.match(data, at, end)
    if start is None:
        while at < end and data[at] in b"\r\n":
            at += 1
        start = START.match(data, at, end)
        if start is None and _ALMOST.match(data, at, end) is None:
            return None
    message = SipMessage(data[at:end], start)
    if start is None:
        message.defect = BAD_START
    return message
