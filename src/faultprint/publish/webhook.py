"""An incident's change as a CloudEvent 1.0 in structured JSON, for any receiver that takes a POST."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any, Final

from faultprint.publish.incident import Incident
from faultprint.publish.record import record
from faultprint.publish.text import LINE, NAME, clean, rfc3339

CONTENT_TYPE: Final = "application/cloudevents+json"
SIGNATURE: Final = "X-Faultprint-Signature-256"
"""The header that proves who sent the body, where a secret was agreed."""


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """`source`: the CloudEvents source, a URI reference that names this monitor. `secret`: signs bodies if not empty."""

    source: str = "/faultprint"
    secret: str = field(default="", repr=False)


def webhook_body(incident: Incident, settings: WebhookSettings) -> dict[str, Any]:
    """The CloudEvent of the incident's last change; its data is the record and a sentence for people."""
    return {
        "specversion": "1.0",
        "id": str(incident.event_id),
        "source": clean(settings.source, LINE).replace(" ", "") or "/faultprint",
        "type": f"faultprint.incident.{incident.change.value}",
        "subject": clean(incident.node, NAME) or "unnamed",
        "time": rfc3339(incident.changed_us),
        "datacontenttype": "application/json",
        "data": {"summary": summary(incident), **record(incident)},
    }


def summary(incident: Incident) -> str:
    """One sentence, such as "major: hss-link-down at pcscf1 since 2026-01-05T09:10:00Z (onset)"."""
    about = f"{clean(incident.condition, NAME)} at {clean(incident.node, NAME)}"
    return clean(f"{incident.severity}: {about} since {rfc3339(incident.onset_us)} ({incident.change})")


def signature(body: bytes, secret: str) -> str:
    """The value of the header SIGNATURE: sha256= and HMAC-SHA256 of the body in hex (RFC 2104)."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"
