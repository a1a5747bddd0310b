"""`faultprint incidents`: people see what there is, and what they ask for is done by a monitor that runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.synthetic import minutes

from faultprint.cli import cli
from faultprint.monitor.base.location import StateLocation, sibling
from faultprint.monitor.monitor import Monitor

from .conftest import Deployment, Watch, feed
from .postgres import Server
from .test_alarm_api import looping


@pytest.fixture
def monitor(watch: Watch, state: StateLocation) -> Iterator[Monitor]:
    with watch(state=state) as one:
        feed(one, minutes("beta-1", 230, [(100, 130, "bye-slow"), (200, 230, "bye-slow")], seed=2), end=False)
        yield one


def run(place: StateLocation, *words: str, status: int = 0) -> Result:
    written = str(place) if isinstance(place, Path) else place.url
    result = CliRunner().invoke(cli, ["incidents", *words, "--state", written])
    assert (result.exit_code == 0) == (status == 0), result.output
    return result


def found(place: StateLocation, *words: str) -> Any:
    return json.loads(run(place, *words, "--json").stdout)


def test_open_incidents_are_listed_and_all_if_wanted(monitor: Monitor, state: StateLocation) -> None:
    (incident,) = monitor.incidents.open.values()
    (one,) = found(state, "list")["incidents"]
    assert (one["incident"], one["node"]) == (str(incident.identity), "beta-1")
    everything = found(state, "list", "--all")["incidents"]
    assert len(everything) >= 2 and everything[0] == one and "cleared" in everything[1]
    assert found(state, "list", "--all", "--node", "other") == {"incidents": []}
    head, line = run(state, "list").stdout.splitlines()
    assert head.split()[:3] == ["incident", "node", "condition"] and line.split()[:2] == [one["incident"], "beta-1"]


def test_deeds_are_done_while_the_monitor_runs(monitor: Monitor, state: StateLocation) -> None:
    (incident,) = monitor.incidents.open.values()
    identity, by = str(incident.identity), ("--user", "m.keller", "--system", "noc", "--wait", "20")
    with looping(monitor):
        assert found(state, "acknowledge", identity[:8], *by) == {
            "incident": identity,
            "command": "acknowledge",
            "done": True,
        }
        assert "comment" in run(state, "comment", identity, "on\x1b it", *by).stdout
        shown = found(state, "show", identity[:8])
        assert shown["acknowledged_by"] == "m.keller" and shown["comments"][0].endswith("m.keller at noc: on it")
        assert shown["conditions"][0].endswith(incident.initial_condition)
        assert f"incident: {identity}" in run(state, "show", identity).stdout
        assert found(state, "unacknowledge", identity, *by)["done"]
        assert "acknowledged_by" not in found(state, "show", identity)
        assert found(state, "clear", identity, *by)["done"]
    assert found(state, "list") == {"incidents": []}
    assert "is cleared" in str(run(state, "clear", identity, *by, status=2).exception)


def test_what_is_asked_of_a_monitor_that_does_not_run_is_done_later(watch: Watch, state: StateLocation) -> None:
    table = minutes("beta-1", 140, [(100, 140, "bye-slow")], seed=2)
    with watch(state=state) as monitor:
        feed(monitor, table[:135], end=False)
        (incident,) = monitor.incidents.open.values()
    assert not found(state, "acknowledge", str(incident.identity), "--wait", "0")["done"]
    with watch(state=state) as monitor:
        feed(monitor, table)
    assert "acknowledged_by" in found(state, "show", str(incident.identity))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("show", "nobody"), "knows no incident 'nobody'"),
        (("show", ""), "incident ''"),
        (("acknowledge", "nobody"), "knows no incident"),
        (("comment", "nobody", "\x00 "), "no printable text"),
    ],
)
def test_a_mistake_is_one_sentence(
    monitor: Monitor, state: StateLocation, words: tuple[str, ...], sentence: str
) -> None:
    error = run(state, *words, status=2).exception
    assert sentence in str(error) and "\n" not in str(error)


def test_where_no_monitor_has_been_is_one_sentence(postgres: Server, tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    for place in (tmp_path / "none.db", tmp_path / "empty.db", postgres.fresh(), sibling(postgres.fresh(), "replay")):
        assert "no state of a monitor" in str(run(place, "list", status=2).exception)
    assert not (tmp_path / "none.db").exists()


def test_a_member_of_a_group_has_states_by_partition(deployment: Deployment, tmp_path: Path) -> None:
    config = tmp_path / "monitor.toml"
    config.write_text(
        f'model = "{deployment.model_path}"\nlibrary = "{deployment.library_path}"\nstate = "s.db"\n'
        '[kafka]\nbootstrap = "127.0.0.1:9"\n'
    )
    result = CliRunner().invoke(cli, ["incidents", "list", "--config", str(config)])
    assert f"such as {tmp_path}/s.db.faultprint.minutes-0." in str(result.exception)
    result = CliRunner().invoke(cli, ["monitor", "--config", str(config), "--dry-run"])
    assert "would take partitions from running monitors" in str(result.exception)


def test_one_monitor_must_be_named(deployment: Deployment, tmp_path: Path) -> None:
    config = tmp_path / "monitor.toml"
    config.write_text(f'model = "{deployment.model_path}"\nlibrary = "{deployment.library_path}"\nstate = "none.db"\n')
    for words, sentence in (((), "either --config or --state"), (("--config", str(config)), "no state of a monitor")):
        result = CliRunner().invoke(cli, ["incidents", "list", *words])
        assert sentence in str(result.exception)
