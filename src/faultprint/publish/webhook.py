"""An incident's change as a CloudEvent 1.0 in structured JSON mode, for any receiver of HTTP POST."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any, Final

from faultprint.publish.incident import Incident
from faultprint.publish.record import incident_record
from faultprint.publish.text import MAX_LINE, MAX_NAME, clean, rfc3339

CONTENT_TYPE: Final = "application/cloudevents+json"
SIGNATURE_HEADER: Final = "X-Faultprint-Signature-256"
"""The header with the signature of the body, if there is a shared secret."""


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """`source`: the CloudEvents source, a URI reference that names this monitor. `secret`: key of the signature; empty: none."""

    source: str = "/faultprint"
    secret: str = field(default="", repr=False)


def webhook_body(incident: Incident, settings: WebhookSettings) -> dict[str, Any]:
    """The CloudEvent of the incident's last change. Its data is the record and a summary in one sentence."""
    return {
        "specversion": "1.0",
        "id": str(incident.event_id),
        "source": clean(settings.source, MAX_LINE).replace(" ", "") or "/faultprint",
        "type": f"faultprint.incident.{incident.change.value}",
        "subject": clean(incident.node, MAX_NAME) or "unnamed",
        "time": rfc3339(incident.changed_us),
        "datacontenttype": "application/json",
        "data": {"summary": summary(incident), **incident_record(incident)},
    }


def summary(incident: Incident) -> str:
    """One sentence, such as "major: hss-link-down at pcscf1 since 2026-01-05T09:10:00Z (onset)"."""
    subject = f"{clean(incident.condition, MAX_NAME)} at {clean(incident.node, MAX_NAME)}"
    return clean(f"{incident.severity}: {subject} since {rfc3339(incident.onset_us)} ({incident.change})")


def signature(body: bytes, secret: str) -> str:
    """The value of SIGNATURE_HEADER: `sha256=` and the HMAC-SHA256 of the body in hex (RFC 2104)."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"
