"""The table of alarms: what incidents are filtered and sorted by, one narrow row for each. The documents stay in `incident`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from faultprint.errors import UsageError
from faultprint.monitor.state.database import Database
from faultprint.publish import incident_codec
from faultprint.publish.incident import Actor, AlarmState, Incident
from faultprint.publish.text import MAX_NAME, clean
from faultprint.publish.tmf642.order import RANKS

COLUMNS: Final = (
    "identity",
    "open",
    "changed",
    "state",
    "severity",
    "raised",
    "cleared",
    "problem",
    "object",
    "ack_user",
    "ack_system",
    "clear_user",
    "clear_system",
)
_STATE: Final = {AlarmState.ONSET: "raised", AlarmState.CHANGED: "updated", AlarmState.CLEARED: "cleared"}
_ORDER: Final = "open DESC, changed, identity"
"""Open alarms first, then by time of their last change. The index `alarm_order` has it."""


@dataclass(frozen=True, slots=True)
class SqlCondition:
    """A condition on the table of alarms, with its values."""

    text: str
    values: tuple[Any, ...] = ()

    def negated(self) -> SqlCondition:
        """Also true where the condition is neither true nor false because a value is missing."""
        return SqlCondition(f"({self.text}) IS NOT TRUE", self.values)


def is_one_of(column: str, values: Sequence[Any]) -> SqlCondition:
    """Whether the column has one of the values."""
    if not values:
        return always(False)
    return SqlCondition(f"{column} IN ({', '.join('?' * len(values))})", tuple(values))


def always(result: bool) -> SqlCondition:
    """A condition that does not depend on the row."""
    return SqlCondition("1 = 1" if result else "1 = 0")


def any_of(conditions: Iterable[SqlCondition]) -> SqlCondition:
    """True if one of the conditions is true."""
    return _joined(" OR ", list(conditions), otherwise=False)


def all_of(conditions: Iterable[SqlCondition]) -> SqlCondition:
    """True if all conditions are true."""
    return _joined(" AND ", list(conditions), otherwise=True)


@dataclass(frozen=True, slots=True)
class AlarmSelection:
    """A page of alarms. `sort`: columns and whether the order is descending; missing values come last."""

    condition: SqlCondition
    sort: tuple[tuple[str, bool], ...]
    offset: int
    limit: int

    @property
    def count_query(self) -> str:
        """The statement that counts the selected alarms."""
        return f"SELECT count(*) FROM alarm WHERE {self.condition.text}"

    @property
    def page_query(self) -> str:
        """The statement that reads the identities of the page, in order; its last values are limit and offset."""
        keys = (
            f"{f'{column} IS NULL, ' if column == 'cleared' else ''}{column} {'DESC' if descending else 'ASC'}"
            for column, descending in self.sort
        )
        order = ", ".join((*keys, _ORDER))
        return f"SELECT identity FROM alarm WHERE {self.condition.text} ORDER BY {order} LIMIT ? OFFSET ?"


def read_page(database: Database, selection: AlarmSelection) -> tuple[int, list[Incident]]:
    """The number of selected alarms, and the incidents of the page. Raises StateError, or UsageError for a damaged state."""
    condition = selection.condition
    ((count,),) = database.execute(selection.count_query, condition.values)
    if selection.offset >= count:
        return count, []
    page = database.execute(selection.page_query, (*condition.values, selection.limit, selection.offset))
    identities = [identity for (identity,) in page]
    wanted = is_one_of("identity", identities)
    documents = dict(database.execute(f"SELECT identity, document FROM incident WHERE {wanted.text}", wanted.values))
    return count, [incident_codec.load(documents[identity]) for identity in identities if identity in documents]


def read_matching(database: Database, condition: SqlCondition) -> Iterator[Incident]:
    """The incidents whose rows meet a condition, in the order of the list. They are read lazily."""
    chosen = f"SELECT identity FROM alarm WHERE {condition.text}"
    query = f"SELECT document FROM incident WHERE identity IN ({chosen}) ORDER BY {_ORDER}"
    for (document,) in database.stream(query, condition.values):
        yield incident_codec.load(document)


def alarm_row(incident: Incident) -> tuple[Any, ...]:
    """The row of an incident: a value for each of COLUMNS."""
    state, cleared = _STATE[incident.state], incident.cleared_us is not None
    return (
        str(incident.identity),
        int(not cleared),
        incident.changed_us,
        RANKS["state"][state],
        RANKS["perceivedSeverity"]["cleared" if cleared else incident.severity.value],
        incident.onset_us,
        incident.cleared_us,
        clean(incident.condition, MAX_NAME) or "unnamed",
        clean(incident.node, MAX_NAME) or "unnamed",
        *_actor(incident.acknowledged_by),
        *_actor(incident.cleared_by),
    )


def complete_alarms(database: Database, statement: str) -> None:
    """Bring the table up to date with the incidents, where an earlier version wrote them. Call it in a transaction.

    `statement`: inserts or replaces a row.
    """
    same = "alarm.identity = incident.identity AND alarm.open = incident.open AND alarm.changed = incident.changed"
    stale = f"SELECT document FROM incident WHERE NOT EXISTS (SELECT 1 FROM alarm WHERE {same})"
    database.many(statement, list(_rows(database.stream(stale))))
    kept = "SELECT 1 FROM incident WHERE incident.identity = alarm.identity"
    database.execute(f"DELETE FROM alarm WHERE NOT EXISTS ({kept})")


def _rows(documents: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    for (document,) in documents:
        try:
            yield alarm_row(incident_codec.load(document))
        except UsageError:
            continue  # the reader of this incident reports it


def _actor(actor: Actor | None) -> tuple[str | None, str | None]:
    """User and system, or None for both if no operator did it."""
    return (None, None) if actor is None else (clean(actor.user, MAX_NAME), clean(actor.system, MAX_NAME))


def _joined(word: str, conditions: Sequence[SqlCondition], *, otherwise: bool) -> SqlCondition:
    if not conditions:
        return always(otherwise)
    text = word.join(f"({condition.text})" for condition in conditions)
    return SqlCondition(text, tuple(value for condition in conditions for value in condition.values))
