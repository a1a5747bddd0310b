"""The schemas of all tables that pass from one stage to the next. No other place defines a schema.

    packets ─probe→ transactions ─features→ minutes ─windows→ 60 × F ─embedding→ vector ─cases→ verdicts

This module defines names and meanings only. It imports nothing beyond the standard library, so that the probe stays
small. `faultprint.storage` reads, checks and writes the tables. docs/reference/tables.md is generated from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

ColumnKind = Literal["string", "timestamp", "int64", "uint64", "uint32", "uint16", "float32", "bool", "strings"]


class Direction(StrEnum):
    """The direction of a request, seen from the node."""

    IN = "in"
    OUT = "out"


class Interface(StrEnum):
    """The 3GPP reference point of a transaction's leg (TS 23.002), as far as addresses show it."""

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
    """The request method, divided as the counters of a P-CSCF are (TS 32.409: InitReg, ReReg, DeRegUe; Orig, Term)."""

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
NO_TRAFFIC: Final = "no-traffic"

RESERVED_CONDITIONS: Final = frozenset({RECOVERY, MAINTENANCE, UNKNOWN, WARMING_UP, NO_TRAFFIC})
"""Words that cannot name a fault in a case library. `normal` is missing here: it names references."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `values` lists the strings allowed (empty: any string). Timestamps are µs, UTC."""

    name: str
    kind: ColumnKind
    unit: str
    meaning: str
    nullable: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table's columns in file order. `open_ended` tables have the float32 columns of a catalogue after them."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    open_ended: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in file order."""
        return tuple(column.name for column in self.columns)


COVERAGE_KEY: Final = "faultprint.coverage"
"""Parquet metadata of transactions: JSON [[node, network, start µs, end µs], …], the coverage intervals, end exclusive.

A minute without transactions inside a coverage interval had no traffic. A minute outside all of them is a gap."""

KEY_ID_KEY: Final = "faultprint.key"
"""Parquet metadata of transactions: the id of the key that made the hashes of users and dialogs (`faultprint key show`)."""

CATALOGUE_KEY: Final = "faultprint.catalogue"
"""Parquet metadata of minutes: JSON {"name", "hash", "interval_us"} of the catalogue of the columns."""


TRANSACTIONS: Final = Table(
    "transactions",
    "One SIP or Diameter request on one leg of the node, with its outcome. All but the last eight columns are known when the "
    "request arrives. No column identifies a subscriber in clear text.",
    (
        Column("node", "string", "", "the monitored node"),
        Column("network", "string", "", "the operator's network that contains the node"),
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
            "request method, divided as the node's counters are",
            values=tuple(Method),
        ),
        Column("start", "timestamp", "µs", "first time that the request was seen"),
        Column("user", "uint64", "", "keyed hash of the subscriber", nullable=True),
        Column("dialog", "uint64", "", "keyed hash of the call (Call-ID, Session-Id)", nullable=True),
        Column(
            "session_us",
            "int64",
            "µs",
            "of a BYE: time since the call was answered, if the answer was seen (RFC 6076 SDT)",
            nullable=True,
        ),
        Column("provisional", "timestamp", "µs", "first 1xx response, 100 included", nullable=True),
        Column("ringing", "timestamp", "µs", "first 18x response", nullable=True),
        Column(
            "completion",
            "timestamp",
            "µs",
            "final response, or time-out of the request; null: still open when the recording ended",
            nullable=True,
        ),
        Column("status", "uint16", "", "final status code; null: timed out (or still open)", nullable=True),
        Column("retransmissions", "uint32", "", "number of times the request was sent again"),
        Column("response_retransmissions", "uint32", "", "number of times a response was sent again"),
        Column("messages", "uint32", "", "number of messages, ACK and retransmissions included"),
        Column("bytes", "uint32", "byte", "length of these messages, from start line to end of body"),
    ),
)

MINUTES: Final = Table(
    "minutes",
    "One interval (a minute, unless configured otherwise) of one node, with its features by the catalogue. A feature without a "
    "value (no denominator) is null. An interval outside the coverage has no row.",
    (
        Column("node", "string", "", "the node"),
        Column("network", "string", "", "its network"),
        Column("minute", "timestamp", "µs", "start of the interval"),
        Column("observed", "float32", "ratio", "share of the interval inside the coverage, above 0"),
    ),
    open_ended=True,
)

LABELS: Final = Table(
    "labels",
    "The known conditions of a node, as intervals that do not overlap. Time without a label is neither used for training nor "
    "scored.",
    (
        Column("node", "string", "", "the node"),
        Column("start", "timestamp", "µs", "start of the interval"),
        Column("end", "timestamp", "µs", "end of the interval, exclusive"),
        Column("condition", "string", "", "normal, recovery, maintenance, or a fault's name"),
        Column("severity", "float32", "ratio", "strength from 0 to 1, if known", nullable=True),
    ),
)

VERDICTS: Final = Table(
    "verdicts",
    "The verdict on a node at the end of each interval.",
    (
        Column("node", "string", "", "the node"),
        Column("minute", "timestamp", "µs", "start of the interval; the verdict is given at its end"),
        Column("condition", "string", "", "the verdict: normal, a fault's name, unknown, no-traffic or warming-up"),
        Column(
            "ongoing",
            "bool",
            "",
            "whether the fault of the verdict is still there, by the last minutes alone; false if normal",
        ),
        Column(
            "probability",
            "float32",
            "",
            "probability of the verdict's condition among those of the library; null without a window, for unknown and no-traffic",
            nullable=True,
        ),
        Column("nearest", "string", "", "condition of the nearest reference, for every verdict", nullable=True),
        Column("distance", "float32", "", "distance to the nearest reference", nullable=True),
        Column("runner_up", "string", "", "nearest other condition", nullable=True),
        Column(
            "runner_up_distance", "float32", "", "distance to the nearest reference of that condition", nullable=True
        ),
        Column("margin", "float32", "", "runner-up's distance minus the nearest's", nullable=True),
        Column(
            "evidence",
            "strings",
            "",
            "features that deviate most from the node's baseline, strongest first",
            nullable=True,
        ),
    ),
)

TABLES: Final = (TRANSACTIONS, MINUTES, LABELS, VERDICTS)
