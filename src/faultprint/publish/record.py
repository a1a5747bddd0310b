"""An incident's change as one flat record of our own names: for JSON lines, and inside a webhook's body."""

from __future__ import annotations

from typing import Any

from faultprint.publish.incident import Incident
from faultprint.publish.text import NAME, clean, finite, present, rfc3339, rounded, to_json

EVIDENCE = 8
"""Words of evidence, at most."""


def record(incident: Incident) -> dict[str, Any]:
    """The incident after its last change; times are RFC 3339, what is not known is absent."""
    grounds = incident.grounds
    distance, margin = finite(grounds.distance), finite(grounds.margin)
    cleared_by = incident.cleared_by
    seen, said = incident.acknowledged, incident.comments[-1] if incident.comments else None
    return present(
        {
            "event_id": str(incident.event_id),
            "incident": str(incident.identity),
            "sequence": incident.sequence,
            "change": incident.change.value,
            "state": incident.state.value,
            "time": rfc3339(incident.changed_us),
            "node": clean(incident.node, NAME),
            "network": clean(incident.network, NAME),
            "condition": clean(incident.condition, NAME),
            "previous": clean(incident.previous or "", NAME),
            "severity": incident.severity.value,
            "onset": rfc3339(incident.onset_us),
            "cleared": None if incident.cleared_us is None else rfc3339(incident.cleared_us),
            "distance": None if distance is None else rounded(distance),
            "runner_up": clean(grounds.runner_up or "", NAME),
            "margin": None if margin is None else rounded(margin),
            "evidence": [clean(word) for word in grounds.evidence[:EVIDENCE]] or None,
            "acknowledged_by": clean(seen.user, NAME) if seen else None,
            "cleared_by": clean(cleared_by.user, NAME) if cleared_by else None,
            "cleared_on_system": clean(cleared_by.system, NAME) if cleared_by else None,
            "comment": clean(said.text) if said else None,
        }
    )


def line(incident: Incident) -> bytes:
    """The record as JSON on one line, ended by a line feed."""
    return to_json(record(incident)) + b"\n"
