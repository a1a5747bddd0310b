"""Incidents as fault events of the VES Event Listener 7.2.1 (CommonEventFormat 30.2.1).

All events of an incident share eventId, startEpochMicrosec, sourceName, sourceId, eventName, alarmCondition and
specificProblem; sequence counts up from 1, lastEpochMicrosec is the moment of the change, and the severity NORMAL
clears ("eventId use case examples" in the specification). The alarm therefore keeps the name of the condition at its onset;
what is believed now is alarmAdditionalInformation.condition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid5

from faultprint.publish.incident import NAMESPACE, AlarmState, Incident, Severity
from faultprint.publish.text import LINE, NAME, camel, clean, finite, present, rounded, token
from faultprint.publish.ves.inventory import Inventory, element_of

EVENT_PATH: Final = "/eventListener/v7"
"""Where a single event is posted, below the server's root."""
BATCH_PATH: Final = "/eventListener/v7/eventBatch"
HEADERS: Final[Mapping[str, str]] = {"X-MinorVersion": "2", "X-PatchVersion": "1", "X-LatestVersion": "7.2.1"}
"""Without them a listener may answer as version 7.0."""

EVIDENCE: Final = 8
"""Words of evidence that are told, at most."""

_SEVERITY: Final[Mapping[Severity, str]] = {
    Severity.CRITICAL: "CRITICAL",
    Severity.MAJOR: "MAJOR",
    Severity.MINOR: "MINOR",
    Severity.WARNING: "WARNING",
    Severity.INDETERMINATE: "WARNING",  # VES has no word for it
}
# A clear keeps its raise's priority, so that it is not overtaken.
_PRIORITY: Final[Mapping[Severity, str]] = {
    Severity.CRITICAL: "High",
    Severity.MAJOR: "High",
    Severity.MINOR: "Medium",
    Severity.WARNING: "Normal",
    Severity.INDETERMINATE: "Normal",
}


@dataclass(frozen=True, slots=True)
class VesSettings:
    """What the events say of their publisher and of the nodes; empty texts are left out where VES lets them be."""

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
        description=incident.raised_as,
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
        "alarmCondition": token(incident.raised_as),
        "eventCategory": clean(settings.category, NAME),
        "eventSeverity": "NORMAL" if cleared else _SEVERITY[incident.severity],
        "eventSourceType": clean(settings.source_type, NAME) or "other",
        "specificProblem": clean(f"{clean(incident.raised_as, NAME)} at {clean(incident.node, NAME)}"),
        "vfStatus": "Active",
        "alarmAdditionalInformation": _information(incident),
    }
    return {"event": {"commonEventHeader": header, "faultFields": present(fault)}}


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
    """The commonEventHeader 4.1 of an event about `node`; `description` is the last part of its eventName."""
    element = element_of(settings.inventory, node)
    header = {
        "version": "4.1",
        "vesEventListenerVersion": "7.2.1",
        "domain": domain,
        "eventName": f"{domain.capitalize()}_{_publisher(settings)}_{camel(description)}",
        "eventId": event_id,
        "sequence": sequence,
        "priority": priority,
        "reportingEntityName": clean(settings.reporting_entity, NAME) or "faultprint",
        "reportingEntityId": clean(settings.reporting_entity_id, NAME),
        "sourceName": element.name,
        # A UUID is asked for; where the inventory gives none, the node's name makes one that stays.
        "sourceId": element.id or str(uuid5(NAMESPACE, clean(node, LINE))),
        "nfVendorName": clean(settings.nf_vendor, NAME),
        "nfNamingCode": clean(settings.nf_naming_code, NAME),
        "nfcNamingCode": clean(settings.nfc_naming_code, NAME),
        "startEpochMicrosec": start_us,
        "lastEpochMicrosec": last_us,
    }
    return present(header)


def _publisher(settings: VesSettings) -> str:
    """The middle of an eventName: Product-Vendor and Function:Component stay, spaces and underscores go."""
    return clean(settings.publisher, NAME).translate({ord(" "): None, ord("_"): None}) or "Faultprint"


def _information(incident: Incident) -> dict[str, str]:
    """alarmAdditionalInformation: text by camel-cased keys; alarmId as the specification asks for 3GPP alarms."""
    grounds = incident.grounds
    distance, margin = finite(grounds.distance), finite(grounds.margin)
    cleared_by = incident.cleared_by
    seen, said = incident.acknowledged, incident.comments[-1] if incident.comments else None
    return present(
        {
            "alarmId": str(incident.identity),
            "notificationId": str(incident.event_id),
            "change": incident.change.value,
            "condition": clean(incident.condition, NAME),
            "previousCondition": clean(incident.previous or "", NAME),
            "network": clean(incident.network, NAME),
            "distance": None if distance is None else str(rounded(distance)),
            "runnerUp": clean(grounds.runner_up or "", NAME),
            "margin": None if margin is None else str(rounded(margin)),
            **{f"evidence{place}": clean(word) for place, word in enumerate(grounds.evidence[:EVIDENCE], start=1)},
            "acknowledgedBy": clean(seen.user, NAME) if seen else None,
            "clearedBy": clean(cleared_by.user, NAME) if cleared_by else None,
            "clearedOnSystem": clean(cleared_by.system, NAME) if cleared_by else None,
            "comment": clean(said.text) if said else None,
        }
    )
