"""The monitor as a whole: verdicts equal those of `identify`, and a restart changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.synthetic import minute, minutes, random_artifact, with_normal_distance

from faultprint.cases import baseline
from faultprint.cases.baseline import Baseline
from faultprint.cases.enrol import Enrolment, enrol
from faultprint.cases.identify import identify
from faultprint.cases.library import Library
from faultprint.embedding.model import Model, load_model
from faultprint.embedding.model_file import write_artifact
from faultprint.errors import LibraryError, ModelError, StateError, UsageError
from faultprint.monitor.base.interfaces import Batch
from faultprint.monitor.config.incidents import IncidentRules
from faultprint.monitor.config.maintenance import Maintenance
from faultprint.monitor.config.settings import BaselineKind, BaselineSettings, NodeSettings
from faultprint.monitor.control.requests import CommandQueue
from faultprint.monitor.ingest.files import Replay, ReplayClock, by_minute
from faultprint.monitor.state import persistence
from faultprint.monitor.state.store import Store
from faultprint.publish.incident import Actor, IncidentOperation

from .conftest import NOW, Deployment, Log, Watch, feed


def kept(folder: Path, name: str = "state.db") -> pl.DataFrame:
    with Store(folder / name) as store:
        return persistence.verdicts(store, 60_000_000)


def told(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "lines.jsonl").read_text().splitlines()]


def drained(monitor: Any) -> None:
    assert all(courier.drain(10) for courier in monitor.workers)


def stopped(watch: Watch, table: pl.DataFrame, stops: Sequence[int]) -> None:
    """A monitor that was stopped before each of these minutes, and went on until the next."""
    for stop in stops:
        with watch() as monitor:
            feed(monitor, table.filter(pl.col("minute") < minute(stop)), end=False)
            drained(monitor)


def teach(library: Path, table: pl.DataFrame, name: str, model: Model) -> None:
    """What happened in minutes 100 to 130 was this."""
    with Library.open(library, create=True) as shelf:
        shelf.add([enrol(table, Enrolment(name, (minute(100), minute(130))), model, created=NOW)])


def batch_verdicts(table: pl.DataFrame, deployment: Deployment) -> pl.DataFrame:
    with Library.open(deployment.library_path) as library:
        return identify(table, deployment.model, library, persistence=3)


def assert_same_verdicts(found: pl.DataFrame, wanted: pl.DataFrame) -> None:
    """The conditions everywhere, all columns once a node is ready: before that identify knows what is yet to come."""
    columns = ["node", "minute", "condition"]
    assert found.select(columns).equals(wanted.select(columns))
    ready = wanted["condition"] != "warming-up"
    assert found.filter(ready).equals(wanted.filter(ready))


def test_verdicts_equal_those_of_identify(
    deployment: Deployment, traffic: pl.DataFrame, watch: Watch, tmp_path: Path
) -> None:
    with watch() as monitor:
        feed(monitor, traffic)
    found = kept(tmp_path)
    assert_same_verdicts(found, batch_verdicts(traffic, deployment))
    assert {"bye-slow", "register-timeouts", "normal", "warming-up"} <= {*found["condition"]}


@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sets(st.integers(1, 139), max_size=50), min_size=1, max_size=3),
    st.integers(0, 1000),
    st.sampled_from(["bye-slow", "invite-errors"]),
    st.integers(70, 110),
)
def test_verdicts_equal_those_of_identify_whatever_the_gaps(
    deployment: Deployment,
    watch: Watch,
    tmp_path: Path,
    gaps: Sequence[set[int]],
    seed: int,
    fault: str,
    start: int,
) -> None:
    table = pl.concat(
        minutes(f"n-{place}", 180, [(start, start + 25, fault)], seed=seed + place, gaps=sorted(one))
        for place, one in enumerate(gaps)
    )
    for file in tmp_path.iterdir():
        file.unlink()
    with watch(sink=()) as monitor:
        feed(monitor, table)
    assert_same_verdicts(kept(tmp_path), batch_verdicts(table, deployment))


def test_verdicts_equal_those_of_identify_where_nobody_vouches(watch: Watch, tmp_path: Path) -> None:
    write_artifact(with_normal_distance(random_artifact(), 1.2), tmp_path / "sure.faultprint")
    model, library = load_model(tmp_path / "sure.faultprint"), tmp_path / "sure-cases.db"
    teach(library, minutes("alpha-1", 200, [(100, 130, "bye-slow")], seed=1), "bye-slow", model)
    table = pl.concat(
        [
            minutes("beta-1", 320, [(60, 110, "bye-slow"), (250, 290, "bye-slow")], seed=2),
            minutes("beta-2", 320, seed=3),
        ]
    )
    baseline = BaselineSettings(BaselineKind.ROBUST, 200)
    with watch(model=tmp_path / "sure.faultprint", library=library, baseline=baseline) as monitor:
        feed(monitor, table)
    with Library.open(library) as shelf:
        wanted = identify(table, model, shelf, persistence=3, baseline=Baseline.robust(200))
        plain = identify(table, model, shelf, persistence=3, baseline=Baseline.first(200))
    assert_same_verdicts(kept(tmp_path), wanted)
    assert not wanted["distance"].equals(plain["distance"])


def test_a_model_that_cannot_sift_is_refused_at_the_start(watch: Watch) -> None:
    with pytest.raises(ModelError, match="how far from normal"), watch(baseline=BaselineSettings(BaselineKind.ROBUST)):
        pass


@pytest.mark.parametrize("stops", [(30, 59, 60, 61), (62, 110, 125, 205)])
def test_a_restart_changes_nothing(
    deployment: Deployment, traffic: pl.DataFrame, watch: Watch, tmp_path: Path, stops: Sequence[int]
) -> None:
    stopped(watch, traffic, stops)
    with watch() as monitor:
        feed(monitor, traffic)
        drained(monitor)
        resumed = monitor.incidents.open
    assert_same_verdicts(kept(tmp_path), batch_verdicts(traffic, deployment))
    found = told(tmp_path)
    for file in tmp_path.iterdir():
        file.unlink()
    with watch() as monitor:
        feed(monitor, traffic)
        drained(monitor)
        assert monitor.incidents.open == resumed
    assert found == told(tmp_path)
    assert {"onset", "clear"} <= {one["change"] for one in found}


def test_each_incident_has_one_onset_and_one_clear(traffic: pl.DataFrame, watch: Watch, tmp_path: Path) -> None:
    with watch() as monitor:
        feed(monitor, traffic)
        drained(monitor)
    changes: dict[str, list[str]] = {}
    for one in told(tmp_path):
        changes.setdefault(one["incident"], []).append(one["change"])
    assert changes
    assert all(
        life[0] == "onset" and life.count("onset") == 1 and life.count("clear") <= 1 for life in changes.values()
    )


def test_a_fault_in_maintenance_raises_nothing(watch: Watch, tmp_path: Path) -> None:
    table = minutes("beta-1", 200, [(100, 130, "bye-slow")], seed=2)
    window = (Maintenance(minute(90), minute(190), "beta-*"),)
    with watch(maintenance=window, incidents=IncidentRules(clear_minutes=2)) as monitor:
        feed(monitor, table.filter(pl.col("minute") < minute(180)))
        assert not monitor.incidents.open
    assert "bye-slow" in {*kept(tmp_path)["condition"]} and not told(tmp_path)


def test_a_case_taught_while_watching_counts_from_the_next_minute(
    deployment: Deployment, watch: Watch, tmp_path: Path
) -> None:
    library = tmp_path / "own.db"
    table = minutes("beta-1", 260, [(100, 130, "bye-slow"), (200, 230, "bye-slow")], seed=2)
    teach(library, minutes("beta-1", 260, [(100, 130, "invite-errors")], seed=2), "invite-errors", deployment.model)
    log = Log()
    with watch(log, library=library) as monitor:
        feed(monitor, table.filter(pl.col("minute") < minute(195)), end=False)
        teach(library, table, "new-fault", deployment.model)
        feed(monitor, table)
    found = kept(tmp_path)
    assert "library_loaded" in log.events()
    assert "new-fault" not in {*found.filter(pl.col("minute") < minute(195))["condition"]}
    assert "new-fault" in {*found.filter(pl.col("minute") > minute(215))["condition"]}


def test_people_acknowledge_comment_and_clear(watch: Watch, tmp_path: Path) -> None:
    table = minutes("beta-1", 140, [(100, 140, "bye-slow")], seed=2)
    log = Log()
    with watch(log) as monitor:
        feed(monitor, table, end=False)
        (incident,) = monitor.incidents.open.values()
        end_us = monitor.closed_us
        person = Actor("m.keller", "noc", end_us)
        identity, desk = str(incident.identity), CommandQueue(tmp_path / "state.db")
        for deed, text in (
            (IncidentOperation.ACKNOWLEDGE, ""),
            (IncidentOperation.COMMENT, "on it"),
            (IncidentOperation.UNACKNOWLEDGE, ""),
            (IncidentOperation.CLEAR, ""),
        ):
            desk.submit([incident], deed, person, text)
        last = desk.submit([incident], IncidentOperation.CLEAR, person)  # it will be cleared by then
        assert not desk.wait(last, 0)
        monitor.process("test", Batch(None, None))
        assert not monitor.incidents.open and desk.wait(last, 0)
        feed(monitor, table)
        drained(monitor)
    assert "command_refused" in log.events()
    mine = [one for one in told(tmp_path) if one["incident"] == identity]
    assert [one["change"] for one in mine] == ["onset", "acknowledgement", "comment", "acknowledgement", "clear"]
    assert mine[1]["acknowledged_by"] == "m.keller" and mine[2]["comment"] == "on it"
    assert mine[4]["cleared_by"] == "m.keller"
    with pytest.raises(UsageError, match="knows no incident"):
        desk.incident("nobody")
    with pytest.raises(UsageError, match="no state of a monitor"):
        CommandQueue(tmp_path / "none.db")


def test_operations_without_effect_are_refused_and_no_events(watch: Watch, tmp_path: Path) -> None:
    """Acknowledging twice, and withdrawing an acknowledgement that is not there."""
    log = Log()
    with watch(log) as monitor:
        feed(monitor, minutes("beta-1", 140, [(100, 140, "bye-slow")], seed=2), end=False)
        (incident,) = monitor.incidents.open.values()
        actor, commands = Actor("m.keller", "noc", monitor.closed_us), CommandQueue(tmp_path / "state.db")
        for operation in (
            IncidentOperation.UNACKNOWLEDGE,
            IncidentOperation.ACKNOWLEDGE,
            IncidentOperation.ACKNOWLEDGE,
        ):
            commands.submit([incident], operation, actor)
        monitor.process("test", Batch(None, None))
        assert monitor.incidents.open["beta-1"].sequence == incident.sequence + 1
        drained(monitor)
    assert log.events().count("command_refused") == 2
    changes = [record["change"] for record in told(tmp_path) if record["incident"] == str(incident.identity)]
    assert changes == ["onset", "acknowledgement"]


def test_after_a_person_cleared_it_a_lasting_fault_is_another_incident(watch: Watch, tmp_path: Path) -> None:
    table = minutes("beta-1", 150, [(100, 150, "bye-slow")], seed=2)
    with watch() as monitor:
        feed(monitor, table.filter(pl.col("minute") < minute(140)), end=False)
        (incident,) = monitor.incidents.open.values()
        person = Actor("m.keller", "noc", monitor.closed_us)
        CommandQueue(tmp_path / "state.db").submit([incident], IncidentOperation.CLEAR, person)
        monitor.process("test", Batch(None, None))
        feed(monitor, table)
        (other,) = monitor.incidents.open.values()
    assert other.identity != incident.identity and other.onset_us >= person.time_us


def test_a_node_that_begins_amid_a_fault_is_told(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    # An untrained encoder has not learnt that own and strangers' vectors are to lie together, so that it may be less sure.
    monkeypatch.setattr(baseline, "MAX_DISTANCE_RATIO", 0.9)
    log = Log()
    with watch(log) as monitor:
        feed(
            monitor,
            pl.concat([minutes("beta-1", 70, [(0, 70, "bye-slow")], seed=7), minutes("beta-2", 70, [], seed=8)]),
        )
    assert ("baseline_suspect", {"node": "beta-1", "looks_like": "bye-slow"}) in log
    assert (log.events().count("baseline_suspect"), log.events().count("node_baselined")) == (1, 1)
    with watch() as monitor:
        assert monitor.nodes["baseline_suspect"].tolist() == [1, 0]


@pytest.mark.parametrize("stops", [(), (30, 59, 60, 61, 100, 119, 120, 121, 150), (75, 181, 200)])
@pytest.mark.parametrize("until", [70, 130, 400])
def test_a_node_waits_for_its_fault_to_end_as_it_does_for_identify(
    stops: Sequence[int],
    until: int,
    deployment: Deployment,
    watch: Watch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(baseline, "MAX_DISTANCE_RATIO", 0.9)
    gaps = [20, 21, 22, 90, 91]
    amid = minutes("beta-1", 320, [(0, until, "bye-slow"), (250, 280, "invite-errors")], seed=7, gaps=gaps)
    table = pl.concat([amid, minutes("beta-2", 320, [(150, 180, "invite-errors")], seed=8)])
    stopped(watch, table, stops)
    with watch() as monitor:
        feed(monitor, table)
        assert monitor.nodes["rejected_baselines"].tolist() == [{70: 1, 130: 2, 400: 3}[until], 0]
    assert_same_verdicts(kept(tmp_path), batch_verdicts(table, deployment))


def test_a_node_full_of_gaps_waits_and_stops_nobody(deployment: Deployment, watch: Watch, tmp_path: Path) -> None:
    log = Log()
    broken = minutes("beta-1", 400, [(300, 330, "bye-slow")], seed=7, gaps=range(1, 160, 2))
    table = pl.concat([broken, minutes("beta-2", 400, seed=8)])
    with watch(log) as monitor:
        feed(monitor, table)
    assert log.events().count("baseline_incomplete") == 1 and log.events().count("node_baselined") == 2
    assert_same_verdicts(kept(tmp_path), batch_verdicts(table, deployment))


def test_a_silent_node_is_told_once_and_is_no_verdict(watch: Watch, tmp_path: Path) -> None:
    log = Log()
    with watch(log) as monitor:
        feed(monitor, pl.concat([minutes("a-1", 40), minutes("b-1", 40, gaps=range(10, 30))]))
    assert [event for event, fields in log if fields.get("node") == "b-1"] == ["node_no_data", "node_data_resumed"]
    assert len(kept(tmp_path).filter(pl.col("node") == "b-1")) == 20


def test_a_node_without_traffic_is_observed_and_judged(watch: Watch, tmp_path: Path) -> None:
    """All counts 0 and no ratios: minutes in which somebody listened and nothing was said."""
    full = minutes("a-1", 120, seed=5)
    features = full.columns[4:]
    quiet = pl.col("minute") >= minute(90)
    table = full.with_columns(
        pl.when(quiet)
        .then(pl.lit(0.0) if "attempts" in name else None)
        .otherwise(pl.col(name))
        .cast(pl.Float32)
        .alias(name)
        for name in features
    )
    log = Log()
    with watch(log) as monitor:
        feed(monitor, table)
    assert "node_no_data" not in log.events()
    assert len(kept(tmp_path)) == 120


def test_another_models_state_is_refused(deployment: Deployment, watch: Watch, tmp_path: Path) -> None:
    library, artefact = tmp_path / "own.db", random_artifact(2)
    write_artifact(artefact, tmp_path / "other.faultprint")
    for model in (deployment.model, Model(artefact)):
        teach(library, minutes("beta-1", 260, [(100, 130, "bye-slow")], seed=2), "bye-slow", model)
    with watch(library=library) as monitor:
        feed(monitor, minutes("a-1", 10))
    other = watch(library=library, model=tmp_path / "other.faultprint")
    with pytest.raises(UsageError, match="name another state file"), other:
        pass


def test_compact_rings_give_the_same_conditions_restarted_or_not_and_keep_to_their_state(
    deployment: Deployment, traffic: pl.DataFrame, watch: Watch, tmp_path: Path
) -> None:
    compact = NodeSettings(quantized=True)
    for stop in (170, 300):
        with watch(nodes=compact) as monitor:
            feed(monitor, traffic.filter(pl.col("minute") < minute(stop)))
    found, wanted = kept(tmp_path), batch_verdicts(traffic, deployment)
    same = (found["condition"] == wanted["condition"]).mean()
    apart = ((found["distance"] - wanted["distance"]).abs() / wanted["distance"]).filter(
        wanted["condition"] != "warming-up"
    )
    assert same > 0.98 and apart.median() < 0.02 and apart.max() < 0.1  # type: ignore[operator]
    with watch(nodes=compact, state=tmp_path / "calm.db") as monitor:
        feed(monitor, traffic)
    assert found.equals(kept(tmp_path, "calm.db"))
    with pytest.raises(UsageError, match=r"nodes\.quantized"), watch():
        pass


def test_what_is_missing_stops_the_start(watch: Watch, tmp_path: Path) -> None:
    with pytest.raises(ModelError), watch(model=tmp_path / "none.faultprint"):
        pass
    with pytest.raises(LibraryError), watch(library=tmp_path / "none.db"):
        pass


def test_a_library_that_goes_bad_changes_nothing(deployment: Deployment, watch: Watch, tmp_path: Path) -> None:
    library = tmp_path / "own.db"
    library.write_bytes(deployment.library_path.read_bytes())
    log = Log()
    with watch(log, library=library) as monitor:
        feed(monitor, minutes("a-1", 70), end=False)
        library.write_bytes(b"no database at all, but long enough to be read as one" * 100)
        feed(monitor, minutes("a-1", 90))
        assert monitor.counters.library_errors >= 1
    assert "library_unreadable" in log.events()
    assert len(kept(tmp_path)) == 90


def test_a_full_disk_is_waited_for_and_told_once(watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, pauses = Log(), list[float]()
    table = minutes("a-1", 30)
    with watch(log) as monitor:
        feed(monitor, table[:10], end=False)
        connection = monitor.store.database.connection

        def limit(pages: int) -> None:
            connection.execute(f"PRAGMA max_page_count = {pages}")

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            assert monitor.persistence.retry_write.failing
            if len(pauses) == 3:
                limit(1_000_000)

        monkeypatch.setattr(monitor.persistence.retry_write, "sleep", sleep)
        limit(1)  # as many as there are: nothing more can be written
        feed(monitor, table)
        assert not monitor.persistence.retry_write.failing
    assert log.events()[:2] == ["write_failing", "write_recovered"] and len(pauses) == 3
    assert len(kept(tmp_path)) == 30


def test_a_full_disk_does_not_keep_the_monitor_from_ending(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    with watch() as monitor:
        feed(monitor, minutes("a-1", 10), end=False)
        monitor.store.database.connection.execute("PRAGMA max_page_count = 1")
        monkeypatch.setattr(monitor.persistence.retry_write, "sleep", lambda seconds: None)
        table = minutes("a-1", 40)
        source = Replay(Given(table[10:]), ReplayClock(), None)
        with pytest.raises(StateError, match="cannot be read or written"):
            monitor.run([source], Counted(200))


class Given:
    """A source of a table."""

    name = "test"

    def __init__(self, table: pl.DataFrame) -> None:
        self._table = table

    def batches(self, closed_us: int) -> Iterator[Batch]:
        yield from by_minute(self._table, 60_000_000)

    def close(self) -> None:
        """Nothing to let go of."""


class Counted:
    """Says stop after having been asked so often."""

    def __init__(self, times: int) -> None:
        self._left = times

    def __call__(self) -> bool:
        self._left -= 1
        return self._left < 0


def test_more_nodes_than_allowed_are_refused_and_counted(watch: Watch) -> None:
    with watch(nodes=NodeSettings(max=2)) as monitor:
        feed(monitor, pl.concat([minutes(f"n-{place}", 3) for place in range(4)]))
        assert monitor.nodes.names == ["n-0", "n-1"]
        assert monitor.buffer.refused["test", "node_limit"] == 6


def test_a_long_silence_of_all_is_passed_over_at_once(watch: Watch, tmp_path: Path) -> None:
    early = minutes("a-1", 70)
    late = minutes("a-1", 3).with_columns(pl.col("minute") + timedelta(days=400))
    with watch() as monitor:
        feed(monitor, pl.concat([early, late]))
        assert monitor.counters.minutes < 80
    assert kept(tmp_path)["condition"].to_list()[-3:] == ["warming-up"] * 3
