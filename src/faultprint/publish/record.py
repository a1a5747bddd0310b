"""An incident's change as one flat record: for JSON lines, and inside the body of a webhook."""

from __future__ import annotations

from typing import Any

from faultprint.publish.incident import MAX_EVIDENCE, Incident
from faultprint.publish.text import MAX_NAME, clean, finite_or_none, rfc3339, round_float32, to_json, without_empty


def incident_record(incident: Incident) -> dict[str, Any]:
    """The incident after its last change. Times are RFC 3339; fields without a value are absent."""
    explanation, acknowledged_by, cleared_by = incident.explanation, incident.acknowledged_by, incident.cleared_by
    probability = finite_or_none(explanation.probability)
    distance, margin = finite_or_none(explanation.distance), finite_or_none(explanation.margin)
    return without_empty(
        {
            "event_id": str(incident.event_id),
            "incident": str(incident.identity),
            "sequence": incident.sequence,
            "change": incident.change.value,
            "state": incident.state.value,
            "time": rfc3339(incident.changed_us),
            "node": clean(incident.node, MAX_NAME),
            "network": clean(incident.network, MAX_NAME),
            "condition": clean(incident.condition, MAX_NAME),
            "previous": clean(incident.previous_condition or "", MAX_NAME),
            "severity": incident.severity.value,
            "onset": rfc3339(incident.onset_us),
            "cleared": None if incident.cleared_us is None else rfc3339(incident.cleared_us),
            "probability": None if probability is None else round(probability, 3),
            "distance": None if distance is None else round_float32(distance),
            "runner_up": clean(explanation.runner_up or "", MAX_NAME),
            "margin": None if margin is None else round_float32(margin),
            "evidence": [clean(entry) for entry in explanation.evidence[:MAX_EVIDENCE]] or None,
            "acknowledged_by": clean(acknowledged_by.user, MAX_NAME) if acknowledged_by else None,
            "cleared_by": clean(cleared_by.user, MAX_NAME) if cleared_by else None,
            "cleared_on_system": clean(cleared_by.system, MAX_NAME) if cleared_by else None,
            "comment": clean(incident.comments[-1].text) if incident.comments else None,
        }
    )


def json_line(incident: Incident) -> bytes:
    """The record as JSON on one line with a line feed."""
    return to_json(incident_record(incident)) + b"\n"
