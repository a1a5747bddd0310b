"""What is damaged, hostile, not finite or gone: a running monitor goes on, or ends with one sentence and exit code 2."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.synthetic import minute, minutes

from faultprint import cli
from faultprint.errors import ThreadError, UsageError
from faultprint.features.minutes import write_minutes
from faultprint.monitor.base.interfaces import Batch
from faultprint.monitor.config.incidents import IncidentRules
from faultprint.monitor.config.settings import NodeSettings, RetentionSettings
from faultprint.monitor.state import persistence
from faultprint.monitor.state.checksum import ChecksumError, seal, unseal
from faultprint.monitor.state.store import Store

from .conftest import Deployment, Log, Watch, feed


def verdicts(folder: Path) -> pl.DataFrame:
    with Store(folder / "state.db") as store:
        return persistence.verdicts(store, 60_000_000)


def change(folder: Path, statement: str, *values: object) -> None:
    """Change the state as no Faultprint would."""
    with sqlite3.connect(folder / "state.db") as connection:
        connection.execute(statement, values)
    connection.close()


def three(length: int) -> pl.DataFrame:
    """Three nodes; a longer table begins with the shorter one."""
    table = pl.concat([minutes(f"n-{place}", 150, seed=place) for place in range(3)])
    return table.filter(pl.col("minute") < minute(length))


def broken(table: pl.DataFrame, node: str, at: int, column: str, value: float) -> pl.DataFrame:
    """One feature of one node in one minute is another number."""
    hit = (pl.col("node").cast(pl.String) == node) & (pl.col("minute") == minute(at))
    return table.with_columns(pl.when(hit).then(pl.lit(value, pl.Float32)).otherwise(pl.col(column)).alias(column))


@given(st.binary(max_size=200), st.integers(0, 10_000), st.integers(1, 255), st.text(max_size=5))
def test_a_changed_blob_is_found(data: bytes, at: int, flip: int, place: str) -> None:
    stored = bytearray(seal(place, data))
    assert unseal(place, bytes(stored)) == data
    with pytest.raises(ChecksumError):
        unseal(place + "x", bytes(stored))
    stored[at % len(stored)] ^= flip
    try:
        assert unseal(place, bytes(stored)) != data  # the mark was hit: another size, which the reader refuses
        assert len(stored) == len(data) + 8
    except ChecksumError:
        pass


@pytest.mark.parametrize("at", [20, 80])
@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
def test_an_infinite_feature_is_no_verdict_and_touches_no_other_node(
    watch: Watch, tmp_path: Path, at: int, value: float, deployment: Deployment
) -> None:
    table = three(100)
    column = deployment.model.catalogue.names[3]
    log = Log()
    with watch(log) as monitor:
        feed(monitor, broken(table, "n-1", at, column, value))
        assert monitor.counters.not_finite == 1
        assert ("node_not_finite", {"node": "n-1"}) in log
    found = verdicts(tmp_path)
    assert found.filter(node="n-1", minute=minute(at)).is_empty()
    assert {*found.filter(pl.col("minute") > minute(at), node="n-1")["condition"]} == {"warming-up"} or at < 40
    (tmp_path / "state.db").unlink()
    with watch() as monitor:
        feed(monitor, table)
    plain = verdicts(tmp_path)
    assert found.filter(pl.col("node") != "n-1").equals(plain.filter(pl.col("node") != "n-1"))


def test_a_model_output_that_is_not_finite_is_no_verdict(watch: Watch, tmp_path: Path) -> None:
    log = Log()
    with watch(log) as monitor:
        feed(monitor, three(70))
        encoder = monitor.model.encoder
        head = encoder.apply_head

        def poisoned(pooled: np.ndarray) -> np.ndarray:
            vectors = head(pooled).copy()
            vectors[1] = np.nan
            return vectors

        monitor.scorer.encoder._model.encoder.apply_head = poisoned  # type: ignore[method-assign]
        try:
            feed(monitor, three(71))
        finally:
            del encoder.apply_head
        feed(monitor, three(140))
        assert [fields["node"] for event, fields in log if event == "node_not_finite"] == ["n-1"]
    found = verdicts(tmp_path).filter(node="n-1")
    assert found.filter(minute=minute(70)).is_empty()
    assert set(found.filter(pl.col("minute").is_between(minute(71), minute(129)))["condition"]) == {"warming-up"}
    assert found["condition"][-1] == "normal"


SPOILED = {
    "baseline changed": "UPDATE node SET normal = CAST(x'07' || substr(normal, 2) AS BLOB) WHERE id = 1",
    "baseline cut": "UPDATE node SET normal = substr(normal, 1, 100) WHERE id = 1",
    "baseline of another node": "UPDATE node SET normal = (SELECT normal FROM node WHERE id = 2) WHERE id = 1",
    "old baseline not finite": "UPDATE node SET normal = CAST(substr(normal, 1, length(normal) - 140) || x'0000807f' ||"
    " substr(normal, length(normal) - 135, 128) AS BLOB) WHERE id = 1",
    "baseline gone": "UPDATE node SET normal = NULL WHERE id = 1",
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_damaged_baseline_is_made_anew_and_others_are_not_touched(watch: Watch, tmp_path: Path, how: str) -> None:
    with watch() as monitor:
        feed(monitor, three(80))
    change(tmp_path, SPOILED[how])
    log = Log()
    with watch(log) as monitor:
        feed(monitor, three(150))
    found = verdicts(tmp_path)
    assert ("stored_value_unusable" in log.events()) == (how != "baseline gone")
    states = found.filter(node="n-1")
    assert states.filter(minute=minute(81))["condition"].to_list() == ["warming-up"]
    assert states["condition"][-1] == "normal"
    others = found.filter(pl.col("node") != "n-1", pl.col("minute") > minute(62))
    assert {*others["condition"]} == {"normal"} and len(others) == 2 * 87


def test_a_damaged_minute_is_a_gap(watch: Watch, tmp_path: Path) -> None:
    with watch() as monitor:
        feed(monitor, three(80), end=False)
    number = minute(75).timestamp() // 60
    change(tmp_path, "UPDATE frame SET data = CAST(x'07' || substr(data, 2) AS BLOB) WHERE minute = ?", number)
    log = Log()
    with watch(log) as monitor:
        feed(monitor, three(90))
    assert log.events().count("stored_value_unusable") >= 1
    assert {*verdicts(tmp_path).filter(pl.col("minute") >= minute(81))["condition"]} == {"normal"}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE counter SET data = CAST(x'07' || substr(data, 2) AS BLOB)",
        "UPDATE counter SET data = substr(data, 1, 11)",
        "UPDATE fact SET value = 'x' WHERE name = 'closed'",
        "UPDATE fact SET value = '[' WHERE name = 'conditions'",
        "DELETE FROM fact WHERE name = 'closed'",
        "UPDATE node SET id = -5 WHERE id = 1",
        "CREATE TRIGGER t AFTER DELETE ON frame BEGIN DELETE FROM incident; END",
        "CREATE VIEW v AS SELECT 1",
        "DROP TABLE frame",
    ],
)
def test_another_damage_is_one_sentence(watch: Watch, tmp_path: Path, statement: str) -> None:
    with watch() as monitor:
        feed(monitor, three(65), end=False)
    change(tmp_path, statement)
    with pytest.raises(UsageError) as caught, watch():
        pass
    assert "\n" not in str(caught.value) and str(tmp_path / "state.db") in str(caught.value)


def test_a_damaged_incident_is_set_aside_and_the_monitor_starts(watch: Watch, tmp_path: Path) -> None:
    table = minutes("beta-1", 140, [(100, 130, "bye-slow")], seed=2)
    rules = IncidentRules(clear_minutes=60)
    with watch(sink=(), incidents=rules) as monitor:
        feed(monitor, table)
        assert len(monitor.incidents.open) == 1
    change(tmp_path, "UPDATE incident SET document = '{\"node\": 1'")
    log = Log()
    with watch(log, sink=(), incidents=rules) as monitor:
        assert not monitor.incidents.open
    assert log.events() == ["stored_value_unusable"]
    with sqlite3.connect(tmp_path / "state.db") as connection:
        assert connection.execute("SELECT count(*) FROM aside WHERE sink = 'incident'").fetchall() == [(1,)]


def test_a_damaged_message_is_dead_lettered_and_the_next_is_sent(watch: Watch, tmp_path: Path) -> None:
    row = "INSERT INTO message (sink, id, path, key, body, content_type, headers) VALUES ('lines', ?, '', '', ?, '', ?)"
    log = Log()
    with watch(log) as monitor:
        feed(monitor, three(2), end=False)
        for number, (body, headers) in enumerate(
            ((b"{}", "no json"), (b"{}", "[1]"), (seal("message lines other", b"{}"), "{}"), (b'{"good": 1}\n', "{}"))
        ):
            change(tmp_path, row, f"m{number}", body, headers)
        for worker in monitor.workers:
            worker.wake()
            assert worker.drain(10)
        assert monitor.workers[0].counts.rejected == 3 and monitor.workers[0].is_alive()
    assert log.events().count("messages_dead_lettered") == 1
    assert '{"good": 1}' in (tmp_path / "lines.jsonl").read_text()


def test_a_thread_that_ends_makes_the_monitor_unready_and_ends_it(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = Log()
    with watch(log) as monitor:
        feed(monitor, three(2), end=False)
        assert monitor.liveness.ready
        (worker,) = monitor.workers
        monkeypatch.setattr(worker, "_send_waiting", lambda outbox: 1 / 0)
        worker.wake()
        worker.join(5)
        assert not monitor.liveness.ready and not monitor.liveness.alive
        with pytest.raises(ThreadError, match=r"delivery to lines.*division by zero"):
            feed(monitor, three(4))
    assert "thread_ended" in log.events()


def test_a_state_that_is_removed_under_a_monitor_ends_it_in_one_sentence(watch: Watch, tmp_path: Path) -> None:
    with watch() as monitor:
        feed(monitor, three(5), end=False)
        (tmp_path / "state.db").unlink()
        with pytest.raises((UsageError, ThreadError), match="was removed or replaced"):
            feed(monitor, three(8))


LIBRARIES: dict[str, Callable[[Path], object]] = {
    "removed": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:5000]),
    "noise": lambda path: path.write_bytes(np.random.default_rng(1).bytes(30_000)),
    "folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("how", LIBRARIES)
def test_a_library_that_goes_bad_is_told_once_and_read_again_when_it_is_good(
    deployment: Deployment, watch: Watch, tmp_path: Path, how: str
) -> None:
    library = tmp_path / "own.db"
    shutil.copy(deployment.library_path, library)
    log = Log()
    with watch(log, library=library) as monitor:
        feed(monitor, three(10), end=False)
        conditions = monitor.scorer.matcher.conditions
        LIBRARIES[how](library)
        feed(monitor, three(20), end=False)
        assert monitor.scorer.matcher.conditions == conditions
        assert log.events().count("library_unreadable") == 1 and monitor.counters.library_errors >= 9
        if library.is_dir():
            library.rmdir()
        shutil.copy(deployment.library_path, library)
        feed(monitor, three(22), end=False)
        assert log.events()[-1] == "library_loaded"


def test_a_locked_library_is_told_and_does_not_stop_the_watch(
    deployment: Deployment, watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faultprint.monitor.monitor.LIBRARY_WAIT_S", 0.01)
    library = tmp_path / "own.db"
    shutil.copy(deployment.library_path, library)
    log = Log()
    with watch(log, library=library) as monitor:
        feed(monitor, three(2), end=False)
        holder = sqlite3.connect(library, isolation_level=None)
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        holder.execute("UPDATE reference SET comment = 'x'")
        feed(monitor, three(4), end=False)
        holder.execute("COMMIT")
        holder.close()
        feed(monitor, three(6), end=False)
    assert log.events().count("library_unreadable") <= 1 and "library_loaded" in log.events()


@given(data=st.data())
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_state_with_changed_bytes_works_or_ends_in_one_sentence(
    deployment: Deployment,
    tmp_path: Path,
    data: st.DataObject,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    grown: Path,
) -> None:
    for left in tmp_path.iterdir():
        left.unlink()
    content = bytearray(grown.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    for _ in range(data.draw(st.integers(0, 30))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "state.db").write_bytes(content)
    write_minutes(minutes("beta-1", 128, [(100, 130, "bye-slow")], seed=2), tmp_path / "traffic.parquet")
    (tmp_path / "m.toml").write_text(
        f'model = "{deployment.model_path}"\nlibrary = "{deployment.library_path}"\nstate = "unused.db"\n'
    )
    state = str(tmp_path / "state.db")
    for words in (
        ["incidents", "list", "--all", "--state", state],
        ["replay", str(tmp_path / "traffic.parquet"), "--config", str(tmp_path / "m.toml"), "--state", state],
    ):
        monkeypatch.setattr(sys, "argv", ["faultprint", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        error = capsys.readouterr().err
        assert ended.value.code in (0, 2), error
        assert "Traceback" not in error
        sentences = [line for line in error.splitlines() if line.startswith("faultprint: ")]
        assert len(sentences) == (ended.value.code == 2), error


@pytest.fixture
def grown(tmp_path_factory: pytest.TempPathFactory, golden: Path) -> Path:
    return golden


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory, deployment: Deployment) -> Path:
    """A state with an open incident, in one file."""
    from faultprint.monitor.build import build_monitor
    from faultprint.monitor.config.settings import Settings
    from faultprint.monitor.ingest.files import ReplayClock

    path = tmp_path_factory.mktemp("grown") / "state.db"
    wanted = Settings(deployment.model_path, deployment.library_path, path)
    with build_monitor(wanted, ReplayClock(), Log()) as monitor:
        feed(monitor, minutes("beta-1", 125, [(100, 130, "bye-slow")], seed=2), end=False)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path


def test_a_silent_node_is_forgotten_and_its_place_is_taken_anew(watch: Watch, tmp_path: Path) -> None:
    """One node is silent after minute 65; the other has a gap, and talks for an hour and more a day later."""
    log, options = (
        Log(),
        {
            "nodes": NodeSettings(forget_days=1, max=2),
            "retention": RetentionSettings(verdict_minutes=100),
            "sink": (),
        },
    )
    gone, stays, new = (minutes(name, 1640, seed=seed) for name, seed in (("gone", 9), ("stays", 1), ("new", 3)))
    early, late, last = (
        pl.col("minute") < minute(65),
        pl.col("minute") >= minute(1505),
        pl.col("minute") >= minute(1572),
    )
    with watch(log, **options) as monitor:
        feed(monitor, pl.concat([gone.filter(early), stays.filter(early)]))
        assert monitor.nodes.known == 2 and "node_forgotten" not in log.events()
    with watch(log, **options) as monitor:
        feed(monitor, stays.filter(late & ~last))
        assert log.events().count("node_forgotten") == 1 and ("node_forgotten", {"node": "gone"}) in log
        assert monitor.nodes.known == 1 and monitor.nodes.names == ["", "stays"]
        assert monitor.counters.no_data == 0 and not monitor.buffer.full
    with Store(tmp_path / "state.db") as store:
        assert [name for _, name, _, _ in store.nodes()] == ["stays"]
    with watch(log, **options) as monitor:
        assert monitor.nodes.known == 1
        feed(monitor, pl.concat([new.filter(last), stays.filter(last)]))
        assert monitor.nodes.names == ["new", "stays"] and monitor.buffer.full and "nodes_full" in log.events()
    with watch(log, **options) as monitor:
        assert monitor.nodes.names == ["new", "stays"]
    found = verdicts(tmp_path)
    assert {*found["node"]} == {"new", "stays"}
    newcomer = found.filter(node="new")["condition"].to_list()
    assert newcomer[:60] == ["warming-up"] * 60 and newcomer[-1] == "normal"


def test_only_rows_that_are_taken_count_as_nodes(watch: Watch) -> None:
    with watch(nodes=NodeSettings(max=4), sink=()) as monitor:
        feed(monitor, three(5))
        assert monitor.nodes.known == 3
        late = pl.concat([minutes(f"x-{place}", 1, seed=place) for place in range(5)])
        partial = minutes("y", 150).filter(pl.col("minute") == minute(5)).with_columns(observed=pl.lit(0.1, pl.Float32))
        for batch in (late, partial):
            monitor.buffer.add("test", Batch(batch, None), int(minute(6).timestamp() * 1e6))
        assert monitor.buffer.refused["test", "late"] == 5 and monitor.buffer.refused["test", "partial"] == 1
        assert not monitor.buffer.full
