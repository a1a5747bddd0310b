"""The writing half of a TMF642 API: requests to acknowledge, clear or comment alarms. Pure: no server here.

POST {base}/ackAlarms       {"ackUserId", "ackSystemId", "alarmPattern": [{"id": …}]}
POST {base}/unAckAlarms     the same
POST {base}/clearAlarms     {"clearUserId", "clearSystemId", "alarmClearedTime", "alarmPattern"}
POST {base}/commentAlarms   {"comment": {"comment", "userId", "systemId"}, "alarmPattern"}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from faultprint.errors import UsageError
from faultprint.publish.incident import Actor, Incident, IncidentOperation
from faultprint.publish.text import LINE, NAME, clean, present, rfc3339
from faultprint.publish.tmf642.alarm import AlarmSettings, href

PATTERNS: Final = 100
"""Patterns of one request, at most."""


class TaskKind(StrEnum):
    """The last part of the path that a task is posted to."""

    ACKNOWLEDGE = "ackAlarms"
    UNACKNOWLEDGE = "unAckAlarms"
    CLEAR = "clearAlarms"
    COMMENT = "commentAlarms"


@dataclass(frozen=True, slots=True)
class _Names:
    """What a task does, and what the schema calls the user, the system, the time and the alarms that were dealt with."""

    deed: IncidentOperation
    user: str
    system: str
    time: str
    done: str


_NAMES: Final[Mapping[TaskKind, _Names]] = {
    TaskKind.ACKNOWLEDGE: _Names(IncidentOperation.ACKNOWLEDGE, "ackUserId", "ackSystemId", "ackTime", "ackedAlarm"),
    TaskKind.UNACKNOWLEDGE: _Names(IncidentOperation.UNACKNOWLEDGE, "ackUserId", "ackSystemId", "ackTime", "unAckedAlarm"),
    TaskKind.CLEAR: _Names(IncidentOperation.CLEAR, "clearUserId", "clearSystemId", "alarmClearedTime", "clearedAlarm"),
    TaskKind.COMMENT: _Names(IncidentOperation.COMMENT, "userId", "systemId", "time", "commentedAlarm"),
}


@dataclass(frozen=True, slots=True)
class AlarmTask:
    """A request: what is to be done to which alarms, by whom; `text` is a comment's."""

    kind: TaskKind
    patterns: tuple[Mapping[str, Any], ...]
    by: Actor
    text: str = ""

    def applies_to(self, alarm: Mapping[str, Any]) -> bool:
        """Whether all attributes of any pattern compare equal to the alarm's."""
        return any(_agrees(alarm, pattern) for pattern in self.patterns)

    @property
    def operation(self) -> IncidentOperation:
        """What is to be done to each of them."""
        return _NAMES[self.kind].deed

    @property
    def identities(self) -> tuple[str, ...] | None:
        """The ids of all alarms that may be meant, where every pattern names one."""
        named = [pattern.get("id") for pattern in self.patterns]
        return tuple(dict.fromkeys(map(str, named))) if all(isinstance(one, str) for one in named) else None


def parse_task(kind: TaskKind, body: object, now_us: int) -> AlarmTask:
    """The task in a request's decoded JSON; it is done now (µs, UTC), whatever time the request claims.

    Raises UsageError, in one sentence, for a body that lacks what the schema requires. A pattern without attributes,
    which would mean every alarm, is refused, too.
    """
    request = _object(body, kind.value)
    patterns = request.get("alarmPattern")
    if not isinstance(patterns, list) or not 0 < len(patterns) <= PATTERNS or not all(patterns):
        raise UsageError(
            f"{kind.value} needs 1 to {PATTERNS} alarmPattern with at least one attribute each; give them."
        )
    names = _NAMES[kind]
    who = _object(request.get("comment"), "comment") if kind is TaskKind.COMMENT else request
    by = Actor(_text(who, names.user), _text(who, names.system), now_us)
    text = _text(who, "comment", LINE) if kind is TaskKind.COMMENT else ""
    return AlarmTask(kind, tuple(_object(pattern, "alarmPattern") for pattern in patterns), by, text)


def task_resource(
    task: AlarmTask, identity: UUID, done: Sequence[Incident], settings: AlarmSettings, *, state: str = "done"
) -> dict[str, Any]:
    """The resource that answers a task: AckAlarms, UnAckAlarms, ClearAlarms or CommentAlarms.

    The alarms are told by uuid and href: in a reference the schema's `id` is a 32-bit integer, which ours is not.
    """
    names = _NAMES[task.kind]
    who: dict[str, Any] = {
        names.user: clean(task.by.user, NAME),
        names.system: clean(task.by.system, NAME),
        names.time: rfc3339(task.by.time_us),
    }
    comment = task.kind is TaskKind.COMMENT
    found = {
        "id": str(identity),
        "href": f"{clean(settings.base, LINE)}/{task.kind.value}/{identity}",
        "state": state,
        **({"comment": {**who, "comment": clean(task.text)}} if comment else who),
        names.done: [{"uuid": str(incident.identity), "href": href(incident, settings)} for incident in done],
        "@type": task.kind.value[0].upper() + task.kind.value[1:],
    }
    return present(found)


def _agrees(found: object, wanted: object) -> bool:
    if not isinstance(wanted, Mapping):
        return found == wanted
    # An empty object says nothing, and must not come to mean every alarm.
    return (
        bool(wanted)
        and isinstance(found, Mapping)
        and all(_agrees(found.get(name), value) for name, value in wanted.items())
    )


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{name} must be a JSON object; see TMF642 4.0.0.")
    return value


def _text(values: Mapping[str, Any], name: str, limit: int = NAME) -> str:
    found = values.get(name)
    if not isinstance(found, str) or not (text := clean(found, limit)):
        raise UsageError(f"{name} must be text that is not empty; give it.")
    return text
