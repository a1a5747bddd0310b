"""Evidence in words: what moved, to which value, from which usual value, with units.

in.register_initial.timeout_share +0.43 (normal 0.01)
Initial registrations not answered or answered 408: 44 %, usually 1 %
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

_LINE: Final = re.compile(r"(\S+) ([+-]\d+(?:\.\d+)?) \(normal (-?\d+(?:\.\d+)?)\)\Z")

OPERATIONS: Final[Mapping[str, str]] = {
    "in.register_initial": "Initial registrations",
    "in.register_refresh": "Re-registrations",
    "in.register_deregistration": "De-registrations",
    "in.invite_originating": "Calls from subscribers",
    "in.invite_terminating": "Calls to subscribers",
    "in.bye": "BYEs received",
    "in.other": "Other requests received",
    "out.register": "Registrations sent on",
    "out.invite": "Calls sent on",
    "out.other": "Other requests sent",
}


def _percent(value: float) -> str:
    return f"{_number(100 * value)} %"


def _seconds(value: float) -> str:
    if abs(value) < 1:
        return f"{_number(1000 * value)} ms"
    return f"{_number(value)} s" if abs(value) < 120 else f"{_number(value / 60)} min"


def _number(value: float) -> str:
    """Two digits that count, at least, and thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.2g}"


def _bytes(value: float) -> str:
    return f"{_number(value)} bytes"


Form = Callable[[float], str]
_STATISTICS: Final[Mapping[str, tuple[str, Form]]] = {
    "attempts": ("a minute", _number),
    "success_share": ("successful", _percent),
    "challenge_share": ("challenged (401, 407)", _percent),
    "user_share": ("ended by the user (busy, declined, cancelled)", _percent),
    "client_error_share": ("rejected (4xx, 6xx)", _percent),
    "server_error_share": ("failed with 5xx", _percent),
    "timeout_share": ("not answered or answered 408", _percent),
    "retransmission_share": ("sent again", _percent),
    "provisional_delay": ("ringing after, median", _seconds),
    "delay_median": ("answered after, median", _seconds),
    "delay_p95": ("answered within, 95 of 100", _seconds),
    "bytes_mean": ("size of all messages, mean", _bytes),
}
_INDICATORS: Final[Mapping[str, tuple[str, Form]]] = {
    "node.ser": ("Calls answered (SER)", _percent),
    "node.seer": ("Calls answered or ended by the user (SEER)", _percent),
    "node.isa": ("Ineffective call attempts (ISA)", _percent),
    "node.ira": ("Ineffective registrations (IRA)", _percent),
    "node.srd_p95": ("Calls ringing within, 95 of 100 (SRD)", _seconds),
    "node.sdt_mean": ("Length of calls, mean (SDT)", _seconds),
    "node.messages": ("Messages a minute", _number),
    "node.bytes": ("Bytes a minute", _number),
    "node.users": ("Subscribers a minute", _number),
    "node.response_retransmission_share": ("Responses sent again", _percent),
    "node.forwarded_share": ("Requests sent for each request received", _percent),
    "node.open": ("Requests without an answer yet", _number),
}


def evidence_in_words(line: str) -> str:
    """A line of evidence as people read it; a line in another form stays as it is."""
    match = _LINE.match(line)
    if match is None:
        return line
    name, usual = match[1], float(match[3])
    subject, form = _subject(name)
    value = max(usual + float(match[2]), 0.0) if form is not _number else usual + float(match[2])
    return f"{subject}: {form(value)}, usually {form(usual)}"


def _subject(name: str) -> tuple[str, Form]:
    """What a feature is about, and how its values are written. A feature of another catalogue keeps its name."""
    if name in _INDICATORS:
        return _INDICATORS[name]
    operation, _, statistic = name.rpartition(".")
    if operation in OPERATIONS and statistic in _STATISTICS:
        words, form = _STATISTICS[statistic]
        return f"{OPERATIONS[operation]} {words}", form
    return name, _number
