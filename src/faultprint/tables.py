"""The tables that the stages hand to one another: the one place where a schema is written.

    packets ─probe→ transactions ─features→ minutes ─windows→ 60 × F ─embedding→ vector ─cases→ verdicts

This module holds names and meanings only and imports nothing beyond the standard library, so that the probe stays
small; `faultprint.storage` reads, checks and writes the tables. docs/tables.md is generated from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

Kind = Literal["string", "timestamp", "int64", "uint64", "uint32", "uint16", "float32", "strings"]


class Direction(StrEnum):
    """Which way a request crosses the node's border."""

    IN = "in"
    OUT = "out"


class Interface(StrEnum):
    """The 3GPP reference point of a transaction's leg (TS 23.002), as far as addresses tell it."""

    GM = "Gm"
    MW = "Mw"
    RX = "Rx"
    CX = "Cx"
    UNKNOWN = "unknown"


class Protocol(StrEnum):
    """The signalling protocol of a transaction."""

    SIP = "SIP"
    DIAMETER = "Diameter"


class Method(StrEnum):
    """The request method, split where a P-CSCF's counters split it (TS 32.409: InitReg, ReReg, DeRegUe; Orig, Term)."""

    REGISTER_INITIAL = "REGISTER.initial"
    REGISTER_REFRESH = "REGISTER.refresh"
    REGISTER_DEREGISTRATION = "REGISTER.deregistration"
    INVITE_ORIGINATING = "INVITE.originating"
    INVITE_TERMINATING = "INVITE.terminating"
    INVITE_IN_DIALOG = "INVITE.in-dialog"
    BYE = "BYE"
    CANCEL = "CANCEL"
    PRACK = "PRACK"
    UPDATE = "UPDATE"
    INFO = "INFO"
    REFER = "REFER"
    SUBSCRIBE = "SUBSCRIBE"
    NOTIFY = "NOTIFY"
    PUBLISH = "PUBLISH"
    MESSAGE = "MESSAGE"
    OPTIONS = "OPTIONS"
    OTHER = "other"
    UAR = "UAR"
    SAR = "SAR"
    LIR = "LIR"
    MAR = "MAR"
    AAR = "AAR"
    STR = "STR"
    RAR = "RAR"
    ASR = "ASR"


NORMAL: Final = "normal"
RECOVERY: Final = "recovery"
MAINTENANCE: Final = "maintenance"
UNKNOWN: Final = "unknown"
WARMING_UP: Final = "warming-up"

RESERVED_CONDITIONS: Final = frozenset({RECOVERY, MAINTENANCE, UNKNOWN, WARMING_UP})
"""Words that a case library must not use as the name of a fault (`normal` is itself a reference)."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `values` lists what a categorical string may be (empty: anything); timestamps are µs, UTC."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    nullable: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table's columns in file order; `open_ended` tables carry a catalogue's float32 columns after them."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    open_ended: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


COVERAGE_KEY: Final = "faultprint.coverage"
"""Parquet metadata of transactions: JSON [[node, network, start µs, end µs], …], the stretches listened to, end exclusive.

A minute inside a stretch with no transaction had no traffic; a minute outside every stretch is a gap."""

CATALOGUE_KEY: Final = "faultprint.catalogue"
"""Parquet metadata of minutes: JSON {"name", "hash", "interval_us"} of the catalogue that the columns follow."""


TRANSACTIONS: Final = Table(
    "transactions",
    "One SIP or Diameter request on one leg of the node, with its outcome. All but the last eight columns are known when the "
    "request is seen; nothing in the clear names a subscriber.",
    (
        Column("node", "string", "", "the node that was watched"),
        Column("network", "string", "", "the operator's network to which the node belongs"),
        Column("interface", "string", "", "reference point of the leg", values=tuple(Interface)),
        Column(
            "direction",
            "string",
            "",
            "in: the node received the request; out: it sent it",
            values=tuple(Direction),
        ),
        Column("protocol", "string", "", "signalling protocol", values=tuple(Protocol)),
        Column(
            "method",
            "string",
            "",
            "request method, split as the node's counters split it",
            values=tuple(Method),
        ),
        Column("start", "timestamp", "µs", "the request was first seen"),
        Column("user", "uint64", "", "keyed hash of the subscriber", nullable=True),
        Column("dialog", "uint64", "", "keyed hash of the call (Call-ID, Session-Id)", nullable=True),
        Column(
            "session_us",
            "int64",
            "µs",
            "of a BYE: time since the call was answered, where the answer was seen (RFC 6076 SDT)",
            nullable=True,
        ),
        Column("provisional", "timestamp", "µs", "first 1xx answer, 100 included", nullable=True),
        Column("ringing", "timestamp", "µs", "first 18x answer", nullable=True),
        Column(
            "completion",
            "timestamp",
            "µs",
            "final answer, or the moment at which the request timed out; none: still open when listening ended",
            nullable=True,
        ),
        Column("status", "uint16", "", "final status code; none: timed out (or still open)", nullable=True),
        Column("retransmissions", "uint32", "", "times that the request was sent again"),
        Column("response_retransmissions", "uint32", "", "times that a response was sent again"),
        Column("messages", "uint32", "", "messages of the transaction, ACK and retransmissions included"),
        Column("bytes", "uint32", "byte", "their length from start line to end of body"),
    ),
)

MINUTES: Final = Table(
    "minutes",
    "One interval (a minute, unless configured otherwise) of one node: its features by the catalogue. A feature without a value "
    "(no denominator) is null. An interval that nobody listened to has no row.",
    (
        Column("node", "string", "", "the node"),
        Column("network", "string", "", "its network"),
        Column("minute", "timestamp", "µs", "start of the interval"),
        Column("observed", "float32", "ratio", "share of the interval that was listened to, above 0"),
    ),
    open_ended=True,
)

LABELS: Final = Table(
    "labels",
    "What is known to have been true of a node: stretches that do not overlap. Time that no label covers is unlabelled and "
    "neither trained on nor scored.",
    (
        Column("node", "string", "", "the node"),
        Column("start", "timestamp", "µs", "first moment"),
        Column("end", "timestamp", "µs", "first moment after it"),
        Column("condition", "string", "", "normal, recovery, maintenance, or a fault's name"),
        Column("severity", "float32", "ratio", "how strong, 0 to 1, where known", nullable=True),
    ),
)

VERDICTS: Final = Table(
    "verdicts",
    "What Faultprint says of a node at the end of each interval.",
    (
        Column("node", "string", "", "the node"),
        Column("minute", "timestamp", "µs", "start of the interval whose end the verdict was given at"),
        Column("condition", "string", "", "the verdict: normal, a fault's name, unknown or warming-up"),
        Column("nearest", "string", "", "condition of the nearest reference, whatever the verdict", nullable=True),
        Column("distance", "float32", "", "distance to it", nullable=True),
        Column("runner_up", "string", "", "nearest other condition", nullable=True),
        Column("runner_up_distance", "float32", "", "distance to it", nullable=True),
        Column("margin", "float32", "", "runner-up's distance minus the nearest's", nullable=True),
        Column(
            "evidence",
            "strings",
            "",
            "features furthest from the node's normal, strongest first",
            nullable=True,
        ),
    ),
)

TABLES: Final = (TRANSACTIONS, MINUTES, LABELS, VERDICTS)
