"""One notion of an incident: a table of verdicts gives the incidents that the live monitor raises on the same minutes."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from tests.synthetic import minute

from faultprint.cases.identify import identify
from faultprint.cases.library import Library
from faultprint.monitor.config.incidents import IncidentRules
from faultprint.monitor.config.maintenance import Maintenance
from faultprint.monitor.detect.recorded import recorded_incidents
from faultprint.monitor.state import persistence
from faultprint.monitor.state.store import Store

from .conftest import Deployment, Watch, feed

MINUTE = 60_000_000


@pytest.mark.parametrize(
    ("rules", "maintenance"),
    [
        (IncidentRules(), ()),
        (IncidentRules(onset_minutes=4, clear_minutes=6, flap_count=1, damped_minutes=9), ()),
        (IncidentRules(), (Maintenance(minute(95), minute(125), "beta-1"),)),
    ],
)
def test_identify_and_the_monitor_agree_on_every_incident(
    watch: Watch,
    deployment: Deployment,
    traffic: pl.DataFrame,
    tmp_path: Path,
    rules: IncidentRules,
    maintenance: tuple[Maintenance, ...],
) -> None:
    with watch(incidents=rules, maintenance=maintenance) as monitor:
        feed(monitor, traffic)
        live = list(monitor.incidents.open.values())
    with Store(tmp_path / "state.db") as store:
        recorded = persistence.verdicts(store, MINUTE)
        stored = {str(each.identity): each for each in store.incidents()}
    with Library.open(deployment.library_path) as library:
        verdicts = identify(traffic, deployment.model, library, persistence=3)
    assert verdicts.select("node", "minute", "condition", "ongoing").equals(
        recorded.select("node", "minute", "condition", "ongoing")
    )
    assert verdicts["probability"].to_list() == pytest.approx(recorded["probability"].to_list(), abs=1e-4, nan_ok=True)
    networks = {node: node.split("-")[0] for node in traffic["node"].unique()}
    found = recorded_incidents(
        verdicts, networks, interval_us=MINUTE, persistence=3, rules=rules, maintenance=maintenance
    )
    assert len(found) >= 3
    for incident in found:
        other = stored[str(incident.identity)]
        assert (incident.onset_us, incident.cleared_us, incident.diagnoses, incident.severity) == (
            other.onset_us,
            other.cleared_us,
            other.diagnoses,
            other.severity,
        )
    assert len(stored) == len(found)
    assert {incident.node for incident in live} == {each.node for each in found if each.cleared_us is None}
