"""Tasks of a TMF642 API: requests to acknowledge, clear or comment alarms. There is no server here.

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
from faultprint.publish.text import MAX_LINE, MAX_NAME, clean, rfc3339, without_empty
from faultprint.publish.tmf642.alarm import AlarmSettings, href

MAX_PATTERNS: Final = 100
"""Maximum number of patterns in a request."""


class TaskKind(StrEnum):
    """The last part of the path of a task."""

    ACKNOWLEDGE = "ackAlarms"
    UNACKNOWLEDGE = "unAckAlarms"
    CLEAR = "clearAlarms"
    COMMENT = "commentAlarms"


@dataclass(frozen=True, slots=True)
class _TaskFields:
    """The operation of a task, and the schema's field names for user, system, time and processed alarms."""

    operation: IncidentOperation
    user: str
    system: str
    time: str
    alarms: str


_FIELDS: Final[Mapping[TaskKind, _TaskFields]] = {
    TaskKind.ACKNOWLEDGE: _TaskFields(
        IncidentOperation.ACKNOWLEDGE, "ackUserId", "ackSystemId", "ackTime", "ackedAlarm"
    ),
    TaskKind.UNACKNOWLEDGE: _TaskFields(
        IncidentOperation.UNACKNOWLEDGE, "ackUserId", "ackSystemId", "ackTime", "unAckedAlarm"
    ),
    TaskKind.CLEAR: _TaskFields(
        IncidentOperation.CLEAR, "clearUserId", "clearSystemId", "alarmClearedTime", "clearedAlarm"
    ),
    TaskKind.COMMENT: _TaskFields(IncidentOperation.COMMENT, "userId", "systemId", "time", "commentedAlarm"),
}


@dataclass(frozen=True, slots=True)
class AlarmTask:
    """A request: the operation, the patterns of alarms, and the operator; `text` is the text of a comment."""

    kind: TaskKind
    patterns: tuple[Mapping[str, Any], ...]
    actor: Actor
    text: str = ""

    def applies_to(self, alarm: Mapping[str, Any]) -> bool:
        """Whether any pattern matches: all of its attributes must equal those of the alarm."""
        return any(_matches(alarm, pattern) for pattern in self.patterns)

    @property
    def operation(self) -> IncidentOperation:
        """The operation on each alarm."""
        return _FIELDS[self.kind].operation

    @property
    def alarm_ids(self) -> tuple[str, ...] | None:
        """The ids of all alarms that can match, if every pattern contains an id; otherwise None."""
        ids = [pattern.get("id") for pattern in self.patterns]
        return tuple(dict.fromkeys(map(str, ids))) if all(isinstance(alarm_id, str) for alarm_id in ids) else None


def parse_task(kind: TaskKind, body: object, now_us: int) -> AlarmTask:
    """Parse the decoded JSON of a request. The time of the task is `now_us` (µs, UTC), not the time in the request.

    Raises UsageError for a body without the fields that the schema requires. A pattern without attributes is refused too, because
    it would match every alarm.
    """
    request = _object(body, kind.value)
    patterns = request.get("alarmPattern")
    if not isinstance(patterns, list) or not 0 < len(patterns) <= MAX_PATTERNS or not all(patterns):
        raise UsageError(
            f"{kind.value} needs 1 to {MAX_PATTERNS} entries in alarmPattern, each with one attribute or more; add them."
        )
    fields = _FIELDS[kind]
    author = _object(request.get("comment"), "comment") if kind is TaskKind.COMMENT else request
    by = Actor(_text(author, fields.user), _text(author, fields.system), now_us)
    text = _text(author, "comment", MAX_LINE) if kind is TaskKind.COMMENT else ""
    return AlarmTask(kind, tuple(_object(pattern, "alarmPattern") for pattern in patterns), by, text)


def task_resource(
    task: AlarmTask, identity: UUID, incidents: Sequence[Incident], settings: AlarmSettings, *, state: str = "done"
) -> dict[str, Any]:
    """The resource that answers a task: AckAlarms, UnAckAlarms, ClearAlarms or CommentAlarms.

    Alarms are referenced by uuid and href: in a reference the `id` of the schema is a 32-bit integer, and ours is a text.
    """
    fields = _FIELDS[task.kind]
    author: dict[str, Any] = {
        fields.user: clean(task.actor.user, MAX_NAME),
        fields.system: clean(task.actor.system, MAX_NAME),
        fields.time: rfc3339(task.actor.time_us),
    }
    is_comment = task.kind is TaskKind.COMMENT
    resource = {
        "id": str(identity),
        "href": f"{clean(settings.base, MAX_LINE)}/{task.kind.value}/{identity}",
        "state": state,
        **({"comment": {**author, "comment": clean(task.text)}} if is_comment else author),
        fields.alarms: [{"uuid": str(incident.identity), "href": href(incident, settings)} for incident in incidents],
        "@type": task.kind.value[0].upper() + task.kind.value[1:],
    }
    return without_empty(resource)


def _matches(value: object, pattern: object) -> bool:
    if not isinstance(pattern, Mapping):
        return value == pattern
    # An empty object must not match every alarm.
    return (
        bool(pattern)
        and isinstance(value, Mapping)
        and all(_matches(value.get(name), part) for name, part in pattern.items())
    )


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{name} must be a JSON object; see TMF642 4.0.0.")
    return value


def _text(values: Mapping[str, Any], name: str, limit: int = MAX_NAME) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not (text := clean(value, limit)):
        raise UsageError(f"{name} is missing or empty; give a text.")
    return text
