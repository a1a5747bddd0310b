"""Queries and tasks of the alarm API: acknowledge, unacknowledge, clear, comment."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultprint.errors import UsageError
from faultprint.publish.incident import Actor, AlarmState, Change, Comment, Incident, Severity
from faultprint.publish.tmf642.alarm import AlarmSettings, alarm_resource
from faultprint.publish.tmf642.query import (
    ATTRIBUTES,
    DEFAULT_LIMIT,
    MAX_LIMIT,
    AlarmQuery,
    error_body,
    parse_query,
    run_query,
)
from faultprint.publish.tmf642.task import MAX_PATTERNS, TaskKind, parse_task, task_resource
from faultprint_lab.pages.publish import story

from .schema import errors, needs_schemas, tmf642
from .strategies import histories, texts

PLAIN = AlarmSettings()
IDENTITY = UUID(int=7)
OPEN = tuple(Incident.begin(f"pcscf{number}", "north", "overload", Severity.MAJOR, 0, 0) for number in range(5))
ALARMS = [alarm_resource(incident, PLAIN) for incident in (*OPEN, story()[3])]


def _nodes(*parameters: tuple[str, str]) -> list[str]:
    return [alarm["alarmedObject"]["id"] for alarm in run_query(ALARMS, parse_query(parameters)).alarms]


def test_without_parameters_all_alarms_are_shown() -> None:
    found = run_query(ALARMS, parse_query([]))
    assert (found.status, found.alarms) == (200, ALARMS)
    assert found.headers == {"X-Total-Count": "6", "X-Result-Count": "6"}
    assert parse_query([]).limit == DEFAULT_LIMIT


def test_filters() -> None:
    assert _nodes(("state", "cleared")) == ["pcscf1"]
    assert _nodes(("state", "raised,cleared")) == [alarm["alarmedObject"]["id"] for alarm in ALARMS]
    assert _nodes(("state", "raised"), ("alarmedObject.id", "pcscf1, pcscf3")) == ["pcscf1", "pcscf3"]
    assert _nodes(("state", "")) == []
    assert _nodes(("alarmClearedTime", "2026-01-05T09:52:00Z")) == ["pcscf1"]


MIXED = [
    {"id": "1", "state": "raised", "perceivedSeverity": "minor", "alarmRaisedTime": "2026-01-05T09:00:00Z"},
    {"id": "2", "state": "updated", "perceivedSeverity": "critical", "alarmRaisedTime": "2026-01-06T09:00:00Z"},
    {
        "id": "3",
        "state": "cleared",
        "perceivedSeverity": "cleared",
        "alarmRaisedTime": "2026-01-07T09:00:00Z",
        "alarmClearedTime": "2026-01-07T10:00:00.5Z",
        "specificProblem": "a,b;c",
    },
]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        # TMF630: alternatives after a comma, after a semicolon, and under a repeated name
        ("state=raised,updated", "12"),
        ("state=raised&state=updated", "12"),
        ("state=raised;updated", "12"),
        ("state=raised;state=updated", "12"),
        ("state=raised%3Bupdated", "12"),
        ("state=raised%2Cupdated", "12"),
        ("state=raised;updated&state=cleared", "123"),
        ("state=raised;&state=,", "1"),
        # conditions on several attributes: "&" is and, ";" is or
        ("state=raised&perceivedSeverity=critical", ""),
        ("state=raised;perceivedSeverity=critical", "12"),
        ("state=raised;perceivedSeverity=critical&alarmRaisedTime.gte=2026-01-06", "2"),
        # operators as words and as signs
        ("state.ne=cleared", "12"),
        ("state!=cleared", "12"),
        ("state.ne=cleared&state.ne=raised", "2"),
        ("state.eq=cleared", "3"),
        ("alarmRaisedTime.gt=2026-01-05T09:00:00Z", "23"),
        ("alarmRaisedTime.gte=2026-01-05T09:00:00Z", "123"),
        ("alarmRaisedTime>2026-01-05T09:00:00Z&alarmRaisedTime<=2026-01-06T09:00:00Z", "2"),
        ("alarmRaisedTime%3E%3D2026-01-06T09:00:00Z", "23"),
        ("alarmRaisedTime<2026-01-06;alarmRaisedTime>2026-01-07", "13"),
        ("alarmRaisedTime.lt=2026-01-06&alarmRaisedTime.lt=2026-01-07", "12"),
        ("alarmRaisedTime=2026-01-06T10:00:00%2B01:00", "2"),
        ("alarmRaisedTime=2026-01-06T10:00:00+01:00", "2"),
        ("alarmClearedTime.lt=2027-01-01", "3"),
        ("alarmClearedTime.ne=2027-01-01", "123"),
        ("perceivedSeverity.gte=minor", "12"),
        ("perceivedSeverity.lt=critical", "13"),
        # a text may contain the separators
        ("specificProblem=a,b;c", "3"),
        ("specificProblem=x;a,b", ""),
        # order
        ("sort=-alarmRaisedTime", "321"),
        ("sort=%2BalarmRaisedTime&state.ne=raised", "23"),
        ("sort=+perceivedSeverity", "312"),
        ("sort=alarmClearedTime,-id", "321"),
        ("sort=-alarmClearedTime&sort=-id", "321"),
        ("sort=-state&limit=2", "32"),
        ("sort=id,-id," + "state,-state," * 3000, "123"),
    ],
)
def test_queries_of_the_guideline(query: str, found: str) -> None:
    shown = run_query(MIXED, parse_query(parse_qsl(query, keep_blank_values=True)))
    assert "".join(alarm["id"] for alarm in shown.alarms) == found


def test_no_field_means_id_and_href() -> None:
    assert set(run_query(ALARMS, parse_query([("fields", "none")])).alarms[0]) == {"id", "href"}


def test_pages() -> None:
    found = run_query(ALARMS, parse_query([("offset", "4"), ("limit", "1")]))
    assert (found.status, len(found.alarms)) == (206, 1)
    assert found.headers == {"X-Total-Count": "6", "X-Result-Count": "1"}
    assert run_query(ALARMS, parse_query([("offset", "99")])).alarms == []
    assert parse_query([("limit", "999999999")]).limit == MAX_LIMIT


def test_fields() -> None:
    (first, *_) = run_query(ALARMS, parse_query([("fields", "state,perceivedSeverity")])).alarms
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
        ("state.regex", "r.*"),
        ("state.gt", "raised"),
        ("state>", "raised"),
        ("state.gt>", "raised"),
        ("state", "RAISED"),
        ("perceivedSeverity", "fatal"),
        ("alarmRaisedTime", "yesterday"),
        ("alarmRaisedTime", "2026-13-01"),
        ("alarmRaisedTime.gt", "9999-12-31T23:59:59-23:59,10000-01-01"),
        ("sort", "colour"),
        ("sort", "alarmDetails"),
        ("id", ",".join(map(str, range(1001)))),
        (";", ""),
        ("=", "x"),
    ],
)
def test_unknown_parameters_are_refused(parameter: tuple[str, str]) -> None:
    with pytest.raises(UsageError) as error:
        parse_query([parameter])
    assert len(str(error.value)) < 700


def test_a_number_is_given_once() -> None:
    with pytest.raises(UsageError, match="twice"):
        parse_query([("limit", "1"), ("limit", "2")])


@given(histories())
@settings(max_examples=30)
def test_every_attribute_of_an_alarm_can_be_selected(history: tuple[Incident, ...]) -> None:
    assert {name for incident in history for name in alarm_resource(incident, PLAIN)} <= set(ATTRIBUTES)


@given(st.lists(st.tuples(st.one_of(st.sampled_from(("fields", "limit", "state")), texts), texts), max_size=5))
@settings(max_examples=60)
def test_any_parameters_are_a_query_or_an_error(parameters: list[tuple[str, str]]) -> None:
    try:
        query = parse_query(parameters)
    except UsageError:
        return
    assert isinstance(query, AlarmQuery) and len(run_query(ALARMS, query).alarms) <= MAX_LIMIT


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
def test_a_task_applies_its_operation_to_the_matching_alarms(kind: TaskKind) -> None:
    task = parse_task(kind, _body(kind), 90_000_000)
    assert [task.applies_to(alarm) for alarm in ALARMS] == [True, False, False, False, False, False]
    actor = Actor("m.keller", "noc", 90_000_000)
    before = OPEN[0].acknowledge(actor) if kind is TaskKind.UNACKNOWLEDGE else OPEN[0]
    done = before.apply(task.operation, task.actor, task.text)
    expected = {
        TaskKind.ACKNOWLEDGE: lambda: done.acknowledged_by == actor and done.change is Change.ACKNOWLEDGEMENT,
        TaskKind.UNACKNOWLEDGE: lambda: done.acknowledged_by is None and done.change is Change.ACKNOWLEDGEMENT,
        TaskKind.CLEAR: lambda: done.state is AlarmState.CLEARED and done.cleared_us == 90_000_000,
        TaskKind.COMMENT: lambda: done.comments == (Comment(actor, "on it"),),
    }
    assert expected[kind]()


@needs_schemas
@pytest.mark.parametrize("kind", TaskKind)
def test_requests_and_responses_fit_the_schema(kind: TaskKind) -> None:
    schema = tmf642()
    name = kind.value[0].upper() + kind.value[1:]
    request = {"$ref": f"#/definitions/{name}Create"}
    assert not list(errors(_body(kind), request, schema, closed=True))
    # The parser requires the same fields as the schema, except for the time, which we set.
    for required in schema["definitions"][f"{name}Create"]["required"]:
        incomplete = {key: value for key, value in _body(kind).items() if key != required}
        if required != "alarmClearedTime":
            with pytest.raises(UsageError):
                parse_task(kind, incomplete, 0)
    resource = task_resource(parse_task(kind, _body(kind), 0), IDENTITY, OPEN[:2], PLAIN)
    assert not list(errors(resource, {"$ref": f"#/definitions/{name}"}, schema, closed=True))
    assert f"/alarmManagement/v4/{kind.value}" in schema["paths"]


def test_the_response_refers_to_the_alarms() -> None:
    resource = task_resource(
        parse_task(TaskKind.ACKNOWLEDGE, _body(TaskKind.ACKNOWLEDGE), 0), IDENTITY, OPEN[:1], PLAIN
    )
    assert resource["ackedAlarm"] == [{"uuid": str(OPEN[0].identity), "href": ALARMS[0]["href"]}]
    assert resource["ackTime"] == "1970-01-01T00:00:00Z" and resource["state"] == "done"


def test_patterns() -> None:
    def matching(*patterns: object) -> list[int]:
        task = parse_task(TaskKind.CLEAR, _body(TaskKind.CLEAR, list(patterns)), 0)
        return [index for index, alarm in enumerate(ALARMS) if task.applies_to(alarm)]

    assert matching({"state": "raised"}) == [0, 1, 2, 3, 4]
    assert matching({"state": "raised", "alarmedObject": {"id": "pcscf1"}}) == [1]
    assert matching({"alarmedObject": {"id": "pcscf0"}}, {"state": "cleared"}) == [0, 5]
    assert matching({"alarmedObject": {}}) == matching({"invented": None, "state": 1}) == []


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
        _body(TaskKind.CLEAR, [{"id": "x"}] * (MAX_PATTERNS + 1)),
        _body(TaskKind.CLEAR) | {"clearUserId": ""},
        _body(TaskKind.CLEAR) | {"clearUserId": 5},
        _body(TaskKind.CLEAR) | {"clearUserId": "\x00\n"},
    ],
)
def test_an_incomplete_request_is_refused(body: object) -> None:
    with pytest.raises(UsageError):
        parse_task(TaskKind.CLEAR, body, 0)


def test_a_task_knows_its_alarm_ids_if_every_pattern_has_one() -> None:
    def alarm_ids(*patterns: object) -> tuple[str, ...] | None:
        return parse_task(TaskKind.CLEAR, _body(TaskKind.CLEAR, list(patterns)), 0).alarm_ids

    assert alarm_ids({"id": "a"}, {"id": "b", "state": "raised"}, {"id": "a"}) == ("a", "b")
    assert alarm_ids({"id": "a"}, {"state": "raised"}) is alarm_ids({"id": 5}) is None


def test_a_query_for_open_alarms_excludes_cleared_ones() -> None:
    assert parse_query([]).includes_cleared and parse_query([("state", "raised,cleared")]).includes_cleared
    assert not parse_query([("state", "raised,updated"), ("ackState", "acknowledged")]).includes_cleared


def test_errors() -> None:
    assert error_body(400, "bad\nquery", "x" * 9999).keys() == {"code", "reason", "message", "status"}
    assert error_body(404, "no such alarm") == {"code": "404", "reason": "no such alarm", "status": "404"}
