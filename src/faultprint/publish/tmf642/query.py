"""Queries of a TMF642 API: which alarms are selected, and which of their attributes are shown. There is no server here.

    GET {base}/alarm?state=raised,updated&alarmedObject.id=pcscf1&fields=perceivedSeverity,state&offset=0&limit=100

A filter compares for equality (TMF630). An alarm must match the filters of all names; of several values of one name, separated
by commas, it must match one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from faultprint.errors import UsageError
from faultprint.publish.text import MAX_NAME, clean, without_empty

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000
"""Maximum number of alarms in a response."""

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


@dataclass(frozen=True, slots=True)
class AlarmQuery:
    """`fields`: attributes to show (empty: all). `filters`: pairs of an attribute and its accepted values."""

    fields: tuple[str, ...] = ()
    filters: tuple[tuple[str, tuple[str, ...]], ...] = ()
    offset: int = 0
    limit: int = DEFAULT_LIMIT

    @property
    def includes_cleared(self) -> bool:
        """Whether the query can select a cleared alarm."""
        return all("cleared" in values for name, values in self.filters if name == "state")


@dataclass(frozen=True, slots=True)
class AlarmPage:
    """A response: status 206 means that more alarms are selected than shown (TMF630)."""

    status: int
    headers: Mapping[str, str]
    alarms: list[dict[str, Any]]


def parse_query(parameters: Iterable[tuple[str, str]]) -> AlarmQuery:
    """Parse the decoded parameters of a URL. Raises UsageError for an unknown name or an invalid value."""
    fields: tuple[str, ...] = ()
    filters: list[tuple[str, tuple[str, ...]]] = []
    numbers = {"offset": 0, "limit": DEFAULT_LIMIT}
    for name, value in parameters:
        values = tuple(part.strip() for part in value.split(",") if part.strip())
        if name == "fields":
            fields = tuple(_check_name(field, ATTRIBUTES) for field in values)
        elif name in numbers:
            numbers[name] = _parse_number(name, value)
        else:
            filters.append((_check_name(name, FILTERS), values))
    return AlarmQuery(fields, tuple(filters), numbers["offset"], min(numbers["limit"], MAX_LIMIT))


def run_query(alarms: Iterable[Mapping[str, Any]], query: AlarmQuery) -> AlarmPage:
    """The page of `alarms` that the query selects, in the given order. Only the shown alarms are held in memory."""
    count, shown = 0, []
    for alarm in alarms:
        if all(_value(alarm, name) in values for name, values in query.filters):
            if query.offset <= count < query.offset + query.limit:
                shown.append(select_fields(alarm, query.fields))
            count += 1
    headers = {"X-Total-Count": str(count), "X-Result-Count": str(len(shown))}
    return AlarmPage(206 if len(shown) < count else 200, headers, shown)


def select_fields(alarm: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """The alarm with the given attributes (none: all), always with id and href."""
    return {name: value for name, value in alarm.items() if not fields or name in fields or name in ("id", "href")}


def error_body(status: int, reason: str, message: str = "") -> dict[str, Any]:
    """The body of an error response (Error in the schema)."""
    return without_empty(
        {"code": str(status), "reason": clean(reason, MAX_NAME), "message": clean(message), "status": str(status)}
    )


def _value(alarm: Mapping[str, Any], name: str) -> object:
    value: Any = alarm
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _check_name(name: str, names: Sequence[str]) -> str:
    if name not in names:
        raise UsageError(
            f"{clean(name, MAX_NAME)!r} is not a parameter or attribute here; use one of {', '.join(names)}."
        )
    return name


def _parse_number(name: str, value: str) -> int:
    # Nine digits are enough, and int() is slow for very long numbers.
    if not (value.isascii() and value.isdecimal() and len(value) <= 9):
        raise UsageError(
            f"The {name} {clean(value, MAX_NAME)!r} is not a whole number with at most nine digits; correct it."
        )
    return int(value)
