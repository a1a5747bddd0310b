"""Incidents as alarms of TMF642 Alarm Management 4.0.0, and the notifications of their changes.

Severities are ITU-T X.733's in lower case, as the schema writes `cleared`; types are those of 3GPP TS 28.532. An
alarm's id is the incident's identity from raise to clear.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from faultprint.publish.incident import AlarmState, Change, Comment, Incident
from faultprint.publish.text import LINE, NAME, clean, finite, present, rfc3339, rounded
from faultprint.publish.ves.inventory import Inventory, element_of

BASE: Final = "/tmf-api/alarmManagement/v4"
COMMENTS: Final = 16
"""The latest comments, which an alarm carries."""
EVIDENCE: Final = 8
"""Words of evidence in alarmDetails, at most."""


class AlarmType(StrEnum):
    """3GPP TS 28.532, after ITU-T X.733 8.1.1."""

    COMMUNICATIONS = "COMMUNICATIONS_ALARM"
    QUALITY_OF_SERVICE = "QUALITY_OF_SERVICE_ALARM"
    PROCESSING_ERROR = "PROCESSING_ERROR_ALARM"
    EQUIPMENT = "EQUIPMENT_ALARM"
    ENVIRONMENTAL = "ENVIRONMENTAL_ALARM"


@dataclass(frozen=True, slots=True)
class AlarmSettings:
    """What the alarms say beyond the incident.

    base      URL or path of the API, without a slash at its end; an alarm's href is below it
    source    sourceSystemId and reportingSystemId
    types     condition → alarmType (others: quality of service, for that is what traffic shows)
    causes    condition → probableCause of X.733 or TS 32.111-2 annex B (others: indeterminate)
    """

    base: str = BASE
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
class _Kind:
    """The notification that tells a change, and the attribute that it is about, where the schema has room for it."""

    event_type: str
    title: str
    path: str | None = None


_KINDS: Final[Mapping[Change, _Kind]] = {
    Change.ONSET: _Kind("AlarmCreateEvent", "Alarm raised"),
    Change.DIAGNOSIS: _Kind("AlarmAttributeValueChangeEvent", "Diagnosis changed", "alarm.specificProblem"),
    Change.ACKNOWLEDGEMENT: _Kind("AlarmAttributeValueChangeEvent", "Acknowledgement changed", "alarm.ackState"),
    Change.COMMENT: _Kind("AlarmAttributeValueChangeEvent", "Comment added", "alarm.comment"),
    Change.CLEAR: _Kind("AlarmStateChangeEvent", "Alarm cleared"),
}

LISTENERS: Final[Mapping[str, str]] = {
    kind.event_type: f"/listener/{kind.event_type[0].lower()}{kind.event_type[1:]}" for kind in _KINDS.values()
}
"""eventType → the path below a listener's callback at which it is posted."""


def alarm(incident: Incident, settings: AlarmSettings) -> dict[str, Any]:
    """The Alarm resource as the incident stands; it also satisfies AlarmCreate."""
    element = element_of(settings.inventory, incident.node)
    seen, cleared_us, cleared_by = incident.acknowledged, incident.cleared_us, incident.cleared_by
    source = clean(settings.source, NAME) or "faultprint"
    found = {
        "id": str(incident.identity),
        "href": href(incident, settings),
        "externalAlarmId": str(incident.identity),
        "alarmType": settings.types.get(incident.condition, AlarmType.QUALITY_OF_SERVICE).value,
        "perceivedSeverity": "cleared" if cleared_us is not None else incident.severity.value,
        "probableCause": clean(settings.causes.get(incident.condition, ""), NAME) or "indeterminate",
        "specificProblem": clean(incident.condition, NAME) or "unnamed",
        "alarmDetails": _details(incident),
        "alarmedObject": present({"id": element.id or element.name, "@type": clean(settings.object_type, NAME)}),
        "alarmedObjectType": clean(settings.object_type, NAME),
        "sourceSystemId": source,
        "reportingSystemId": source,
        "state": _STATE[incident.state],
        "alarmRaisedTime": rfc3339(incident.onset_us),
        "alarmChangedTime": rfc3339(incident.changed_us),
        "alarmClearedTime": None if cleared_us is None else rfc3339(cleared_us),
        "ackState": "acknowledged" if seen else "unacknowledged",
        "ackUserId": clean(seen.user, NAME) if seen else None,
        "ackSystemId": clean(seen.system, NAME) if seen else None,
        "clearUserId": clean(cleared_by.user, NAME) if cleared_by else None,
        "clearSystemId": clean(cleared_by.system, NAME) if cleared_by else None,
        "comment": [_comment(comment) for comment in incident.comments[-COMMENTS:]] or None,
        "@type": "Alarm",
    }
    return present(found)


def notification(incident: Incident, settings: AlarmSettings) -> dict[str, Any]:
    """The event that tells the incident's last change; LISTENERS says where its eventType is posted."""
    kind = _KINDS[incident.change]
    about = f"{clean(incident.condition, NAME)} at {clean(incident.node, NAME)}"
    event = {
        "eventId": str(incident.event_id),
        "eventTime": rfc3339(incident.changed_us),
        "timeOcurred": rfc3339(incident.changed_us),  # the schema's spelling
        "eventType": kind.event_type,
        "correlationId": str(incident.identity),
        "domain": "alarm",
        "title": kind.title,
        "description": clean(f"{kind.title}: {about}"),
        "fieldPath": kind.path,
        "event": {"alarm": alarm(incident, settings)},
    }
    return present(event)


def href(incident: Incident, settings: AlarmSettings) -> str:
    """The alarm's address in the API."""
    return f"{clean(settings.base, LINE)}/alarm/{incident.identity}"


def _comment(comment: Comment) -> dict[str, str]:
    return present(
        {
            "comment": clean(comment.text),
            "userId": clean(comment.by.user, NAME),
            "systemId": clean(comment.by.system, NAME),
            "time": rfc3339(comment.by.time_us),
        }
    )


def _details(incident: Incident) -> str:
    """What led to the verdict, in one line."""
    grounds = incident.grounds
    runner_up = clean(grounds.runner_up or "", NAME)
    numbers = (("distance", finite(grounds.distance)), ("margin", finite(grounds.margin)))
    parts = [
        *([f"before: {clean(incident.previous, NAME)}"] if incident.previous else []),
        *(f"{name} {rounded(value)}" for name, value in numbers if value is not None),
        *([f"runner-up {runner_up}"] if runner_up else []),
        *(clean(word, NAME) for word in grounds.evidence[:EVIDENCE]),
    ]
    return "; ".join(parts)
