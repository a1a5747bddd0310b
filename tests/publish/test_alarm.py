from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultprint.publish.incident import Actor, Comment, Explanation, Incident, Severity
from faultprint.publish.text import to_json
from faultprint.publish.tmf642.alarm import (
    COMMENTS,
    LISTENERS,
    AlarmSettings,
    AlarmType,
    alarm,
    notification,
)
from faultprint.publish.ves.inventory import Element
from faultprint_lab.pages.publish import story

from .schema import faults, needs_schemas, tmf642
from .strategies import elements, lives, texts

PLAIN = AlarmSettings()
PERSON = Actor("m.keller", "noc", 60_000_000)
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
    found = [alarm(incident, PLAIN) for incident in story()]
    assert [one["state"] for one in found] == ["raised", "updated", "updated", "cleared"]
    assert [one["perceivedSeverity"] for one in found] == ["warning", "critical", "critical", "cleared"]
    assert [one["ackState"] for one in found] == ["unacknowledged", "unacknowledged", "acknowledged", "acknowledged"]
    assert ["alarmClearedTime" in one for one in found] == [False, False, False, True]
    assert len({(one["id"], one["href"], one["alarmRaisedTime"]) for one in found}) == 1
    assert found[3]["alarmClearedTime"] == "2026-01-05T09:52:00Z"


@needs_schemas
def test_an_alarm_says_who_cleared_it() -> None:
    cleared = alarm(story()[1].clear(story()[3].changed_us, PERSON), PLAIN)
    assert (cleared["clearUserId"], cleared["clearSystemId"]) == ("m.keller", "noc")
    assert _valid(cleared, "Alarm", tmf642())
    by_monitor = alarm(story()[1].clear(story()[3].changed_us), PLAIN)
    assert not {"clearUserId", "clearSystemId"} & by_monitor.keys()


def test_an_alarm_says_what_and_where() -> None:
    told = AlarmSettings(
        base="https://noc/tmf-api/alarmManagement/v4",
        types={"hss-link-down": AlarmType.COMMUNICATIONS},
        causes={"hss-link-down": "communicationsSubsystemFailure"},
        inventory={"pcscf1": Element("vnf-1", "id-1")},
    )
    unsure, sure = alarm(story()[0], told), alarm(story()[1], told)
    assert (unsure["alarmType"], unsure["probableCause"]) == ("QUALITY_OF_SERVICE_ALARM", "indeterminate")
    assert (sure["alarmType"], sure["probableCause"]) == ("COMMUNICATIONS_ALARM", "communicationsSubsystemFailure")
    assert sure["specificProblem"] == "hss-link-down" and sure["alarmedObject"] == {"id": "id-1", "@type": "PCSCF"}
    assert sure["href"] == f"https://noc/tmf-api/alarmManagement/v4/alarm/{story()[0].identity}"
    assert sure["alarmDetails"].startswith(
        "before: unknown; distance 0.40625; margin 1.6875; runner-up overload; in.reg"
    )


def test_the_latest_comments_are_told() -> None:
    incident = story()[0]
    for place in range(COMMENTS + 3):
        incident = incident.comment(Comment(PERSON, f"number {place}"))
    told = alarm(incident, PLAIN)["comment"]
    assert [one["comment"] for one in told] == [f"number {place}" for place in range(3, COMMENTS + 3)]
    assert told[0] | {"comment": ""} == {
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
        (begun.acknowledge(PERSON), "AlarmAttributeValueChangeEvent", "alarm.ackState"),
        (begun.comment(Comment(PERSON, "x")), "AlarmAttributeValueChangeEvent", "alarm.comment"),
        (story()[3], "AlarmStateChangeEvent", None),
    )
    for incident, event_type, path in changes:
        event = notification(incident, PLAIN)
        assert (event["eventType"], event.get("fieldPath")) == (event_type, path)
        assert event["eventId"] == str(incident.event_id) and event["correlationId"] == str(incident.identity)
        assert event["event"] == {"alarm": alarm(incident, PLAIN)}


def _valid(value: dict[str, Any], name: str, schema: dict[str, Any]) -> bool:
    """Valid, and without any attribute that the schema does not name."""
    return not list(faults(json.loads(to_json(value)), {"$ref": f"#/definitions/{name}"}, schema, closed=True))


@needs_schemas
@given(lives(), settings_of_alarms)
@settings(max_examples=60)
def test_any_alarm_and_notification_is_valid(life: tuple[Incident, ...], told: AlarmSettings) -> None:
    schema = tmf642()
    for incident in life:
        found, event = alarm(incident, told), notification(incident, told)
        assert _valid(found, "Alarm", schema)
        assert {"alarmRaisedTime", "sourceSystemId"} <= found.keys()  # what AlarmCreate requires
        assert _valid(event, event["eventType"], schema)
        assert len(to_json(event)) < 250_000


@given(lives(), settings_of_alarms)
@settings(max_examples=40)
def test_an_alarm_has_one_id_from_raise_to_clear(life: tuple[Incident, ...], told: AlarmSettings) -> None:
    found = [alarm(incident, told) for incident in life]
    assert len({(one["id"], one["externalAlarmId"], one["alarmRaisedTime"], one["href"]) for one in found}) == 1
    for one, incident in zip(found, life, strict=True):
        cleared = incident.cleared_us is not None
        assert (one["perceivedSeverity"] == "cleared") == (one["state"] == "cleared") == cleared
        assert all(value.isprintable() for value in one.values() if isinstance(value, str))


@needs_schemas
def test_the_schema_knows_the_notifications_and_their_paths() -> None:
    schema = tmf642()
    assert LISTENERS.keys() <= schema["definitions"].keys()
    assert set(LISTENERS.values()) <= schema["paths"].keys()


def test_nothing_is_made_up_where_nothing_is_known() -> None:
    found = alarm(Incident.begin("n", "", "c", Severity.MINOR, 0, 0, Explanation(float("nan"), None, None)), PLAIN)
    assert "alarmDetails" not in found and "comment" not in found and "ackUserId" not in found


@pytest.mark.parametrize("severity", Severity)
def test_severities_are_those_of_x733(severity: Severity) -> None:
    found = alarm(Incident.begin("n", "", "c", severity, 0, 0), PLAIN)
    assert found["perceivedSeverity"] in ("critical", "major", "minor", "warning", "indeterminate")
