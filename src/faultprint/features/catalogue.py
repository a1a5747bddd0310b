"""The catalogue: which features describe a minute, and what each of them means.

`SIP_CATALOGUE` is made from three tables: ten operations × twelve statistics, and twelve indicators of the whole node:
132 features. Another source (performance counters, host metrics) brings a catalogue of its own as JSON. This module
imports nothing beyond the standard library; docs/features.md is generated from it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any, Final, Literal, get_args

from faultprint.errors import TableError
from faultprint.tables import MINUTES, Direction, Method

FeatureKind = Literal["count", "ratio", "seconds", "gauge"]
"""count: events in the interval, 0 without traffic; ratio: a share, without a value where its denominator is 0;
seconds: a duration, without a value where nothing was measured; gauge: a level in the feature's own unit, likewise."""

KINDS: Final[tuple[FeatureKind, ...]] = get_args(FeatureKind)


@dataclass(frozen=True, slots=True)
class Feature:
    """One float32 column of a minutes table.

    `support` names the count feature that best tells how many events stand behind a value (a count's is itself; empty:
    not known). `term` is the counter of TS 32.409 or the metric of RFC 6076 that the feature corresponds to, if any.
    """

    name: str
    unit: str
    kind: FeatureKind
    support: str = ""
    term: str = ""
    meaning: str = ""

    def __post_init__(self) -> None:
        for entry in fields(self):
            if not isinstance(value := getattr(self, entry.name), str):
                raise TableError(
                    f"A feature's {entry.name} must be text, not {value!r}; correct the catalogue."
                )
        if not self.name or self.name in MINUTES.names:
            raise TableError(
                f"A feature cannot be named {self.name!r} beside the columns of minutes; rename it."
            )
        if self.kind not in KINDS:
            raise TableError(
                f"Feature {self.name!r} is of kind {self.kind!r}, which is none of {', '.join(KINDS)}."
            )


@dataclass(frozen=True)
class Catalogue:
    """An ordered set of features; the order is that of the columns of a minutes table and of a window's F axis."""

    name: str
    version: int
    features: tuple[Feature, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if not self.name or not self.features:
            raise TableError(f"Catalogue {self.name!r} needs a name and at least one feature; complete it.")
        if twice := next((name for name in self.names if self.names.count(name) > 1), None):
            raise TableError(f"Catalogue {self.name!r} has two features named {twice!r}; rename one.")
        counts = {feature.name for feature in self.features if feature.kind == "count"}
        for feature in self.features:
            if feature.support and feature.support not in counts:
                raise TableError(
                    f"Catalogue {self.name!r}: {feature.name!r} is supported by {feature.support!r}, which is no count in it."
                )

    def __len__(self) -> int:
        return len(self.features)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(feature.name for feature in self.features)

    @cached_property
    def hash(self) -> str:
        """SHA-256 in hex of all that values depend on: name, version, and each feature's name, unit, kind and support.

        Rewording a meaning leaves the hash, and with it every model, as it was; a change of rule needs a new version.
        """
        rows = [[feature.name, feature.unit, feature.kind, feature.support] for feature in self.features]
        canonical = json.dumps([self.name, self.version, rows], ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode("ascii")).hexdigest()

    @cached_property
    def _indices(self) -> Mapping[str, int]:
        return {name: index for index, name in enumerate(self.names)}

    def index(self, name: str) -> int:
        """The feature's place in the order. Raises TableError for a name that is not in the catalogue."""
        try:
            return self._indices[name]
        except KeyError:
            raise TableError(
                f"Catalogue {self.name!r} has no feature {name!r}; its features are in `names`."
            ) from None

    def to_json(self) -> str:
        """The whole catalogue as JSON text; `from_json` reads it back equal."""
        rows = [asdict(feature) for feature in self.features]
        return json.dumps({"name": self.name, "version": self.version, "features": rows}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Catalogue:
        """The catalogue that `to_json` (or a person) wrote: name, version, features with name, unit and kind.

        Raises TableError, in one sentence, for anything else.
        """
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise TableError(f"A catalogue must be JSON ({error}); see docs/features.md.") from None
        return _catalogue(found)


def _catalogue(found: Any) -> Catalogue:
    if not isinstance(found, dict) or set(found) != {"name", "version", "features"}:
        raise TableError(
            "A catalogue is a JSON object of exactly name, version and features; see docs/features.md."
        )
    name, version, rows = found["name"], found["version"], found["features"]
    if not isinstance(name, str) or type(version) is not int or not isinstance(rows, list):
        raise TableError(
            "A catalogue's name is text, its version a whole number, its features a list; correct it."
        )
    known = {entry.name for entry in fields(Feature)}
    for row in rows:
        if not isinstance(row, dict) or not {"name", "unit", "kind"} <= set(row) <= known:
            raise TableError(
                f"Catalogue {name!r}: a feature has name, unit and kind (and may have {', '.join(sorted(known))})."
            )
    return Catalogue(name, version, tuple(Feature(**row) for row in rows))


@dataclass(frozen=True, slots=True)
class Operation:
    """Transactions that are counted together. `terms` gives, by statistic, the standard name of the combination."""

    key: str
    direction: Direction
    methods: tuple[Method, ...]
    meaning: str
    terms: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Statistic:
    """A figure of an operation's transactions of one interval."""

    key: str
    unit: str
    kind: FeatureKind
    meaning: str


@dataclass(frozen=True, slots=True)
class Indicator:
    """A figure of the whole node."""

    key: str
    unit: str
    kind: FeatureKind
    support: str
    term: str
    meaning: str


def _counters(group: str, noun: str) -> Mapping[str, str]:
    """TS 32.409's attempted and successful counters of one procedure."""
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
    Operation(
        "in.register_initial",
        Direction.IN,
        (Method.REGISTER_INITIAL,),
        "initial registrations received",
        {**_counters("UR", "InitReg"), "delay_median": "RRD"},
    ),
    Operation(
        "in.register_refresh",
        Direction.IN,
        (Method.REGISTER_REFRESH,),
        "re-registrations received",
        {**_counters("UR", "ReReg"), "delay_median": "RRD"},
    ),
    Operation(
        "in.register_deregistration",
        Direction.IN,
        (Method.REGISTER_DEREGISTRATION,),
        "de-registrations received",
        {**_counters("UR", "DeRegUe"), "delay_median": "RRD"},
    ),
    Operation(
        "in.invite_originating",
        Direction.IN,
        (Method.INVITE_ORIGINATING,),
        "originating sessions requested of the node",
        {**_counters("SC", "SessionOrig"), "provisional_delay": "SRD"},
    ),
    Operation(
        "in.invite_terminating",
        Direction.IN,
        (Method.INVITE_TERMINATING,),
        "terminating sessions requested of the node",
        {**_counters("SC", "SessionTerm"), "provisional_delay": "SRD"},
    ),
    Operation(
        "in.bye", Direction.IN, (Method.BYE,), "sessions ended towards the node", {"delay_median": "SDD"}
    ),
    Operation(
        "in.other",
        Direction.IN,
        _others(*_REGISTER, *_INVITE, Method.BYE),
        "every other SIP request received",
    ),
    Operation("out.register", Direction.OUT, _REGISTER, "registrations sent on", {"delay_median": "RRD"}),
    Operation(
        "out.invite", Direction.OUT, _INVITE, "sessions requested by the node", {"provisional_delay": "SRD"}
    ),
    Operation(
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
    Statistic(
        "user_share", "", "ratio", "answered 3xx, 480, 486, 487, 600 or 603 (the user's doing) / outcomes"
    ),
    Statistic("client_error_share", "", "ratio", "answered another 4xx or 6xx, 408 excepted / outcomes"),
    Statistic("server_error_share", "", "ratio", "answered 5xx / outcomes"),
    Statistic("timeout_share", "", "ratio", "not answered, or answered 408 / outcomes"),
    Statistic("retransmission_share", "", "ratio", "requests sent again / outcomes; may exceed 1"),
    Statistic(
        "provisional_delay",
        "s",
        "seconds",
        "median of start to 18x (without one, to the first 1xx), outcomes that have one",
    ),
    Statistic("delay_median", "s", "seconds", "median of start to completion, answered outcomes"),
    Statistic("delay_p95", "s", "seconds", "95th percentile of start to completion, answered outcomes"),
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
        "95th percentile of start to 18x, outcomes of INVITEs received that have one",
    ),
    Indicator(
        "node.sdt_mean",
        "s",
        "seconds",
        "in.bye.attempts",
        "SDT",
        "mean duration of the sessions that a BYE, received or sent, ended with 2xx",
    ),
    Indicator("node.messages", "", "count", "node.messages", "", "messages of the transactions completed"),
    Indicator("node.bytes", "byte", "count", "node.bytes", "", "bytes of the transactions completed"),
    Indicator(
        "node.users", "", "count", "node.users", "", "different subscribers among the requests started"
    ),
    Indicator(
        "node.response_retransmission_share",
        "",
        "ratio",
        "node.messages",
        "",
        "responses sent again / outcomes, all operations; may exceed 1",
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
        "requests started since listening began and not complete at the end of the interval",
    ),
)


def _features() -> Iterable[Feature]:
    for operation in OPERATIONS:
        for statistic in STATISTICS:
            yield Feature(
                f"{operation.key}.{statistic.key}",
                statistic.unit,
                statistic.kind,
                f"{operation.key}.attempts",
                operation.terms.get(statistic.key, ""),
                f"{operation.meaning}: {statistic.meaning}",
            )
    for indicator in INDICATORS:
        yield Feature(
            indicator.key,
            indicator.unit,
            indicator.kind,
            indicator.support,
            indicator.term,
            indicator.meaning,
        )


SIP_CATALOGUE: Final = Catalogue("sip", 1, tuple(_features()))
"""The 132 features of a node that speaks SIP."""
