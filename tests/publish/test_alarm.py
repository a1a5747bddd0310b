from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultprint.publish.incident import Actor, Comment, Explanation, Incident, Severity
from faultprint.publish.inventory import InventoryElement
from faultprint.publish.text import to_json
from faultprint.publish.tmf642.alarm import (
    LISTENER_PATHS,
    SHOWN_COMMENTS,
    AlarmSettings,
    AlarmType,
    alarm_resource,
    notification,
)
from faultprint_lab.pages.publish import story

from .schema import errors, needs_schemas, tmf642
from .strategies import elements, histories, texts

PLAIN = AlarmSettings()
ACTOR = Actor("m.keller", "noc", 60_000_000)
settings_of_alarms = st.builds(
    AlarmSettings,
    base=texts,
    source=texts,
    types=st.dictionaries(texts, st.sampled_from(AlarmType), max_size=3),
    causes=st.dictionaries(st.sampled_from(("unknown", "overload")), texts),
    object_type=texts,
    inventory=st.one_of(st.just({}), elements.map(lambda element: {"": element})),
)


def test_the_states_of_an_alarm() -> None:
    alarms = [alarm_resource(incident, PLAIN) for incident in story()]
    assert [alarm["state"] for alarm in alarms] == ["raised", "updated", "updated", "cleared"]
    assert [alarm["perceivedSeverity"] for alarm in alarms] == ["warning", "critical", "critical", "cleared"]
    assert [alarm["ackState"] for alarm in alarms] == [
        "unacknowledged",
        "unacknowledged",
        "acknowledged",
        "acknowledged",
    ]
    assert ["alarmClearedTime" in alarm for alarm in alarms] == [False, False, False, True]
    assert len({(alarm["id"], alarm["href"], alarm["alarmRaisedTime"]) for alarm in alarms}) == 1
    assert alarms[3]["alarmClearedTime"] == "2026-01-05T09:52:00Z"


@needs_schemas
def test_an_alarm_contains_who_cleared_it() -> None:
    cleared = alarm_resource(story()[1].clear(story()[3].changed_us, ACTOR), PLAIN)
    assert (cleared["clearUserId"], cleared["clearSystemId"]) == ("m.keller", "noc")
    assert _valid(cleared, "Alarm", tmf642())
    by_monitor = alarm_resource(story()[1].clear(story()[3].changed_us), PLAIN)
    assert not {"clearUserId", "clearSystemId"} & by_monitor.keys()


def test_an_alarm_contains_condition_and_object() -> None:
    custom = AlarmSettings(
        base="https://noc/tmf-api/alarmManagement/v4",
        types={"hss-link-down": AlarmType.COMMUNICATIONS},
        causes={"hss-link-down": "communicationsSubsystemFailure"},
        inventory={"pcscf1": InventoryElement("vnf-1", "id-1")},
    )
    unsure, sure = alarm_resource(story()[0], custom), alarm_resource(story()[1], custom)
    assert (unsure["alarmType"], unsure["probableCause"]) == ("QUALITY_OF_SERVICE_ALARM", "indeterminate")
    assert (sure["alarmType"], sure["probableCause"]) == ("COMMUNICATIONS_ALARM", "communicationsSubsystemFailure")
    assert sure["specificProblem"] == "hss-link-down" and sure["alarmedObject"] == {"id": "id-1", "@type": "PCSCF"}
    assert sure["href"] == f"https://noc/tmf-api/alarmManagement/v4/alarm/{story()[0].identity}"
    assert sure["alarmDetails"].startswith(
        "before: unknown; distance 0.40625; margin 1.6875; runner-up overload; in.reg"
    )


def test_an_alarm_contains_the_latest_comments() -> None:
    incident = story()[0]
    for index in range(SHOWN_COMMENTS + 3):
        incident = incident.comment(Comment(ACTOR, f"number {index}"))
    comments = alarm_resource(incident, PLAIN)["comment"]
    assert [comment["comment"] for comment in comments] == [f"number {index}" for index in range(3, SHOWN_COMMENTS + 3)]
    assert comments[0] | {"comment": ""} == {
        "comment": "",
        "userId": "m.keller",
        "systemId": "noc",
        "time": "1970-01-01T00:01:00Z",
    }


def test_each_change_has_its_notification() -> None:
    begun = story()[0]
    changes = (
        (begun, "AlarmCreateEvent", None),
        (story()[1], "AlarmAttributeValueChangeEvent", "alarm.specificProblem"),
        (begun.acknowledge(ACTOR), "AlarmAttributeValueChangeEvent", "alarm.ackState"),
        (begun.comment(Comment(ACTOR, "x")), "AlarmAttributeValueChangeEvent", "alarm.comment"),
        (story()[3], "AlarmStateChangeEvent", None),
    )
    for incident, event_type, path in changes:
        event = notification(incident, PLAIN)
        assert (event["eventType"], event.get("fieldPath")) == (event_type, path)
        assert event["eventId"] == str(incident.event_id) and event["correlationId"] == str(incident.identity)
        assert event["event"] == {"alarm": alarm_resource(incident, PLAIN)}


def _valid(value: dict[str, Any], name: str, schema: dict[str, Any]) -> bool:
    """Valid, and without any attribute that the schema does not name."""
    return not list(errors(json.loads(to_json(value)), {"$ref": f"#/definitions/{name}"}, schema, closed=True))


@needs_schemas
@given(histories(), settings_of_alarms)
@settings(max_examples=60)
def test_any_alarm_and_notification_is_valid(history: tuple[Incident, ...], custom: AlarmSettings) -> None:
    schema = tmf642()
    for incident in history:
        alarm, event = alarm_resource(incident, custom), notification(incident, custom)
        assert _valid(alarm, "Alarm", schema)
        assert {"alarmRaisedTime", "sourceSystemId"} <= alarm.keys()  # what AlarmCreate requires
        assert _valid(event, event["eventType"], schema)
        assert len(to_json(event)) < 250_000


@given(histories(), settings_of_alarms)
@settings(max_examples=40)
def test_an_alarm_has_one_id_from_raise_to_clear(history: tuple[Incident, ...], custom: AlarmSettings) -> None:
    alarms = [alarm_resource(incident, custom) for incident in history]
    assert (
        len({(alarm["id"], alarm["externalAlarmId"], alarm["alarmRaisedTime"], alarm["href"]) for alarm in alarms}) == 1
    )
    for alarm, incident in zip(alarms, history, strict=True):
        cleared = incident.cleared_us is not None
        assert (alarm["perceivedSeverity"] == "cleared") == (alarm["state"] == "cleared") == cleared
        assert all(value.isprintable() for value in alarm.values() if isinstance(value, str))


@needs_schemas
def test_the_schema_contains_the_notifications_and_their_paths() -> None:
    schema = tmf642()
    assert LISTENER_PATHS.keys() <= schema["definitions"].keys()
    assert set(LISTENER_PATHS.values()) <= schema["paths"].keys()


def test_unknown_values_are_left_out() -> None:
    found = alarm_resource(
        Incident.begin("n", "", "c", Severity.MINOR, 0, 0, Explanation(float("nan"), None, None)), PLAIN
    )
    assert "alarmDetails" not in found and "comment" not in found and "ackUserId" not in found


@pytest.mark.parametrize("severity", Severity)
def test_severities_are_those_of_x733(severity: Severity) -> None:
    found = alarm_resource(Incident.begin("n", "", "c", severity, 0, 0), PLAIN)
    assert found["perceivedSeverity"] in ("critical", "major", "minor", "warning", "indeterminate")
