"""The messages of an incident's change, or of the counters of a minute, for each kind of sink."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

from faultprint.publish import control_loop, webhook
from faultprint.publish.control_loop import ControlLoopSettings, control_loop_events
from faultprint.publish.incident import Incident
from faultprint.publish.message import JSON, Message
from faultprint.publish.record import json_line
from faultprint.publish.text import to_json
from faultprint.publish.tmf642.alarm import LISTENER_PATHS, AlarmSettings, notification
from faultprint.publish.ves.event import EVENT_PATH, HEADERS, VesSettings, fault_event
from faultprint.publish.ves.measurement import MeasurementCounter, measurement_event
from faultprint.publish.webhook import WebhookSettings, webhook_body


def ves_messages(incident: Incident, settings: VesSettings) -> tuple[Message, ...]:
    """The fault event for a VES listener."""
    return (_message(incident, "ves", to_json(fault_event(incident, settings)), EVENT_PATH, headers=HEADERS),)


def measurement_message(
    row: Mapping[str, object],
    counters: Sequence[MeasurementCounter],
    settings: VesSettings,
    minute_us: int,
    interval_us: int,
) -> Message:
    """The measurement event of a MINUTES row for a VES listener."""
    event = measurement_event(row, counters, settings, minute_us=minute_us, interval_us=interval_us)
    identity = uuid5(UUID(event["event"]["commonEventHeader"]["eventId"]), "ves")
    return Message(str(identity), EVENT_PATH, str(row["node"]), to_json(event), headers=HEADERS)


def control_loop_messages(incident: Incident, settings: ControlLoopSettings) -> tuple[Message, ...]:
    """None, one or two control-loop events for the topic."""
    events: tuple[dict[str, Any], ...] = control_loop_events(incident, settings)
    return tuple(
        _message(incident, f"control-loop {index}", to_json(event), control_loop.TOPIC)
        for index, event in enumerate(events)
    )


def alarm_messages(incident: Incident, settings: AlarmSettings) -> tuple[Message, ...]:
    """The TMF642 notification for a listener's callback."""
    event = notification(incident, settings)
    return (_message(incident, "alarm", to_json(event), LISTENER_PATHS[event["eventType"]]),)


def json_line_messages(incident: Incident) -> tuple[Message, ...]:
    """The record for a file of JSON lines."""
    return (_message(incident, "line", json_line(incident), "", "application/x-ndjson"),)


def webhook_messages(incident: Incident, settings: WebhookSettings) -> tuple[Message, ...]:
    """The CloudEvent for a URL, signed if there is a secret."""
    body = to_json(webhook_body(incident, settings))
    headers = {webhook.SIGNATURE_HEADER: webhook.signature(body, settings.secret)} if settings.secret else {}
    return (_message(incident, "webhook", body, "", webhook.CONTENT_TYPE, headers),)


def _message(
    incident: Incident,
    sink: str,
    body: bytes,
    path: str,
    content_type: str = JSON,
    headers: Mapping[str, str] | None = None,
) -> Message:
    identity = str(uuid5(incident.event_id, sink))
    return Message(identity, path, incident.node, body, content_type, dict(headers or {}))
