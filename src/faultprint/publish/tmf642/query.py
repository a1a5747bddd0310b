"""Queries of a TMF642 API: which alarms are selected, in which order, and which attributes are shown. There is no server here.

    GET {base}/alarm?state=raised,updated&alarmRaisedTime.gte=2026-01-05&sort=-perceivedSeverity&fields=state&offset=0&limit=100

Filters follow TMF630. An alarm must match all parameters (`&`). Several values of one attribute are alternatives: after a comma,
after a semicolon, or in a parameter of the same name. After a semicolon may also stand another condition; it is an alternative,
too. Operators are `.eq`, `.ne`, `.gt`, `.gte`, `.lt`, `.lte`, or `=`, `!=`, `>`, `>=`, `<`, `<=`. With `.ne` an alarm may have none
of the values. Only times and severities have an order. `sort` names attributes; a minus reverses the order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from faultprint.errors import UsageError
from faultprint.publish.text import MAX_NAME, clean, without_empty
from faultprint.publish.tmf642.order import RANKS, TIMES, Value, comparable, time_value

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000
"""Maximum number of alarms in a response."""
MAX_VALUES: Final = 1000
"""Maximum number of values in a query."""

ATTRIBUTES: Final = (
    "id",
    "href",
    "externalAlarmId",
    "alarmType",
    "perceivedSeverity",
    "probableCause",
    "specificProblem",
    "alarmDetails",
    "alarmedObject",
    "alarmedObjectType",
    "sourceSystemId",
    "reportingSystemId",
    "state",
    "alarmRaisedTime",
    "alarmChangedTime",
    "alarmClearedTime",
    "ackState",
    "ackUserId",
    "ackSystemId",
    "clearUserId",
    "clearSystemId",
    "comment",
    "@type",
)
"""Attributes of an alarm."""

FILTERS: Final = (*(name for name in ATTRIBUTES if name not in ("alarmedObject", "comment")), "alarmedObject.id")
"""Attributes by which alarms can be selected."""
ORDERED: Final = (*TIMES, "perceivedSeverity")
"""Attributes that can be compared with greater and less."""
SORTS: Final = ("id", *TIMES, "perceivedSeverity", "state", "specificProblem")
"""Attributes by which alarms can be sorted."""


class FilterOperator(StrEnum):
    """An operator of TMF630."""

    EQUAL = "eq"
    NOT_EQUAL = "ne"
    GREATER = "gt"
    GREATER_OR_EQUAL = "gte"
    LESS = "lt"
    LESS_OR_EQUAL = "lte"


_SIGNS: Final = {
    "=": FilterOperator.EQUAL,
    "!=": FilterOperator.NOT_EQUAL,
    ">": FilterOperator.GREATER,
    ">=": FilterOperator.GREATER_OR_EQUAL,
    "<": FilterOperator.LESS,
    "<=": FilterOperator.LESS_OR_EQUAL,
}
_CONDITION: Final = re.compile(r"([^=<>!]*)(!=|>=|<=|=|>|<)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class AlarmFilter:
    """A condition on one attribute. `values`: alternatives; times are in µs, severities are ranks (`order`)."""

    name: str
    operator: FilterOperator
    values: tuple[Value, ...]

    def matches(self, alarm: Mapping[str, Any]) -> bool:
        """Whether the alarm meets the condition. An attribute that the alarm lacks meets only NOT_EQUAL."""
        found = comparable(self.name, _value(alarm, self.name))
        match self.operator:
            case FilterOperator.EQUAL:
                return found in self.values
            case FilterOperator.NOT_EQUAL:
                return found not in self.values
        return found is not None and any(_ordered(self.operator, found, value) for value in self.values)


@dataclass(frozen=True, slots=True)
class AlarmQuery:
    """What is asked.

    fields    attributes to show (empty: all)
    filters   an alarm must match every group, and in a group any of the conditions
    sort      attributes and whether the order is descending; alarms without the attribute come last
    """

    fields: tuple[str, ...] = ()
    filters: tuple[tuple[AlarmFilter, ...], ...] = ()
    sort: tuple[tuple[str, bool], ...] = ()
    offset: int = 0
    limit: int = DEFAULT_LIMIT

    @property
    def includes_cleared(self) -> bool:
        """Whether the query can select a cleared alarm."""
        cleared = {"state": "cleared"}
        return all(any(one.name != "state" or one.matches(cleared) for one in group) for group in self.filters)


@dataclass(frozen=True, slots=True)
class AlarmPage:
    """A response: status 206 means that more alarms are selected than shown (TMF630)."""

    status: int
    headers: Mapping[str, str]
    alarms: list[dict[str, Any]]


def parse_query(parameters: Iterable[tuple[str, str]]) -> AlarmQuery:
    """Parse the decoded parameters of a URL. Raises UsageError for an unknown name or an invalid value."""
    fields: list[str] = []
    sort: dict[str, bool] = {}
    numbers: dict[str, int] = {}
    groups: list[list[AlarmFilter]] = []
    for name, value in parameters:
        if name == "fields":
            # TMF630: `none` stands for the mandatory attributes, which are always shown.
            fields += ["id" if part == "none" else _check_name(part, ATTRIBUTES) for part in _parts(value)]
        elif name == "sort":
            for part in _parts(value):
                sort.setdefault(_check_name(part.lstrip("+-"), SORTS), part.startswith("-"))
        elif name in ("offset", "limit"):
            if name in numbers:
                raise UsageError(f"The {name} is given twice; give it once.")
            numbers[name] = _parse_number(name, value)
        else:
            _add(groups, _alternatives(name, value))
    if sum(len(condition.values) for group in groups for condition in group) > MAX_VALUES:
        raise UsageError(f"The query has more than {MAX_VALUES} values; ask in several queries.")
    return AlarmQuery(
        tuple(fields),
        tuple(map(tuple, groups)),
        tuple(sort.items()),
        numbers.get("offset", 0),
        min(numbers.get("limit", DEFAULT_LIMIT), MAX_LIMIT),
    )


def run_query(alarms: Iterable[Mapping[str, Any]], query: AlarmQuery) -> AlarmPage:
    """The page of `alarms` that the query selects, in the given order unless it is to be sorted.

    Without `sort`, only the shown alarms are held in memory.
    """
    selected = (alarm for alarm in alarms if all(any(one.matches(alarm) for one in group) for group in query.filters))
    count, shown = 0, []
    for alarm in _sorted(selected, query.sort):
        if query.offset <= count < query.offset + query.limit:
            shown.append(alarm)
        count += 1
    return page(shown, count, query)


def page(shown: Iterable[Mapping[str, Any]], count: int, query: AlarmQuery) -> AlarmPage:
    """The response with the alarms that are shown, of `count` that are selected."""
    alarms = [select_fields(alarm, query.fields) for alarm in shown]
    headers = {"X-Total-Count": str(count), "X-Result-Count": str(len(alarms))}
    return AlarmPage(206 if len(alarms) < count else 200, headers, alarms)


def select_fields(alarm: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """The alarm with the given attributes (none: all), always with id and href."""
    return {name: value for name, value in alarm.items() if not fields or name in fields or name in ("id", "href")}


def error_body(status: int, reason: str, message: str = "") -> dict[str, Any]:
    """The body of an error response (Error in the schema)."""
    return without_empty(
        {"code": str(status), "reason": clean(reason, MAX_NAME), "message": clean(message), "status": str(status)}
    )


def _alternatives(name: str, value: str) -> list[AlarmFilter]:
    """The conditions of one parameter, one for each attribute and operator."""
    # A parser of URLs leaves a sign other than "=" in the name.
    text = name if not value and _CONDITION.match(name) else f"{name}={value}"
    found: dict[tuple[str, FilterOperator], list[str]] = {}
    key: tuple[str, FilterOperator] | None = None
    for piece in text.split(";"):
        match = _CONDITION.fullmatch(piece)
        if key is None or (match and _split_name(match[1].strip())[0] in FILTERS):
            key, piece = (_key(match[1].strip(), match[2]), match[3]) if match else (_key(piece, "="), "")
        found.setdefault(key, []).extend(_parts(piece))
    if len(found) == 1 and ("," in value or ";" in value):
        (values,) = found.values()
        values.append(value.strip())  # a text may contain the separators
    return [AlarmFilter(*key, tuple(_values(key[0], values))) for key, values in found.items()]


def _values(name: str, texts: Sequence[str]) -> list[Value]:
    """The values that are compared, each once."""
    if name in TIMES:
        return list(dict.fromkeys(time_value(text) for text in texts if not _joined(text)))
    if name in RANKS:
        return [RANKS[name][_check_value(name, text)] for text in dict.fromkeys(texts) if not _joined(text)]
    return list(dict.fromkeys(texts))


def _joined(text: str) -> bool:
    return "," in text or ";" in text


def _add(groups: list[list[AlarmFilter]], conditions: list[AlarmFilter]) -> None:
    """Add a group. A condition alone joins an earlier one on the same attribute: repeated names are alternatives."""
    if len(conditions) == 1:
        (new,) = conditions
        for place, group in enumerate(groups):
            old = group[0]
            if len(group) == 1 and (old.name, old.operator) == (new.name, new.operator):
                groups[place] = [AlarmFilter(new.name, new.operator, (*old.values, *new.values))]
                return
    groups.append(conditions)


def _key(name: str, sign: str) -> tuple[str, FilterOperator]:
    attribute, operator = _split_name(name)
    _check_name(attribute, FILTERS)
    if operator is None:
        operator = _SIGNS[sign]
    elif sign != "=":
        raise UsageError(f"{clean(name + sign, MAX_NAME)!r} has two operators; give one.")
    if operator not in (FilterOperator.EQUAL, FilterOperator.NOT_EQUAL) and attribute not in ORDERED:
        raise UsageError(
            f"{attribute} has no order, so {operator.value!r} is not possible; it is for {', '.join(ORDERED)}."
        )
    return attribute, operator


def _split_name(name: str) -> tuple[str, FilterOperator | None]:
    attribute, dot, operator = name.rpartition(".")
    return (attribute, FilterOperator(operator)) if dot and operator in tuple(FilterOperator) else (name, None)


def _sorted(alarms: Iterable[Mapping[str, Any]], sort: Sequence[tuple[str, bool]]) -> Iterable[Mapping[str, Any]]:
    for name, descending in reversed(sort):
        keyed = [(comparable(name, _value(alarm, name)), alarm) for alarm in alarms]
        known: list[tuple[Any, Mapping[str, Any]]] = [pair for pair in keyed if pair[0] is not None]
        known.sort(key=lambda pair: pair[0], reverse=descending)
        alarms = [alarm for _, alarm in known] + [alarm for value, alarm in keyed if value is None]
    return alarms


def _ordered(operator: FilterOperator, found: Any, value: Any) -> bool:
    match operator:
        case FilterOperator.GREATER:
            return bool(found > value)
        case FilterOperator.GREATER_OR_EQUAL:
            return bool(found >= value)
        case FilterOperator.LESS:
            return bool(found < value)
    return bool(found <= value)


def _value(alarm: Mapping[str, Any], name: str) -> object:
    value: Any = alarm
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _parts(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _check_name(name: str, names: Sequence[str]) -> str:
    if name not in names:
        raise UsageError(
            f"{clean(name, MAX_NAME)!r} is not a parameter or attribute here; use one of {', '.join(names)}."
        )
    return name


def _check_value(name: str, value: str) -> str:
    if value not in RANKS[name]:
        raise UsageError(f"{name} is never {clean(value, MAX_NAME)!r}; use one of {', '.join(RANKS[name])}.")
    return value


def _parse_number(name: str, value: str) -> int:
    # Nine digits are enough, and int() is slow for very long numbers.
    if not (value.isascii() and value.isdecimal() and len(value) <= 9):
        raise UsageError(
            f"The {name} {clean(value, MAX_NAME)!r} is not a whole number with at most nine digits; correct it."
        )
    return int(value)
