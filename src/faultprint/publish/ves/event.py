"""Incidents as fault events of the VES Event Listener 7.2.1 (CommonEventFormat 30.2.1).

All events of an incident share eventId, startEpochMicrosec, sourceName, sourceId, eventName, alarmCondition and
specificProblem. sequence counts up from 1, lastEpochMicrosec is the time of the change, and the severity NORMAL clears the alarm
("eventId use case examples" in the specification). The alarm therefore keeps the name of the condition at its onset. The current
condition is alarmAdditionalInformation.condition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid5

from faultprint.publish.incident import MAX_EVIDENCE, NAMESPACE, AlarmState, Incident, Severity
from faultprint.publish.inventory import Inventory, element_of
from faultprint.publish.text import (
    MAX_LINE,
    MAX_NAME,
    camel_case,
    clean,
    finite_or_none,
    round_float32,
    token,
    without_empty,
)

EVENT_PATH: Final = "/eventListener/v7"
"""The path for a single event, below the root of the server."""
BATCH_PATH: Final = "/eventListener/v7/eventBatch"
"""The path for a batch."""
HEADERS: Final[Mapping[str, str]] = {"X-MinorVersion": "2", "X-PatchVersion": "1", "X-LatestVersion": "7.2.1"}
"""Without these headers a listener may answer as version 7.0."""

_SEVERITY: Final[Mapping[Severity, str]] = {
    Severity.CRITICAL: "CRITICAL",
    Severity.MAJOR: "MAJOR",
    Severity.MINOR: "MINOR",
    Severity.WARNING: "WARNING",
    Severity.INDETERMINATE: "WARNING",  # VES has no indeterminate severity
}
# A clear has the same priority as the raise, so that it cannot overtake it.
_PRIORITY: Final[Mapping[Severity, str]] = {
    Severity.CRITICAL: "High",
    Severity.MAJOR: "High",
    Severity.MINOR: "Medium",
    Severity.WARNING: "Normal",
    Severity.INDETERMINATE: "Normal",
}


@dataclass(frozen=True, slots=True)
class VesSettings:
    """Fields about the publisher and the nodes; empty texts are left out if VES does not require them."""

    reporting_entity: str = "faultprint"
    reporting_entity_id: str = ""
    publisher: str = "Faultprint"
    source_type: str = "virtualNetworkFunction"
    category: str = "signaling"
    nf_vendor: str = ""
    nf_naming_code: str = ""
    nfc_naming_code: str = ""
    inventory: Inventory = field(default_factory=dict)


def fault_event(incident: Incident, settings: VesSettings) -> dict[str, Any]:
    """{"event": {"commonEventHeader", "faultFields"}} of the incident's last change."""
    header = common_header(
        settings,
        domain="fault",
        description=incident.initial_condition,
        event_id=str(incident.identity),
        node=incident.node,
        sequence=incident.sequence,
        priority=_PRIORITY[incident.severity],
        start_us=incident.onset_us,
        last_us=incident.changed_us,
    )
    cleared = incident.state is AlarmState.CLEARED
    fault = {
        "faultFieldsVersion": "4.0",
        "alarmCondition": token(incident.initial_condition),
        "eventCategory": clean(settings.category, MAX_NAME),
        "eventSeverity": "NORMAL" if cleared else _SEVERITY[incident.severity],
        "eventSourceType": clean(settings.source_type, MAX_NAME) or "other",
        "specificProblem": clean(f"{clean(incident.initial_condition, MAX_NAME)} at {clean(incident.node, MAX_NAME)}"),
        "vfStatus": "Active",
        "alarmAdditionalInformation": _additional_information(incident),
    }
    return {"event": {"commonEventHeader": header, "faultFields": without_empty(fault)}}


def common_header(
    settings: VesSettings,
    *,
    domain: str,
    description: str,
    event_id: str,
    node: str,
    sequence: int,
    priority: str,
    start_us: int,
    last_us: int,
) -> dict[str, Any]:
    """The commonEventHeader 4.1 of an event of `node`; `description` becomes the last part of eventName."""
    element = element_of(settings.inventory, node)
    header = {
        "version": "4.1",
        "vesEventListenerVersion": "7.2.1",
        "domain": domain,
        "eventName": f"{domain.capitalize()}_{_publisher(settings)}_{camel_case(description)}",
        "eventId": event_id,
        "sequence": sequence,
        "priority": priority,
        "reportingEntityName": clean(settings.reporting_entity, MAX_NAME) or "faultprint",
        "reportingEntityId": clean(settings.reporting_entity_id, MAX_NAME),
        "sourceName": element.name,
        # VES asks for a UUID. Without one in the inventory, a UUID that depends only on the name of the node is used.
        "sourceId": element.id or str(uuid5(NAMESPACE, clean(node, MAX_LINE))),
        "nfVendorName": clean(settings.nf_vendor, MAX_NAME),
        "nfNamingCode": clean(settings.nf_naming_code, MAX_NAME),
        "nfcNamingCode": clean(settings.nfc_naming_code, MAX_NAME),
        "startEpochMicrosec": start_us,
        "lastEpochMicrosec": last_us,
    }
    return without_empty(header)


def _publisher(settings: VesSettings) -> str:
    """The middle part of eventName, without spaces and underscores; `Product-Vendor` and `Function:Component` are allowed."""
    return clean(settings.publisher, MAX_NAME).translate({ord(" "): None, ord("_"): None}) or "Faultprint"


def _additional_information(incident: Incident) -> dict[str, str]:
    """alarmAdditionalInformation: texts with camel-case keys; alarmId as the specification requires for 3GPP alarms."""
    explanation, acknowledged_by, cleared_by = incident.explanation, incident.acknowledged_by, incident.cleared_by
    distance, margin = finite_or_none(explanation.distance), finite_or_none(explanation.margin)
    return without_empty(
        {
            "alarmId": str(incident.identity),
            "notificationId": str(incident.event_id),
            "change": incident.change.value,
            "condition": clean(incident.condition, MAX_NAME),
            "previousCondition": clean(incident.previous_condition or "", MAX_NAME),
            "network": clean(incident.network, MAX_NAME),
            "distance": None if distance is None else str(round_float32(distance)),
            "runnerUp": clean(explanation.runner_up or "", MAX_NAME),
            "margin": None if margin is None else str(round_float32(margin)),
            **{
                f"evidence{number}": clean(entry)
                for number, entry in enumerate(explanation.evidence[:MAX_EVIDENCE], start=1)
            },
            "acknowledgedBy": clean(acknowledged_by.user, MAX_NAME) if acknowledged_by else None,
            "clearedBy": clean(cleared_by.user, MAX_NAME) if cleared_by else None,
            "clearedOnSystem": clean(cleared_by.system, MAX_NAME) if cleared_by else None,
            "comment": clean(incident.comments[-1].text) if incident.comments else None,
        }
    )
