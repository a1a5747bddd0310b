"""Counters of each node and minute for a VES collector, in an outbox of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.synthetic import minutes

from faultprint.errors import UsageError
from faultprint.monitor.config import settings as configuration
from faultprint.monitor.config.settings import RetentionSettings, RetrySettings, Settings
from faultprint.monitor.config.sinks import FileSinkSettings, SinkSettings, VesSinkSettings
from faultprint.monitor.deliver.outbox import Outbox
from faultprint.publish.ves.event import EVENT_PATH

from ..publish.collector import answer, free_port, serving
from ..publish.schema import errors, needs_schemas, ves
from .conftest import Deployment, Log, Watch, feed

FEATURES = ("in.register_initial.attempts", "node.ira")
QUICK = RetrySettings(first_seconds=0, longest_seconds=0.1, timeout_seconds=5)


def sink(port: int, features: tuple[str, ...] = FEATURES) -> tuple[SinkSettings, ...]:
    return (VesSinkSettings("v", url=f"http://127.0.0.1:{port}", measurements=features),)


def events(bodies: list[bytes]) -> list[dict[str, Any]]:
    return [event for body in map(json.loads, bodies) for event in body.get("eventList") or [body["event"]]]


def test_one_event_a_node_and_minute(watch: Watch) -> None:
    table = pl.concat([minutes("a-1", 8), minutes("b-1", 8, gaps=[3])])
    with serving(answer(202)) as collector:
        with watch(sink=sink(collector.port), retry=QUICK) as monitor:
            feed(monitor, table)
            assert all(courier.drain(20) for courier in monitor.workers)
        found = events([request.body for request in collector.requests])
    headers = [event["commonEventHeader"] for event in found]
    told = [(header["sourceName"], header["startEpochMicrosec"]) for header in headers]
    wanted = table.sort("minute", "node").select("node", pl.col("minute").dt.epoch("us"))
    assert sorted(told, key=lambda one: (one[1], one[0])) == list(wanted.iter_rows())
    assert len({header["eventId"] for header in headers}) == len(headers) == 15
    assert {header["domain"] for header in headers} == {"measurement"}
    first = found[0]["measurementFields"]["additionalMeasurements"]
    value = table.filter(pl.col("node") == told[0][0])[FEATURES[0]][0]
    assert {"name": "in.register_initial", "hashMap": {"attempts": str(int(value))}} in first
    assert {courier.sink.name: courier.counts.delivered for courier in monitor.workers} == {
        "v": 0,
        "v.measurements": 15,
    }


def test_a_restart_loses_no_counters_and_repeats_none(watch: Watch) -> None:
    table = minutes("a-1", 30)
    for stop in (7, 20):
        with watch(sink=sink(9)) as monitor:
            feed(monitor, table[:stop], end=False)
    with serving(answer(202)) as collector:
        with watch(sink=sink(collector.port), retry=QUICK) as monitor:
            feed(monitor, table)
            assert all(courier.drain(20) for courier in monitor.workers)
        found = events([request.body for request in collector.requests])
    starts = [event["commonEventHeader"]["startEpochMicrosec"] for event in found]
    assert starts == table["minute"].to_physical().to_list()


@needs_schemas
def test_what_arrives_is_that_of_the_schema_whether_alone_or_together(watch: Watch) -> None:
    schema = ves()
    table = minutes("a-1", 140, [(100, 130, "bye-slow")], seed=2)
    port = free_port()
    with watch(sink=sink(port), retry=QUICK) as monitor:
        feed(monitor, table)  # nobody listens yet, so that much waits
        with serving(answer(202), port=port) as collector:
            assert all(courier.drain(20) for courier in monitor.workers)
        bodies = [json.loads(request.body) for request in collector.requests]
    for body in bodies:
        assert not list(errors(body, schema, schema))
    lists = [body["eventList"] for body in bodies if "eventList" in body]
    # The specification: a batch holds events of one domain.
    assert lists and all(len({event["commonEventHeader"]["domain"] for event in one}) == 1 for one in lists)
    alarms = [event for event in events([json.dumps(body).encode() for body in bodies]) if "faultFields" in event]
    severities: dict[str, list[str]] = {}
    for event in alarms:
        severities.setdefault(event["commonEventHeader"]["eventId"], []).append(event["faultFields"]["eventSeverity"])
    assert any(life[0] != "NORMAL" and life[-1] == "NORMAL" for life in severities.values())


def test_counters_that_wait_push_no_incident_aside(watch: Watch, tmp_path: Path) -> None:
    """Nobody listens: the oldest measurement events are dead-lettered and logged; the outbox of the incidents is not affected."""
    log = Log()
    table = minutes("a-1", 140, [(100, 130, "bye-slow")], seed=2)
    with watch(log, sink=sink(9), retry=QUICK, retention=RetentionSettings(messages=20)) as monitor:
        feed(monitor, table)
        monitor.workers[1].drain(1)
    waiting = {}
    for lane in ("v", "v.measurements"):
        outbox = Outbox(tmp_path / "state.db", lane, 20)
        waiting[lane] = outbox.oldest(1000)
        assert {one.message.path for one in waiting[lane]} == {EVENT_PATH}
        outbox.close()
    assert len(waiting["v"]) >= 2
    assert b'"onset"' in waiting["v"][0].message.body
    assert {fields["sink"] for event, fields in log if event == "messages_dead_lettered"} == {"v.measurements"}


def test_the_same_minute_makes_the_same_messages(watch: Watch) -> None:
    with watch(sink=sink(9)) as monitor:
        (measure,) = [courier.sink.measure for courier in monitor.workers if courier.sink.measure]
        rows = minutes("a-1", 1)
        assert list(measure(rows, 60_000_000)) == list(measure(rows, 60_000_000)) != list(measure(rows, 0))


@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        (("node.ira", "node.irra"), "the measurement 'node.irra', which is not a feature"),
        (("node.ira",) * 2, "have the name"),
    ],
)
def test_a_feature_that_is_unknown_or_named_twice_stops_the_start(
    watch: Watch, features: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence), watch(sink=sink(9, features)):
        pass


def test_only_ves_takes_measurements(deployment: Deployment, tmp_path: Path) -> None:
    config = tmp_path / "monitor.toml"
    config.write_text(
        'model = "m"\nlibrary = "l"\nstate = "s"\n'
        '[[sink]]\nname = "w"\nkind = "webhook"\nurl = "http://127.0.0.1"\nmeasurements = ["node.ira"]\n'
    )
    with pytest.raises(UsageError, match=r"no key 'sink\.measurements' for kind 'webhook'"):
        configuration.read(config)
    two = (*sink(9), FileSinkSettings("v.measurements", tmp_path / "x"))
    with pytest.raises(UsageError, match=r"Two sinks are named 'v\.measurements'"):
        Settings(deployment.model_path, deployment.library_path, tmp_path / "s.db", sink=two)
