"""Records, webhooks, routes, and the documentation page."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

from hypothesis import given, settings

from faultprint.publish.control_loop import ControlLoopSettings
from faultprint.publish.incident import Actor, Incident
from faultprint.publish.message import Message
from faultprint.publish.record import incident_record, json_line
from faultprint.publish.routes import (
    alarm_messages,
    control_loop_messages,
    json_line_messages,
    ves_messages,
    webhook_messages,
)
from faultprint.publish.tmf642.alarm import LISTENER_PATHS, AlarmSettings
from faultprint.publish.ves.event import VesSettings
from faultprint.publish.webhook import WebhookSettings, signature, summary, webhook_body
from faultprint_lab.pages.publish import page, story

from .strategies import histories

LOOPS = ControlLoopSettings(loops={"a": "A", "b": "B"})


def _messages(incident: Incident) -> list[Message]:
    return [
        *ves_messages(incident, VesSettings()),
        *control_loop_messages(incident, ControlLoopSettings(default="L")),
        *alarm_messages(incident, AlarmSettings()),
        *json_line_messages(incident),
        *webhook_messages(incident, WebhookSettings(secret="s")),
    ]


def test_a_record_contains_the_change() -> None:
    found = incident_record(story()[3])
    assert (found["change"], found["state"], found["sequence"]) == ("clear", "cleared", 4)
    assert (found["condition"], found["previous"], found["node"]) == ("hss-link-down", "unknown", "pcscf1")
    assert (found["onset"], found["cleared"]) == ("2026-01-05T09:10:00Z", "2026-01-05T09:52:00Z")
    assert (found["distance"], found["acknowledged_by"]) == (0.40625, "m.keller")
    assert "cleared" not in incident_record(story()[0])


def test_a_record_contains_who_cleared() -> None:
    found = incident_record(story()[2].clear(story()[3].changed_us, Actor("m.keller", "noc", 0)))
    assert (found["cleared_by"], found["cleared_on_system"]) == ("m.keller", "noc")
    assert "cleared_by" not in incident_record(story()[3])


@given(histories())
@settings(max_examples=60)
def test_any_incident_is_one_line_of_json(history: tuple[Incident, ...]) -> None:
    for incident in history:
        text = json_line(incident)
        assert text.endswith(b"\n") and text.count(b"\n") == 1 and len(text) < 40_000
        assert len(text.decode("ascii").splitlines()) == 1
        assert json.loads(text) == incident_record(incident)


@given(histories())
@settings(max_examples=40)
def test_any_incident_is_a_cloud_event(history: tuple[Incident, ...]) -> None:
    for incident in history:
        event = webhook_body(incident, WebhookSettings())
        assert event["specversion"] == "1.0" and event["id"] == str(incident.event_id)
        assert all(isinstance(event[name], str) and event[name] for name in ("source", "type", "subject", "time"))
        assert event["data"]["summary"] == summary(incident)


def test_the_signature_is_that_of_rfc_2104() -> None:
    (message,) = webhook_messages(story()[0], WebhookSettings(secret="geheim"))
    expected = hmac.new(b"geheim", message.body, hashlib.sha256).hexdigest()
    assert message.headers == {"X-Faultprint-Signature-256": f"sha256={expected}"}
    # RFC 4231, test case 2
    assert signature(b"what do ya want for nothing?", "Jefe").startswith("sha256=5bdcc146bf60754e6a042426089575c7")
    assert webhook_messages(story()[0], WebhookSettings())[0].headers == {}
    assert "geheim" not in repr(WebhookSettings(secret="geheim"))


def test_paths_and_keys_of_messages() -> None:
    ves, loop, alarm, record_line, webhook = _messages(story()[0])
    assert (ves.path, ves.headers["X-MinorVersion"]) == ("/eventListener/v7", "2")
    assert loop.path == "unauthenticated.dcae_cl_output"
    assert alarm.path == LISTENER_PATHS["AlarmCreateEvent"] == "/listener/alarmCreateEvent"
    assert record_line.path == webhook.path == ""
    assert {message.key for message in _messages(story()[0])} == {"pcscf1"}


@given(histories())
@settings(max_examples=30)
def test_message_ids_are_unique_and_stable(history: tuple[Incident, ...]) -> None:
    first = [message for incident in history for message in _messages(incident)]
    assert len({message.id for message in first}) == len(first)
    assert [message for incident in history for message in _messages(incident)] == first


def test_two_events_of_one_change_are_two_messages() -> None:
    moved = Incident.begin("n", "", "a", story()[0].severity, 0, 0).diagnose(
        "b", story()[0].severity, 1, story()[0].explanation
    )
    first, second = control_loop_messages(moved, LOOPS)
    assert first.id != second.id
    assert [json.loads(message.body)["closedLoopEventStatus"] for message in (first, second)] == ["ABATED", "ONSET"]


def test_the_page_is_up_to_date() -> None:
    written = Path(__file__).resolve().parents[2] / "docs" / "reference" / "publish.md"
    assert written.read_text(encoding="utf-8") == page(), (
        "docs/reference/publish.md is stale; run python -m faultprint_lab.pages.build"
    )


def test_the_page_names_every_encoder() -> None:
    text = page()
    modules = ("ves.event", "ves.batch", "ves.measurement", "tmf642.alarm", "tmf642.query", "tmf642.task")
    for name in (*modules, "control_loop", "record", "webhook"):
        assert f"`{name}`" in text
