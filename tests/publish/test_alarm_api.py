"""The read API's queries and the tasks: acknowledge, withdraw, clear, comment."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultprint.errors import UsageError
from faultprint.publish.incident import Actor, AlarmState, Change, Comment, Incident, Severity
from faultprint.publish.tmf642.alarm import AlarmSettings, alarm
from faultprint.publish.tmf642.query import (
    ATTRIBUTES,
    DEFAULT_LIMIT,
    LIMIT,
    AlarmQuery,
    answer,
    error,
    parse_query,
)
from faultprint.publish.tmf642.task import PATTERNS, TaskKind, parse_task, task_resource
from faultprint_lab.pages.publish import story

from .schema import faults, needs_schemas, tmf642
from .strategies import lives, texts

PLAIN = AlarmSettings()
IDENTITY = UUID(int=7)
OPEN = tuple(Incident.begin(f"pcscf{place}", "north", "overload", Severity.MAJOR, 0, 0) for place in range(5))
ALARMS = [alarm(incident, PLAIN) for incident in (*OPEN, story()[3])]


def _nodes(*parameters: tuple[str, str]) -> list[str]:
    return [one["alarmedObject"]["id"] for one in answer(ALARMS, parse_query(parameters)).alarms]


def test_without_parameters_all_is_shown() -> None:
    found = answer(ALARMS, parse_query([]))
    assert (found.status, found.alarms) == (200, ALARMS)
    assert found.headers == {"X-Total-Count": "6", "X-Result-Count": "6"}
    assert parse_query([]).limit == DEFAULT_LIMIT


def test_filters() -> None:
    assert _nodes(("state", "cleared")) == ["pcscf1"]
    assert _nodes(("state", "raised,cleared")) == [one["alarmedObject"]["id"] for one in ALARMS]
    assert _nodes(("state", "raised"), ("alarmedObject.id", "pcscf1, pcscf3")) == ["pcscf1", "pcscf3"]
    assert _nodes(("state", "")) == []
    assert _nodes(("alarmClearedTime", "2026-01-05T09:52:00Z")) == ["pcscf1"]


def test_pages() -> None:
    found = answer(ALARMS, parse_query([("offset", "4"), ("limit", "1")]))
    assert (found.status, len(found.alarms)) == (206, 1)
    assert found.headers == {"X-Total-Count": "6", "X-Result-Count": "1"}
    assert answer(ALARMS, parse_query([("offset", "99")])).alarms == []
    assert parse_query([("limit", "999999999")]).limit == LIMIT


def test_fields() -> None:
    (first, *_) = answer(ALARMS, parse_query([("fields", "state,perceivedSeverity")])).alarms
    assert set(first) == {"id", "href", "state", "perceivedSeverity"}


@pytest.mark.parametrize(
    "parameter",
    [
        ("colour", "red"),
        ("fields", "state,colour"),
        ("limit", "-1"),
        ("limit", "٣"),
        ("offset", "9" * 5000),
        ("limit", ""),
    ],
)
def test_what_is_not_known_is_refused(parameter: tuple[str, str]) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_query([parameter])
    assert len(str(refusal.value)) < 700


@given(lives())
@settings(max_examples=30)
def test_an_alarm_shows_nothing_that_cannot_be_asked_for(life: tuple[Incident, ...]) -> None:
    assert {name for incident in life for name in alarm(incident, PLAIN)} <= set(ATTRIBUTES)


@given(st.lists(st.tuples(st.one_of(st.sampled_from(("fields", "limit", "state")), texts), texts), max_size=5))
@settings(max_examples=60)
def test_any_parameters_are_a_query_or_one_sentence(parameters: list[tuple[str, str]]) -> None:
    try:
        query = parse_query(parameters)
    except UsageError:
        return
    assert isinstance(query, AlarmQuery) and len(answer(ALARMS, query).alarms) <= LIMIT


BODIES: dict[TaskKind, dict[str, Any]] = {
    TaskKind.ACKNOWLEDGE: {"ackUserId": "m.keller", "ackSystemId": "noc", "ackTime": "1999-01-01T00:00:00Z"},
    TaskKind.UNACKNOWLEDGE: {"ackUserId": "m.keller", "ackSystemId": "noc"},
    TaskKind.CLEAR: {
        "clearUserId": "m.keller",
        "clearSystemId": "noc",
        "alarmClearedTime": "1999-01-01T00:00:00Z",
    },
    TaskKind.COMMENT: {"comment": {"comment": "on it", "userId": "m.keller", "systemId": "noc"}},
}


def _body(kind: TaskKind, pattern: object = None) -> dict[str, Any]:
    return BODIES[kind] | {"alarmPattern": [{"id": str(OPEN[0].identity)}] if pattern is None else pattern}


@pytest.mark.parametrize("kind", TaskKind)
def test_a_task_does_what_it_says_to_whom_it_says(kind: TaskKind) -> None:
    task = parse_task(kind, _body(kind), 90_000_000)
    assert [task.applies_to(one) for one in ALARMS] == [True, False, False, False, False, False]
    by = Actor("m.keller", "noc", 90_000_000)
    before = OPEN[0].acknowledge(by) if kind is TaskKind.UNACKNOWLEDGE else OPEN[0]
    done = before.apply(task.operation, task.by, task.text)
    expected = {
        TaskKind.ACKNOWLEDGE: lambda: done.acknowledged == by and done.change is Change.ACKNOWLEDGEMENT,
        TaskKind.UNACKNOWLEDGE: lambda: done.acknowledged is None and done.change is Change.ACKNOWLEDGEMENT,
        TaskKind.CLEAR: lambda: done.state is AlarmState.CLEARED and done.cleared_us == 90_000_000,
        TaskKind.COMMENT: lambda: done.comments == (Comment(by, "on it"),),
    }
    assert expected[kind]()


@needs_schemas
@pytest.mark.parametrize("kind", TaskKind)
def test_requests_and_answers_are_those_of_the_schema(kind: TaskKind) -> None:
    schema = tmf642()
    name = kind.value[0].upper() + kind.value[1:]
    request = {"$ref": f"#/definitions/{name}Create"}
    assert not list(faults(_body(kind), request, schema, closed=True))
    # What the schema requires of a request is what the parser requires, but for the time, which is ours.
    for required in schema["definitions"][f"{name}Create"]["required"]:
        short = {key: value for key, value in _body(kind).items() if key != required}
        if required != "alarmClearedTime":
            with pytest.raises(UsageError):
                parse_task(kind, short, 0)
    told = task_resource(parse_task(kind, _body(kind), 0), IDENTITY, OPEN[:2], PLAIN)
    assert not list(faults(told, {"$ref": f"#/definitions/{name}"}, schema, closed=True))
    assert f"/alarmManagement/v4/{kind.value}" in schema["paths"]


def test_the_answer_names_the_alarms() -> None:
    told = task_resource(parse_task(TaskKind.ACKNOWLEDGE, _body(TaskKind.ACKNOWLEDGE), 0), IDENTITY, OPEN[:1], PLAIN)
    assert told["ackedAlarm"] == [{"uuid": str(OPEN[0].identity), "href": ALARMS[0]["href"]}]
    assert told["ackTime"] == "1970-01-01T00:00:00Z" and told["state"] == "done"


def test_patterns() -> None:
    def chosen(*patterns: object) -> list[int]:
        task = parse_task(TaskKind.CLEAR, _body(TaskKind.CLEAR, list(patterns)), 0)
        return [place for place, one in enumerate(ALARMS) if task.applies_to(one)]

    assert chosen({"state": "raised"}) == [0, 1, 2, 3, 4]
    assert chosen({"state": "raised", "alarmedObject": {"id": "pcscf1"}}) == [1]
    assert chosen({"alarmedObject": {"id": "pcscf0"}}, {"state": "cleared"}) == [0, 5]
    assert chosen({"alarmedObject": {}}) == chosen({"invented": None, "state": 1}) == []


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "x",
        {},
        _body(TaskKind.CLEAR, []),
        _body(TaskKind.CLEAR, [{}]),
        _body(TaskKind.CLEAR, [{"state": "raised"}, {}]),
        _body(TaskKind.CLEAR, "all"),
        _body(TaskKind.CLEAR, [5]),
        _body(TaskKind.CLEAR, [{"id": "x"}] * (PATTERNS + 1)),
        _body(TaskKind.CLEAR) | {"clearUserId": ""},
        _body(TaskKind.CLEAR) | {"clearUserId": 5},
        _body(TaskKind.CLEAR) | {"clearUserId": "\x00\n"},
    ],
)
def test_a_request_that_lacks_something_is_refused(body: object) -> None:
    with pytest.raises(UsageError):
        parse_task(TaskKind.CLEAR, body, 0)


def test_a_task_whose_patterns_all_name_alarms_concerns_no_others() -> None:
    def identities(*patterns: object) -> tuple[str, ...] | None:
        return parse_task(TaskKind.CLEAR, _body(TaskKind.CLEAR, list(patterns)), 0).identities

    assert identities({"id": "a"}, {"id": "b", "state": "raised"}, {"id": "a"}) == ("a", "b")
    assert identities({"id": "a"}, {"state": "raised"}) is identities({"id": 5}) is None


def test_a_query_for_open_alarms_needs_no_cleared_ones() -> None:
    assert parse_query([]).wants_cleared and parse_query([("state", "raised,cleared")]).wants_cleared
    assert not parse_query([("state", "raised,updated"), ("ackState", "acknowledged")]).wants_cleared


def test_errors() -> None:
    assert error(400, "bad\nquery", "x" * 9999).keys() == {"code", "reason", "message", "status"}
    assert error(404, "no such alarm") == {"code": "404", "reason": "no such alarm", "status": "404"}
