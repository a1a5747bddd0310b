"""Diameter as JSON (HEP protocol 56): the fields that agents of sipcapture write become a Diameter message.

An agent writes the header as `type` ("Request" or "Answer", perhaps with "-Proxyable"), `command`, `app-ID`, and
`hop-by-hop-ID` and `end-to-end-ID` as hexadecimal text, and the AVPs under `payload`. There is no specification, so names
are compared without case and punctuation, and AVPs may also stand next to the header fields. A plain Diameter message is read, too.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, Final

from faultprint.probe.capture.hep import HepError
from faultprint.probe.messages import diameter
from faultprint.probe.messages.diameter import DiameterMessage
from faultprint.probe.messages.dictionary import VENDOR_3GPP, AvpCode

BAD_DIAMETER: Final = "HEP with Diameter that cannot be read"
_GROUPS: Final = ("payload", "avps", "avp")
_HOP: Final = ("hopbyhopid", "hopbyhop", "hopbyhopidentifier")
_END: Final = ("endtoendid", "endtoend", "endtoendidentifier")
_COMMAND: Final = ("command", "commandcode")
_APPLICATION: Final = ("appid", "applicationid")
_RESULT: Final = ("rescode", "resultcode")
_EXPERIMENTAL: Final = ("expresultcode", "experimentalresultcode", "exprescode", "expres", "experimentalresult")
_TEXTS: Final = (
    (("sessionid",), 0, AvpCode.SESSION_ID),
    (("username",), 0, AvpCode.USER_NAME),
    (("publicidentity", "publicid", "pubid"), VENDOR_3GPP, AvpCode.PUBLIC_IDENTITY),
)
"""Names, vendor and code of the AVPs with a text that are read."""
_CLASSES: Final = {
    "informational": 1000, "success": 2001, "protocolerrors": 3000, "transientfailures": 4000, "permanentfailure": 5000
}  # fmt: skip
"""Agents that write only the class of a result → a code of this class."""
_REQUEST: Final = 1 << 31
_VERSION: Final = 1 << 24
_ERROR: Final = "a Diameter message as JSON "


def read_diameter(payload: bytes) -> DiameterMessage:
    """The message in a payload. Raises HepError."""
    if payload and diameter.length_at(payload, 0, len(payload)) == len(payload):
        return DiameterMessage(payload)
    fields = _fields(payload)
    command, application = _number(fields, _COMMAND, 10), _number(fields, _APPLICATION, 10)
    hop_by_hop, end_to_end = _number(fields, _HOP, 16), _number(fields, _END, 16)
    if command is None or application is None or hop_by_hop is None or command >= 1 << 24:
        raise HepError(_ERROR + "needs command, app-ID and hop-by-hop-ID", BAD_DIAMETER)
    body = b"".join(_avp(code, vendor, text) for names, vendor, code in _TEXTS if (text := _text(fields, names)))
    request = _is_request(fields)
    if not request:
        body += _results(fields)
    head = (_VERSION | diameter.HEADER + len(body), request * _REQUEST | command, application, hop_by_hop)
    return DiameterMessage(struct.pack("!5I", *head, end_to_end or 0) + body)


def _fields(payload: bytes) -> dict[str, Any]:
    """Name, in small letters without punctuation → value, of the header and the AVPs."""
    try:
        parsed = json.loads(payload)
    except (ValueError, RecursionError):  # RecursionError: brackets are nested deeper than the interpreter allows
        raise HepError(_ERROR + "cannot be read", BAD_DIAMETER) from None
    if not isinstance(parsed, dict):
        raise HepError(_ERROR + "is an object", BAD_DIAMETER)
    fields = {_plain(name): value for name, value in parsed.items()}
    for group in _GROUPS:
        inside = fields.get(group)
        if isinstance(inside, dict):
            fields = {_plain(name): value for name, value in inside.items()} | fields
    return fields


def _is_request(fields: Mapping[str, Any]) -> bool:
    """Raises HepError if nothing says whether it is a request or an answer."""
    kind = fields.get("type", fields.get("request"))
    if isinstance(kind, bool):
        return kind
    word = kind.lower() if isinstance(kind, str) else ""
    if not word.startswith(("request", "answer")):
        raise HepError(_ERROR + "needs the type Request or Answer", BAD_DIAMETER)
    return word.startswith("request")


def _results(fields: Mapping[str, Any]) -> bytes:
    """The AVP with the result of an answer; none: the tracker counts it as malformed."""
    for names, experimental in ((_RESULT, False), (_EXPERIMENTAL, True)):
        value = _value(fields, names)
        if isinstance(value, dict):
            value = _value({_plain(name): inner for name, inner in value.items()}, _EXPERIMENTAL)
        code = _CLASSES.get(_plain(value)) if isinstance(value, str) else None
        code = _integer(value, 10) if code is None else code
        if code is not None:
            avp = _avp(AvpCode.EXPERIMENTAL_RESULT_CODE if experimental else AvpCode.RESULT_CODE, 0, _LONG(code))
            return _avp(AvpCode.EXPERIMENTAL_RESULT, 0, avp) if experimental else avp
    return b""


_LONG = struct.Struct("!I").pack


def _avp(code: int, vendor: int, data: bytes) -> bytes:
    flags, head = (0xC0, _LONG(vendor)) if vendor else (0x40, b"")
    length = 8 + len(head) + len(data)
    return struct.pack("!II", code, flags << 24 | length) + head + data + bytes(-length % 4)


def _number(fields: Mapping[str, Any], names: tuple[str, ...], base: int) -> int | None:
    return _integer(_value(fields, names), base)


def _integer(value: Any, base: int) -> int | None:
    """A number of 32 bits, or None. `base`: of a number that is written as text."""
    if isinstance(value, str):
        try:
            value = int(value, 16 if value[:2].lower() == "0x" else base)
        except ValueError:
            return None
    sound = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 32
    return value if sound else None


def _text(fields: Mapping[str, Any], names: tuple[str, ...]) -> bytes:
    value = _value(fields, names)
    return value.encode("utf-8", "replace") if isinstance(value, str) else b""


def _value(fields: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((fields[name] for name in names if name in fields), None)


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()
