"""The reading half of a TMF642 API: which alarms a query selects, and what of them it shows. Pure: no server here.

    GET {base}/alarm?state=raised,updated&alarmedObject.id=pcscf1&fields=perceivedSeverity,state&offset=0&limit=100

Filters compare for equality (TMF630): several names must all agree, of several values of one name, set apart by commas,
any may.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from faultprint.errors import UsageError
from faultprint.publish.text import NAME, clean, present

DEFAULT_LIMIT: Final = 100
LIMIT: Final = 1000
"""Alarms of one answer, at most."""

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
"""What an alarm may show."""

FILTERS: Final = (*(name for name in ATTRIBUTES if name not in ("alarmedObject", "comment")), "alarmedObject.id")
"""What alarms may be selected by."""


@dataclass(frozen=True, slots=True)
class AlarmQuery:
    """`fields`: the attributes wanted (empty: all). `filters`: attribute → the values of which one must agree."""

    fields: tuple[str, ...] = ()
    filters: tuple[tuple[str, tuple[str, ...]], ...] = ()
    offset: int = 0
    limit: int = DEFAULT_LIMIT

    @property
    def wants_cleared(self) -> bool:
        """Whether a cleared alarm may be selected."""
        return all("cleared" in values for name, values in self.filters if name == "state")


@dataclass(frozen=True, slots=True)
class AlarmPage:
    """The status, headers and alarms of an answer: 206 where there are more than shown (TMF630)."""

    status: int
    headers: Mapping[str, str]
    alarms: list[dict[str, Any]]


def parse_query(parameters: Iterable[tuple[str, str]]) -> AlarmQuery:
    """The query in an URL's decoded parameters. Raises UsageError for one that is not known or not usable."""
    fields: tuple[str, ...] = ()
    filters: list[tuple[str, tuple[str, ...]]] = []
    numbers = {"offset": 0, "limit": DEFAULT_LIMIT}
    for name, value in parameters:
        words = tuple(word.strip() for word in value.split(",") if word.strip())
        if name == "fields":
            fields = tuple(_known(word, ATTRIBUTES) for word in words)
        elif name in numbers:
            numbers[name] = _whole(name, value)
        else:
            filters.append((_known(name, FILTERS), words))
    return AlarmQuery(fields, tuple(filters), numbers["offset"], min(numbers["limit"], LIMIT))


def answer(alarms: Iterable[Mapping[str, Any]], query: AlarmQuery) -> AlarmPage:
    """The answer to `query` from all alarms there are, in the order given; no more is held than is shown."""
    found, shown = 0, []
    for alarm in alarms:
        if all(_value(alarm, name) in values for name, values in query.filters):
            if query.offset <= found < query.offset + query.limit:
                shown.append(project(alarm, query.fields))
            found += 1
    headers = {"X-Total-Count": str(found), "X-Result-Count": str(len(shown))}
    return AlarmPage(206 if len(shown) < found else 200, headers, shown)


def project(alarm: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """The alarm with the attributes wanted (none: all); id and href are always there."""
    return {name: value for name, value in alarm.items() if not fields or name in fields or name in ("id", "href")}


def error(status: int, reason: str, message: str = "") -> dict[str, Any]:
    """The Error body of an answer that is none."""
    return present(
        {"code": str(status), "reason": clean(reason, NAME), "message": clean(message), "status": str(status)}
    )


def _value(alarm: Mapping[str, Any], name: str) -> object:
    found: Any = alarm
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _known(name: str, names: Sequence[str]) -> str:
    if name not in names:
        raise UsageError(f"An alarm cannot be asked for {clean(name, NAME)!r}; possible are {', '.join(names)}.")
    return name


def _whole(name: str, value: str) -> int:
    # Nine digits are plenty, and int() is slow on thousands.
    if not (value.isascii() and value.isdecimal() and len(value) <= 9):
        raise UsageError(f"The {name} {clean(value, NAME)!r} is no whole number of at most nine digits; give one.")
    return int(value)
