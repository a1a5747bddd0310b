"""A watched node whose traffic stops has an incident within three minutes, live as in the batch."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
from tests.cases.test_silence import quiet_from
from tests.synthetic import minute, minutes

from faultprint.cases.identify import identify
from faultprint.cases.library import Library
from faultprint.monitor.config.incidents import IncidentRules
from faultprint.monitor.state import persistence
from faultprint.monitor.state.store import Store
from faultprint.publish.incident import Severity

from .conftest import Deployment, Watch, feed

COLUMNS = ["node", "minute", "condition"]


def kept(folder: Path) -> pl.DataFrame:
    with Store(folder / "state.db") as store:
        return persistence.verdicts(store, 60_000_000)


def changes(folder: Path) -> list[tuple[str, str, str]]:
    """Node, change and condition of every message."""
    lines = [json.loads(line) for line in (folder / "lines.jsonl").read_text().splitlines()]
    return [(line["node"], line["change"], line["condition"]) for line in lines]


def run(watch: Watch, table: pl.DataFrame, stops: tuple[int, ...] = ()) -> None:
    for stop in stops:
        with watch() as monitor:
            feed(monitor, table.filter(pl.col("minute") < minute(stop)), end=False)
    with watch() as monitor:
        feed(monitor, table)
        assert all(worker.drain(10) for worker in monitor.workers)


def test_live_verdicts_equal_the_batch_with_restarts(deployment: Deployment, watch: Watch, tmp_path: Path) -> None:
    """One node never speaks, one stops for a while, one starts late, one is silent to the end."""
    table = pl.concat(
        [
            quiet_from(minutes("beta-1", 200, seed=2), 0, 200),
            quiet_from(minutes("beta-2", 200, seed=3), 100, 130),
            quiet_from(minutes("beta-3", 200, seed=4), 0, 30),
            quiet_from(minutes("beta-4", 200, seed=5), 150, 200),
        ]
    )
    run(watch, table, (2, 101, 140))
    with Library.open(deployment.library_path) as library:
        wanted = identify(table, deployment.model, library, persistence=3)
    assert kept(tmp_path).select(COLUMNS).equals(wanted.select(COLUMNS))
    assert {"no-traffic", "warming-up", "normal"} <= {*wanted["condition"]}


def test_an_incident_begins_within_three_minutes_and_is_cleared(watch: Watch, tmp_path: Path) -> None:
    table = quiet_from(minutes("beta-1", 200, seed=2), 100, 120)
    with watch() as monitor:
        feed(monitor, table.filter(pl.col("minute") < minute(103)), end=False)  # the last minute is still open
        (incident,) = monitor.incidents.open.values()
        assert (incident.condition, incident.severity) == ("no-traffic", Severity.CRITICAL)
        feed(monitor, table)
        assert all(worker.drain(10) for worker in monitor.workers)
    found = changes(tmp_path)
    assert found[0] == ("beta-1", "onset", "no-traffic") and found[-1][1] == "clear"


def test_an_incident_of_a_node_that_speaks_late_is_cleared_before_its_baseline(watch: Watch, tmp_path: Path) -> None:
    run(watch, quiet_from(minutes("beta-1", 40, seed=2), 0, 20))
    assert changes(tmp_path) == [("beta-1", "onset", "no-traffic"), ("beta-1", "clear", "no-traffic")]


def test_the_severity_is_a_setting() -> None:
    rules = IncidentRules(no_traffic_severity=Severity.MINOR, severities={"x": Severity.WARNING})
    assert rules.severity_of("no-traffic") is Severity.MINOR and rules.severity_of("y") is Severity.MAJOR
