"""Translates a TMF642 query into conditions on the table of alarms, so that the database filters, sorts and pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from faultprint.monitor.state.alarms import AlarmSelection, SqlCondition, all_of, always, any_of, is_one_of
from faultprint.publish.inventory import element_of
from faultprint.publish.text import MAX_LINE, MAX_NAME, clean
from faultprint.publish.tmf642.alarm import AlarmSettings, AlarmType
from faultprint.publish.tmf642.order import RANKS, TIMES, Value
from faultprint.publish.tmf642.query import AlarmFilter, AlarmQuery, FilterOperator

_COLUMNS: Final[Mapping[str, str]] = {
    "id": "identity",
    "externalAlarmId": "identity",
    "perceivedSeverity": "severity",
    "specificProblem": "problem",
    "state": "state",
    "alarmRaisedTime": "raised",
    "alarmChangedTime": "changed",
    "alarmClearedTime": "cleared",
    "ackUserId": "ack_user",
    "ackSystemId": "ack_system",
    "clearUserId": "clear_user",
    "clearSystemId": "clear_system",
}
_SIGNS: Final[Mapping[FilterOperator, str]] = {
    FilterOperator.GREATER: ">",
    FilterOperator.GREATER_OR_EQUAL: ">=",
    FilterOperator.LESS: "<",
    FilterOperator.LESS_OR_EQUAL: "<=",
}
Equality = Callable[[Sequence[Value]], SqlCondition]
"""The condition that an attribute has one of the values."""


class QueryTranslator:
    """Knows which rows have a value of an attribute, also where it depends on the settings and not on the incident."""

    def __init__(self, settings: AlarmSettings) -> None:
        types = {clean(condition, MAX_NAME): kind.value for condition, kind in settings.types.items()}
        causes = {
            clean(condition, MAX_NAME): clean(cause, MAX_NAME) or "indeterminate"
            for condition, cause in settings.causes.items()
        }
        source = clean(settings.source, MAX_NAME) or "faultprint"
        elements = {
            clean(node, MAX_NAME) or "unnamed": (element := element_of(settings.inventory, node)).id or element.name
            for node in settings.inventory
        }
        self._base = f"{clean(settings.base, MAX_LINE)}/alarm/"
        self._equalities: dict[str, Equality] = {
            "href": self._has_href,
            "alarmType": partial(_mapped, "problem", types, AlarmType.QUALITY_OF_SERVICE.value),
            "probableCause": partial(_mapped, "problem", causes, "indeterminate"),
            "alarmedObject.id": partial(_renamed, "object", elements),
            "alarmedObjectType": partial(_constant, clean(settings.object_type, MAX_NAME)),
            "sourceSystemId": partial(_constant, source),
            "reportingSystemId": partial(_constant, source),
            "@type": partial(_constant, "Alarm"),
            "ackState": _has_ack_state,
        }

    def selection(self, query: AlarmQuery) -> AlarmSelection | None:
        """The rows that the query selects; None if it has a filter that is not in the table (`alarmDetails`)."""
        if any(one.name == "alarmDetails" for group in query.filters for one in group):
            return None
        condition = all_of(any_of(map(self._condition, group)) for group in query.filters)
        sort = tuple((_COLUMNS[name], descending) for name, descending in query.sort)
        return AlarmSelection(condition, sort, query.offset, query.limit)

    def candidates(self, patterns: Iterable[Mapping[str, Any]]) -> SqlCondition:
        """The rows among which the alarms are that match one of the patterns of a task."""
        return any_of(all_of(self._texts(pattern)) for pattern in patterns)

    def _texts(self, pattern: Mapping[str, Any]) -> Iterator[SqlCondition]:
        for name, value in pattern.items():
            if name in _COLUMNS and name not in TIMES and isinstance(value, str):
                stored = RANKS[name].get(value) if name in RANKS else value
                yield always(False) if stored is None else is_one_of(_COLUMNS[name], [stored])
        element = pattern.get("alarmedObject")
        if isinstance(element, Mapping) and isinstance(identity := element.get("id"), str):
            renamed = self._equalities["alarmedObject.id"]((identity,))
            yield any_of([renamed, is_one_of("object", [identity])])

    def _condition(self, one: AlarmFilter) -> SqlCondition:
        if one.operator in _SIGNS:
            # Greater than any of several values: than the least of them.
            best = min if ">" in _SIGNS[one.operator] else max
            bound = [best(map(int, one.values))] if one.values else []
            return any_of(SqlCondition(f"{_COLUMNS[one.name]} {_SIGNS[one.operator]} ?", (value,)) for value in bound)
        equality = self._equalities.get(one.name)
        equal = equality(one.values) if equality else is_one_of(_COLUMNS[one.name], one.values)
        return equal.negated() if one.operator is FilterOperator.NOT_EQUAL else equal

    def _has_href(self, values: Sequence[Value]) -> SqlCondition:
        begin = self._base
        return is_one_of("identity", [text.removeprefix(begin) for text in map(str, values) if text.startswith(begin)])


def _constant(constant: str, values: Sequence[Value]) -> SqlCondition:
    """An attribute that is the same for all alarms; an empty one is left out of alarms."""
    return always(bool(constant) and constant in values)


def _mapped(column: str, known: Mapping[str, str], default: str, values: Sequence[Value]) -> SqlCondition:
    """An attribute that the settings derive from a column; `default`: for all other values of the column."""
    if default in values:
        return is_one_of(column, [key for key, value in known.items() if value not in values]).negated()
    return is_one_of(column, [key for key, value in known.items() if value in values])


def _renamed(column: str, names: Mapping[str, str], values: Sequence[Value]) -> SqlCondition:
    """An attribute that has the value of a column, but for those with another name."""
    renamed = [key for key, name in names.items() if name in values]
    return is_one_of(column, list(dict.fromkeys([*renamed, *(value for value in values if value not in names)])))


def _has_ack_state(values: Sequence[Value]) -> SqlCondition:
    states = {"acknowledged": "ack_user IS NOT NULL", "unacknowledged": "ack_user IS NULL"}
    return any_of(SqlCondition(text) for state, text in states.items() if state in values)
