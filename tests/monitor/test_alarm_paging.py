"""The database filters, sorts and pages the list of alarms: as the definition says, and for 50,000 incidents."""

from __future__ import annotations

import json
import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultprint.monitor.base.location import StateLocation
from faultprint.monitor.control.requests import CommandQueue
from faultprint.monitor.ingest.files import ReplayClock
from faultprint.monitor.serve.alarm_api import AlarmApi
from faultprint.monitor.serve.selection import QueryTranslator
from faultprint.monitor.state.store import Store
from faultprint.publish.incident import Actor, Comment, Explanation, Incident, Severity
from faultprint.publish.inventory import InventoryElement
from faultprint.publish.tmf642.alarm import AlarmSettings, AlarmType, alarm_resource
from faultprint.publish.tmf642.query import FILTERS, SORTS, FilterOperator, parse_query, run_query
from faultprint.publish.tmf642.task import TaskKind, parse_task

MINUTE = 60_000_000
SETTINGS = AlarmSettings(
    base="https://noc.example/tmf",
    types={"hss-slow": AlarmType.COMMUNICATIONS, "overload": AlarmType.PROCESSING_ERROR},
    causes={"overload": "congestion", "link\tdown": "lossOfSignal"},
    inventory={
        "node-1": InventoryElement("edge-1", "7d0c"),
        "node-2": InventoryElement("node-1"),
        "node-3": InventoryElement("edge-1", "7d0c"),
    },
)
NAMES = ("hss-slow", "overload", "link\tdown", "unknown", "a,b;c", "\ud800", "", "x" * 300)


def incidents(count: int, seed: int) -> list[Incident]:
    """Incidents in every state, with times, names and people that coincide often."""
    dice = random.Random(seed)
    found = []
    for number in range(count):
        begin = dice.randrange(60) * MINUTE
        node = f"node-{dice.randrange(6)}" if dice.random() < 0.9 else dice.choice(NAMES)
        incident = Incident.begin(node, "n", dice.choice(NAMES), dice.choice(list(Severity)), begin, begin)
        incident = replace(incident, identity=type(incident.identity)(int=dice.getrandbits(128) ^ number))
        who = Actor(dice.choice(("", "eva", "m. keller")), dice.choice(("noc", "")), begin + dice.randrange(9) * MINUTE)
        if dice.random() < 0.3:
            incident = incident.diagnose(dice.choice(NAMES), Severity.MINOR, begin + MINUTE, Explanation())
        if dice.random() < 0.3:
            incident = incident.acknowledge(who)
        if dice.random() < 0.2:
            incident = incident.comment(Comment(who, "seen"))
        if dice.random() < 0.5:
            incident = incident.clear(who.time_us, dice.choice((None, who)))
        found.append(incident)
    return found


def by_hand(known: list[Incident], query: str) -> tuple[int, list[Any], dict[str, str]]:
    """The page as the pure function of the query gives it."""
    order = sorted(known, key=lambda one: (one.cleared_us is not None, one.changed_us, str(one.identity)))
    found = run_query((alarm_resource(one, SETTINGS) for one in order), parse_query(pairs(query)))
    return found.status, found.alarms, dict(found.headers)


def pairs(query: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (part.partition("=") for part in query.split("&") if part)]


def asked(api: AlarmApi, query: str) -> tuple[int, list[Any], dict[str, str]]:
    response = api.get("/alarm", query)
    return response.status, json.loads(response.body), dict(response.headers)


def served(state: StateLocation, known: list[Incident]) -> AlarmApi:
    with Store(state) as store:
        store.save_commands(known, [])
    return AlarmApi(CommandQueue(state), SETTINGS, ReplayClock())


KNOWN = incidents(150, seed=1)
VALUES = {
    "id": [str(KNOWN[0].identity), "nobody"],
    "externalAlarmId": [str(KNOWN[1].identity)],
    "href": [f"https://noc.example/tmf/alarm/{KNOWN[2].identity}", "/alarm/1"],
    "alarmType": list(AlarmType),
    "perceivedSeverity": [*Severity, "cleared"],
    "probableCause": ["congestion", "indeterminate", "lossOfSignal", "fire"],
    "specificProblem": ["hss-slow", "link down", "unnamed", "a,b;c", "unknown", "a"],
    "alarmDetails": ["before: unknown", "none"],
    "alarmedObjectType": ["PCSCF", "SCSCF"],
    "sourceSystemId": ["faultprint", "other"],
    "reportingSystemId": ["faultprint"],
    "state": ["raised", "updated", "cleared"],
    "alarmRaisedTime": ["1970-01-01T00:05:00Z", "1970-01-01", "1970-01-01T01:30:00.5%2B01:00"],
    "alarmChangedTime": ["1970-01-01T00:30:00Z", "2026-01-05"],
    "alarmClearedTime": ["1970-01-01T00:40:00Z", "1970-01-01T00:00:00Z"],
    "ackState": ["acknowledged", "unacknowledged", "perhaps"],
    "ackUserId": ["eva", "m. keller", "nobody"],
    "ackSystemId": ["noc"],
    "clearUserId": ["eva", "nobody"],
    "clearSystemId": ["noc"],
    "@type": ["Alarm", "Alert"],
    "alarmedObject.id": ["7d0c", "node-1", "node-2", "node-4", "unnamed", "edge-1"],
}
ORDERED = ("alarmRaisedTime", "alarmChangedTime", "alarmClearedTime", "perceivedSeverity")


@st.composite
def conditions(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(FILTERS))
    operators = tuple(FilterOperator) if name in ORDERED else ("eq", "ne")
    operator = draw(st.sampled_from((*operators, "")))
    values = draw(st.lists(st.sampled_from(VALUES[name]), min_size=1, max_size=3))
    return f"{name}{'.' if operator else ''}{operator}={','.join(values)}"


@st.composite
def queries(draw: st.DrawFn) -> str:
    parts = draw(st.lists(st.lists(conditions(), min_size=1, max_size=2).map(";".join), max_size=3))
    if keys := draw(st.lists(st.tuples(st.sampled_from(("", "-")), st.sampled_from(SORTS)), max_size=3)):
        parts.append(f"sort={','.join(sign + name for sign, name in keys)}")
    parts += [f"offset={draw(st.integers(0, 200))}", f"limit={draw(st.integers(0, 60))}"]
    return "&".join(parts)


def test_every_filter_has_values_here() -> None:
    assert VALUES.keys() == set(FILTERS)


@pytest.fixture(scope="module")
def small_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("small") / "state.db"


@pytest.fixture(scope="module")
def small(small_state: Path) -> AlarmApi:
    return served(small_state, KNOWN)


@given(queries())
@settings(max_examples=60, deadline=None)
def test_the_database_selects_what_the_definition_says(small: AlarmApi, query: str) -> None:
    assert asked(small, query) == by_hand(KNOWN, query.replace("%2B", "+"))


@given(queries(), st.integers(7, 40))
@settings(max_examples=15, deadline=None)
def test_the_pages_together_are_the_list(small: AlarmApi, query: str, size: int) -> None:
    base = query.partition("&offset=")[0] if "&offset=" in query else ""
    _, wanted, headers = by_hand(KNOWN, f"{base}&limit=1000".replace("%2B", "+"))
    seen: list[Any] = []
    for offset in range(0, len(KNOWN), size):
        seen += asked(small, f"{base}&limit={size}&offset={offset}")[1]
    assert seen == wanted and headers["X-Total-Count"] == str(len(wanted))


@st.composite
def patterns(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(FILTERS), min_size=1, max_size=3, unique=True))
    pattern: dict[str, Any] = {}
    for name in names:
        value = draw(st.one_of(st.sampled_from(VALUES[name]), st.sampled_from(("", "Raised", 5, None))))
        pattern |= {"alarmedObject": {"id": value}} if name == "alarmedObject.id" else {name: value}
    return pattern


@given(st.lists(patterns(), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_a_task_finds_all_alarms_that_match_its_patterns(
    small: AlarmApi, small_state: Path, asked_for: list[dict[str, Any]]
) -> None:
    body = {"clearUserId": "eva", "clearSystemId": "noc", "alarmPattern": asked_for}
    task = parse_task(TaskKind.CLEAR, body, 0)
    wanted = {str(one.identity) for one in KNOWN if task.applies_to(alarm_resource(one, SETTINGS))}
    candidates = QueryTranslator(SETTINGS).candidates(task.patterns)
    found = {str(one.identity) for one in CommandQueue(small_state).matching(candidates)}
    assert wanted <= found
    exact = {"id", "state", "perceivedSeverity", "specificProblem", "ackUserId", "clearSystemId"}
    values = [value for pattern in asked_for for value in pattern.values()]
    if all(set(pattern) <= exact for pattern in asked_for) and all(isinstance(one, str) and one for one in values):
        assert found == wanted


def test_long_queries_are_no_burden_for_the_database(small: AlarmApi) -> None:
    times = ",".join(f"1970-01-01T00:{second // 60:02}:{second % 60:02}Z" for second in range(900))
    groups = "&".join(f"state=raised;id.ne={number}" for number in range(60))
    for query in (f"alarmRaisedTime.gt={times}", f"id={','.join(map(str, range(999)))}", groups):
        assert asked(small, query) == by_hand(KNOWN, query)


def test_both_databases_page_alike(state: StateLocation) -> None:
    api = served(state, KNOWN)
    for query in (
        "",
        "state=raised,updated&sort=-perceivedSeverity,specificProblem,id",
        "alarmClearedTime.gte=1970-01-01T00:10:00Z&alarmClearedTime.lt=1970-01-01T00:30:00Z&sort=alarmClearedTime",
        "sort=-alarmClearedTime&offset=140",
        "ackUserId.ne=eva&alarmType=QUALITY_OF_SERVICE_ALARM&limit=7",
        "alarmedObject.id=7d0c,node-1&alarmedObject.id=node-4;state=cleared",
        "specificProblem=a,b;c",
    ):
        assert asked(api, query) == by_hand(KNOWN, query)


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> tuple[AlarmApi, Path]:
    """50,000 incidents: copies of 560, each with an identity of its own."""
    path = tmp_path_factory.mktemp("big") / "state.db"
    api = served(path, incidents(560, seed=3))
    copies = "WITH RECURSIVE copy(n) AS (SELECT 10 UNION ALL SELECT n + 1 FROM copy WHERE n < 99)"
    identity = "substr(i.identity, 1, 34) || n"  # the digits of n replace the last ones
    columns = "a.open, a.changed, state, severity, raised, cleared, problem, object, ack_user, ack_system, clear_user, clear_system"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            f"CREATE TABLE old AS SELECT * FROM alarm; CREATE TABLE kept AS SELECT * FROM incident;"
            f"{copies} INSERT INTO alarm SELECT DISTINCT {identity.replace('i.', 'a.')}, {columns} FROM old AS a, copy WHERE true "
            "ON CONFLICT DO NOTHING;"
            f"{copies} INSERT INTO incident SELECT {identity}, node, open, changed, replace(document, identity, {identity}) "
            "FROM kept AS i, copy WHERE true ON CONFLICT DO NOTHING;"
            "DROP TABLE old; DROP TABLE kept;"
        )
    return api, path


@pytest.mark.parametrize(
    "query", ["", "state=updated&sort=-alarmRaisedTime", "alarmedObject.id=7d0c&sort=perceivedSeverity"]
)
def test_the_pages_of_many_alarms_are_parts_of_the_list(big: tuple[AlarmApi, Path], query: str) -> None:
    api, path = big
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT identity, open, changed, state, raised, severity, object FROM alarm").fetchall()
    assert len(rows) >= 50_000
    rows.sort(key=lambda row: (-row[1], row[2], row[0]))
    if query.startswith("state"):
        rows = sorted((row for row in rows if row[3] == 1), key=lambda row: row[4], reverse=True)
    elif query:
        rows = sorted((row for row in rows if row[6] in ("node-1", "node-3")), key=lambda row: row[5])
    for offset in range(0, len(rows), 4000 if query else 17_000):
        status, alarms, headers = asked(api, f"{query}&fields=none&limit=1000&offset={offset}")
        assert (status, headers["X-Total-Count"]) == (206, str(len(rows)))
        assert [one["id"] for one in alarms] == [row[0] for row in rows[offset : offset + 1000]]


def test_indices_give_the_order_and_no_document_is_read_that_is_not_shown(big: tuple[AlarmApi, Path]) -> None:
    _, path = big
    translator = QueryTranslator(SETTINGS)

    def plan(query: str) -> str:
        selection = translator.selection(parse_query(pairs(query)))
        assert selection is not None
        with closing(sqlite3.connect(path)) as database:
            values = (*selection.condition.values, 100, 0)
            return " ".join(row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {selection.page_query}", values))

    for query, index in {
        "": "alarm_order",
        "state=raised,updated": "alarm_order",
        "specificProblem=overload&ackState=unacknowledged": "alarm_order",
        "sort=-alarmRaisedTime": "alarm_raised",
        "state=raised,updated&sort=alarmRaisedTime": "alarm_raised",
        "sort=-perceivedSeverity,-alarmRaisedTime": "alarm_severity",
        "alarmedObject.id=7d0c&sort=perceivedSeverity": "alarm_object",
    }.items():
        found = plan(query)
        assert index in found and "incident" not in found, (query, found)
        # Only alarms with equal keys, or those of one object, are sorted.
        assert "alarmedObject" in query or "TEMP B-TREE FOR ORDER BY" not in found, (query, found)


def test_an_earlier_state_gets_its_table_and_every_change_is_in_it(tmp_path: Path) -> None:
    known = incidents(40, seed=5)
    with Store(tmp_path / "state.db") as store:
        store.save_commands(known, [])
    with closing(sqlite3.connect(tmp_path / "state.db")) as database:
        database.execute("DROP TABLE alarm")
        database.execute("UPDATE incident SET document = '{' WHERE identity = ?", (str(known[0].identity),))
        database.commit()
    api = served(tmp_path / "state.db", [])
    assert asked(api, "sort=id") == by_hand(known[1:], "sort=id")
    # An earlier version removes one incident and changes another.
    changed = known[2].comment(Comment(Actor("eva", "noc", known[2].changed_us + MINUTE), "late"))
    served(tmp_path / "state.db", [changed])
    with closing(sqlite3.connect(tmp_path / "state.db")) as database:
        database.execute("DELETE FROM incident WHERE identity = ?", (str(known[1].identity),))
        database.execute("UPDATE alarm SET changed = 0 WHERE identity = ?", (str(changed.identity),))
        database.commit()
    api = served(tmp_path / "state.db", [])
    assert asked(api, "sort=id") == by_hand([changed, *known[3:]], "sort=id")
