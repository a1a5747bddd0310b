"""Incidents as alarms of TMF642 Alarm Management 4.0.0, and the notifications of their changes.

Severities are those of ITU-T X.733 in lower case, as `cleared` in the schema. Alarm types are those of 3GPP TS 28.532. The id of an
alarm is the identity of the incident from raise to clear.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from faultprint.publish.incident import MAX_EVIDENCE, AlarmState, Change, Comment, Incident
from faultprint.publish.inventory import Inventory, element_of
from faultprint.publish.text import MAX_LINE, MAX_NAME, clean, finite_or_none, rfc3339, round_float32, without_empty

BASE_PATH: Final = "/tmf-api/alarmManagement/v4"
SHOWN_COMMENTS: Final = 16
"""Maximum number of comments in an alarm: the latest ones."""


class AlarmType(StrEnum):
    """Alarm types of 3GPP TS 28.532, after ITU-T X.733, 8.1.1."""

    COMMUNICATIONS = "COMMUNICATIONS_ALARM"
    QUALITY_OF_SERVICE = "QUALITY_OF_SERVICE_ALARM"
    PROCESSING_ERROR = "PROCESSING_ERROR_ALARM"
    EQUIPMENT = "EQUIPMENT_ALARM"
    ENVIRONMENTAL = "ENVIRONMENTAL_ALARM"


@dataclass(frozen=True, slots=True)
class AlarmSettings:
    """Fields of alarms that do not come from the incident.

    base      URL or path of the API, without a slash at the end; the href of an alarm begins with it
    source    sourceSystemId and reportingSystemId
    types     condition → alarmType (default: quality of service, because traffic shows that)
    causes    condition → probableCause of X.733 or TS 32.111-2 annex B (default: indeterminate)
    """

    base: str = BASE_PATH
    source: str = "faultprint"
    types: Mapping[str, AlarmType] = field(default_factory=dict)
    causes: Mapping[str, str] = field(default_factory=dict)
    object_type: str = "PCSCF"
    inventory: Inventory = field(default_factory=dict)


_STATE: Final[Mapping[AlarmState, str]] = {
    AlarmState.ONSET: "raised",
    AlarmState.CHANGED: "updated",
    AlarmState.CLEARED: "cleared",
}


@dataclass(frozen=True, slots=True)
class _NotificationKind:
    """The notification of a change, and the changed attribute if the schema has a field for it."""

    event_type: str
    title: str
    path: str | None = None


_NOTIFICATIONS: Final[Mapping[Change, _NotificationKind]] = {
    Change.ONSET: _NotificationKind("AlarmCreateEvent", "Alarm raised"),
    Change.DIAGNOSIS: _NotificationKind("AlarmAttributeValueChangeEvent", "Diagnosis changed", "alarm.specificProblem"),
    Change.ACKNOWLEDGEMENT: _NotificationKind(
        "AlarmAttributeValueChangeEvent", "Acknowledgement changed", "alarm.ackState"
    ),
    Change.COMMENT: _NotificationKind("AlarmAttributeValueChangeEvent", "Comment added", "alarm.comment"),
    Change.CLEAR: _NotificationKind("AlarmStateChangeEvent", "Alarm cleared"),
}

LISTENER_PATHS: Final[Mapping[str, str]] = {
    kind.event_type: f"/listener/{kind.event_type[0].lower()}{kind.event_type[1:]}" for kind in _NOTIFICATIONS.values()
}
"""eventType → its path below a listener's callback URL."""


def alarm_resource(incident: Incident, settings: AlarmSettings) -> dict[str, Any]:
    """The Alarm resource of the incident; it is also a valid AlarmCreate."""
    element = element_of(settings.inventory, incident.node)
    cleared_us = incident.cleared_us
    acknowledged_by, cleared_by = incident.acknowledged_by, incident.cleared_by
    source = clean(settings.source, MAX_NAME) or "faultprint"
    resource = {
        "id": str(incident.identity),
        "href": href(incident, settings),
        "externalAlarmId": str(incident.identity),
        "alarmType": settings.types.get(incident.condition, AlarmType.QUALITY_OF_SERVICE).value,
        "perceivedSeverity": "cleared" if cleared_us is not None else incident.severity.value,
        "probableCause": clean(settings.causes.get(incident.condition, ""), MAX_NAME) or "indeterminate",
        "specificProblem": clean(incident.condition, MAX_NAME) or "unnamed",
        "alarmDetails": _details(incident),
        "alarmedObject": without_empty(
            {"id": element.id or element.name, "@type": clean(settings.object_type, MAX_NAME)}
        ),
        "alarmedObjectType": clean(settings.object_type, MAX_NAME),
        "sourceSystemId": source,
        "reportingSystemId": source,
        "state": _STATE[incident.state],
        "alarmRaisedTime": rfc3339(incident.onset_us),
        "alarmChangedTime": rfc3339(incident.changed_us),
        "alarmClearedTime": None if cleared_us is None else rfc3339(cleared_us),
        "ackState": "acknowledged" if acknowledged_by else "unacknowledged",
        "ackUserId": clean(acknowledged_by.user, MAX_NAME) if acknowledged_by else None,
        "ackSystemId": clean(acknowledged_by.system, MAX_NAME) if acknowledged_by else None,
        "clearUserId": clean(cleared_by.user, MAX_NAME) if cleared_by else None,
        "clearSystemId": clean(cleared_by.system, MAX_NAME) if cleared_by else None,
        "comment": [_comment(comment) for comment in incident.comments[-SHOWN_COMMENTS:]] or None,
        "@type": "Alarm",
    }
    return without_empty(resource)


def notification(incident: Incident, settings: AlarmSettings) -> dict[str, Any]:
    """The notification of the incident's last change; it is posted to LISTENER_PATHS[eventType]."""
    kind = _NOTIFICATIONS[incident.change]
    subject = f"{clean(incident.condition, MAX_NAME)} at {clean(incident.node, MAX_NAME)}"
    event = {
        "eventId": str(incident.event_id),
        "eventTime": rfc3339(incident.changed_us),
        "timeOcurred": rfc3339(incident.changed_us),  # spelled like this in the schema
        "eventType": kind.event_type,
        "correlationId": str(incident.identity),
        "domain": "alarm",
        "title": kind.title,
        "description": clean(f"{kind.title}: {subject}"),
        "fieldPath": kind.path,
        "event": {"alarm": alarm_resource(incident, settings)},
    }
    return without_empty(event)


def href(incident: Incident, settings: AlarmSettings) -> str:
    """The address of the alarm in the API."""
    return f"{clean(settings.base, MAX_LINE)}/alarm/{incident.identity}"


def _comment(comment: Comment) -> dict[str, str]:
    return without_empty(
        {
            "comment": clean(comment.text),
            "userId": clean(comment.author.user, MAX_NAME),
            "systemId": clean(comment.author.system, MAX_NAME),
            "time": rfc3339(comment.author.time_us),
        }
    )


def _details(incident: Incident) -> str:
    """The explanation of the verdict in one line."""
    explanation = incident.explanation
    runner_up = clean(explanation.runner_up or "", MAX_NAME)
    numbers = (("distance", finite_or_none(explanation.distance)), ("margin", finite_or_none(explanation.margin)))
    parts = [
        *([f"before: {clean(incident.previous_condition, MAX_NAME)}"] if incident.previous_condition else []),
        *(f"{name} {round_float32(value)}" for name, value in numbers if value is not None),
        *([f"runner-up {runner_up}"] if runner_up else []),
        *(clean(entry, MAX_NAME) for entry in explanation.evidence[:MAX_EVIDENCE]),
    ]
    return "; ".join(parts)
