"""The tables behind the catalogue of a SIP node: operations × statistics, and indicators.

The terms are the counters of TS 32.409 and the metrics of RFC 6076.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from faultprint.tables import Direction, Method

FeatureKind = Literal["count", "ratio", "seconds", "gauge"]

KINDS: Final[Mapping[FeatureKind, str]] = {
    "count": "number of events; 0 in an interval without traffic",
    "ratio": "a share; null where its denominator is 0",
    "seconds": "a duration; null where nothing was measured",
    "gauge": "a value in the feature's own unit; null where nothing was measured",
}


@dataclass(frozen=True, slots=True)
class OperationGroup:
    """Transactions that are counted together: some methods in one direction.

    `terms`: by statistic, the standard name of the combination.
    """

    key: str
    direction: Direction
    methods: tuple[Method, ...]
    meaning: str
    terms: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Statistic:
    """A statistic of an operation's transactions in one interval."""

    key: str
    unit: str
    kind: FeatureKind
    meaning: str


@dataclass(frozen=True, slots=True)
class Indicator:
    """A statistic of the whole node in one interval."""

    key: str
    unit: str
    kind: FeatureKind
    support: str
    term: str
    meaning: str


def _counters(group: str, noun: str) -> Mapping[str, str]:
    """The counters of attempts and successes of one procedure (TS 32.409)."""
    return {"attempts": f"{group}.Att{noun}", "success_share": f"{group}.Succ{noun} / {group}.Att{noun}"}


_REGISTER: Final = (Method.REGISTER_INITIAL, Method.REGISTER_REFRESH, Method.REGISTER_DEREGISTRATION)
_INVITE: Final = (Method.INVITE_ORIGINATING, Method.INVITE_TERMINATING)
_DIAMETER: Final = (
    Method.UAR,
    Method.SAR,
    Method.LIR,
    Method.MAR,
    Method.AAR,
    Method.STR,
    Method.RAR,
    Method.ASR,
)


def _others(*named: Method) -> tuple[Method, ...]:
    return tuple(method for method in Method if method not in (*named, *_DIAMETER))


OPERATIONS: Final = (
    OperationGroup(
        "in.register_initial",
        Direction.IN,
        (Method.REGISTER_INITIAL,),
        "initial registrations received",
        {**_counters("UR", "InitReg"), "delay_median": "RRD"},
    ),
    OperationGroup(
        "in.register_refresh",
        Direction.IN,
        (Method.REGISTER_REFRESH,),
        "re-registrations received",
        {**_counters("UR", "ReReg"), "delay_median": "RRD"},
    ),
    OperationGroup(
        "in.register_deregistration",
        Direction.IN,
        (Method.REGISTER_DEREGISTRATION,),
        "de-registrations received",
        {**_counters("UR", "DeRegUe"), "delay_median": "RRD"},
    ),
    OperationGroup(
        "in.invite_originating",
        Direction.IN,
        (Method.INVITE_ORIGINATING,),
        "originating sessions requested from the node",
        {**_counters("SC", "SessionOrig"), "provisional_delay": "SRD"},
    ),
    OperationGroup(
        "in.invite_terminating",
        Direction.IN,
        (Method.INVITE_TERMINATING,),
        "terminating sessions requested from the node",
        {**_counters("SC", "SessionTerm"), "provisional_delay": "SRD"},
    ),
    OperationGroup(
        "in.bye", Direction.IN, (Method.BYE,), "sessions ended by a BYE that the node received", {"delay_median": "SDD"}
    ),
    OperationGroup(
        "in.other",
        Direction.IN,
        _others(*_REGISTER, *_INVITE, Method.BYE),
        "every other SIP request received",
    ),
    OperationGroup("out.register", Direction.OUT, _REGISTER, "registrations forwarded", {"delay_median": "RRD"}),
    OperationGroup(
        "out.invite", Direction.OUT, _INVITE, "sessions requested by the node", {"provisional_delay": "SRD"}
    ),
    OperationGroup(
        "out.other",
        Direction.OUT,
        _others(*_REGISTER, *_INVITE),
        "every other SIP request sent, BYE included",
    ),
)

STATISTICS: Final = (
    Statistic("attempts", "", "count", "requests started"),
    Statistic("success_share", "", "ratio", "answered 2xx / outcomes"),
    Statistic("challenge_share", "", "ratio", "answered 401 or 407 / outcomes"),
    Statistic("user_share", "", "ratio", "answered 3xx, 480, 486, 487, 600 or 603 (caused by the user) / outcomes"),
    Statistic("client_error_share", "", "ratio", "answered another 4xx or 6xx, 408 excepted / outcomes"),
    Statistic("server_error_share", "", "ratio", "answered 5xx / outcomes"),
    Statistic("timeout_share", "", "ratio", "not answered, or answered 408 / outcomes"),
    Statistic("retransmission_share", "", "ratio", "retransmissions of requests / outcomes; may exceed 1"),
    Statistic(
        "provisional_delay",
        "s",
        "seconds",
        "median time from start to the 18x response, or without one to the first 1xx response",
    ),
    Statistic("delay_median", "s", "seconds", "median time from start to completion, answered requests"),
    Statistic("delay_p95", "s", "seconds", "95th percentile of the time from start to completion, answered requests"),
    Statistic("bytes_mean", "byte", "gauge", "bytes of all messages / outcomes"),
)

INDICATORS: Final = (
    Indicator(
        "node.ser",
        "",
        "ratio",
        "in.invite_originating.attempts",
        "SER",
        "INVITEs received (in.invite_*) answered 200 / (their outcomes − those answered 3xx)",
    ),
    Indicator(
        "node.seer",
        "",
        "ratio",
        "in.invite_originating.attempts",
        "SEER",
        "INVITEs received answered 200, 480, 486, 600 or 603 / (their outcomes − those answered 3xx)",
    ),
    Indicator(
        "node.isa",
        "",
        "ratio",
        "in.invite_originating.attempts",
        "ISA",
        "INVITEs received answered 408, 500, 503 or 504, or not at all (a timeout counts) / their outcomes",
    ),
    Indicator(
        "node.ira",
        "",
        "ratio",
        "in.register_refresh.attempts",
        "IRA",
        "REGISTERs received that finally failed (neither 2xx nor 3xx nor challenged; a timeout counts) / "
        "(their outcomes − those challenged by 401 or 407)",
    ),
    Indicator(
        "node.srd_p95",
        "s",
        "seconds",
        "in.invite_originating.attempts",
        "SRD",
        "95th percentile of the time from start to the 18x response, INVITEs received that have one",
    ),
    Indicator(
        "node.sdt_mean",
        "s",
        "seconds",
        "in.bye.attempts",
        "SDT",
        "mean duration of the sessions that a BYE, received or sent, ended with a 2xx response",
    ),
    Indicator("node.messages", "", "count", "node.messages", "", "messages of the completed transactions"),
    Indicator("node.bytes", "byte", "count", "node.bytes", "", "bytes of the completed transactions"),
    Indicator("node.users", "", "count", "node.users", "", "distinct subscribers among the requests started"),
    Indicator(
        "node.response_retransmission_share",
        "",
        "ratio",
        "node.messages",
        "",
        "retransmissions of responses / outcomes, all operations; may exceed 1",
    ),
    Indicator(
        "node.forwarded_share",
        "",
        "ratio",
        "node.messages",
        "",
        "requests sent / requests received; may exceed 1",
    ),
    Indicator(
        "node.open",
        "",
        "count",
        "node.open",
        "",
        "requests started since monitoring began and not completed at the end of the interval",
    ),
)
