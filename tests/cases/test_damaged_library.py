"""A library that is damaged or hostile: every command works or ends with one sentence; nothing in it is executed."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultprint import cli
from faultprint.cases import library as library_module
from faultprint.cases.decision import Rule
from faultprint.cases.library import Library
from faultprint.cases.reference import Reference
from faultprint.errors import LibraryError

START = datetime(2026, 1, 5, 12, tzinfo=UTC)


def reference(seed: int, **changes: object) -> Reference:
    vector = np.random.default_rng(seed).normal(size=64).astype(np.float32)
    fields = {"condition": f"fault-{seed}", "vector": vector, "model": "m", "node": "p1", "network": "net"}
    times = {"start": START, "end": START + timedelta(hours=1), "windows": 4, "created": START}
    return Reference(**{**fields, **times, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("library") / "cases.db"
    with Library.open(path, create=True) as opened:
        opened.add(reference(seed) for seed in range(30))
        opened.set_rules("m", [Rule(0.5, 0.8, 3.0, 3, {"fault-1": 0.4})])
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode = DELETE")
    return path


def ends_well(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> bool:
    """Whether a command worked; if not, it ended with one sentence."""
    monkeypatch.setattr(sys, "argv", ["faultprint", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    error = capsys.readouterr().err
    assert ended.value.code in (0, 2)
    assert ended.value.code == 0 or (error.startswith("faultprint: ") and error.count("\n") == 1), error
    return ended.value.code == 0


QUIET = [HealthCheck.function_scoped_fixture]


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=QUIET, deadline=None)
def test_a_library_with_changed_bytes_is_read_or_refused(
    good: Path,
    tmp_path: Path,
    data: st.DataObject,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = bytearray(good.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    for _ in range(data.draw(st.integers(0, 20))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "cases.db"
    for left in tmp_path.iterdir():
        left.unlink()
    path.write_bytes(content)
    found = ends_well(capsys, monkeypatch, "cases", "list", "--json", "--library", str(path))
    for words in (["show", "a"], ["export", "--out", str(tmp_path / "out")], ["remove", "b"]):
        ends_well(capsys, monkeypatch, "cases", *words, "--library", str(path))
    if found:
        with Library.open(path) as opened:
            vectors = {item.vector.tobytes() for item in opened.references()}
        assert vectors <= {reference(seed).vector.tobytes() for seed in range(30)}, "a changed vector was taken"


HOSTILE: dict[str, str] = {
    "view": "DROP TABLE reference; CREATE VIEW reference AS SELECT 1 AS id",
    "trigger": "CREATE TRIGGER t AFTER INSERT ON reference BEGIN DELETE FROM reference; END",
    "virtual table": "CREATE VIRTUAL TABLE extra USING fts5(x)",
    "another table": "CREATE TABLE extra (x)",
    "another column": "ALTER TABLE reference ADD COLUMN extra TEXT",
    "generated column": "ALTER TABLE reference ADD COLUMN extra BLOB AS (zeroblob(1000000))",
    "no rule": "DROP TABLE rule",
    "huge value": "UPDATE reference SET comment = printf('%.*c', 3000000, 'x')",
    "long node": "UPDATE reference SET node = printf('%.*c', 20000, 'x')",
    "look-alike": "UPDATE reference SET condition = 'n\u043ermal'",
    "infinite": "UPDATE reference SET vector = x'0000807f'",
    "empty vector": "UPDATE reference SET vector = x''",
    "moved vector": "UPDATE reference SET vector = x'0000803f'",
    "far time": "UPDATE reference SET start = 9223372036854775807",
    "rule": "UPDATE rule SET leave_normal = -1",
    "rule text": "UPDATE rule SET unknown_doubt = '[1'",
    "rule kind": "UPDATE rule SET unknown_doubt = '[1]'",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_library_is_refused_in_one_sentence(good: Path, tmp_path: Path, what: str) -> None:
    path = tmp_path / "cases.db"
    shutil.copy(good, path)
    with sqlite3.connect(path) as connection:
        connection.executescript(HOSTILE[what])
    with pytest.raises(LibraryError) as caught, Library.open(path) as opened:
        opened.references()
        opened.rule("m", 3)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 700


def make_pipe(path: Path) -> None:
    import os

    os.mkfifo(path)


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, make_pipe])
def test_what_is_no_file_of_a_library_is_refused_and_left(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "cases.db")
    with pytest.raises(LibraryError):
        Library.open(tmp_path / "cases.db")
    assert len(list(tmp_path.iterdir())) == 1


def test_the_number_of_references_is_bounded(tmp_path: Path, good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_module, "MAX_REFERENCES", 30)
    with Library.open(good) as opened:
        assert len(opened.references()) == 30
        with pytest.raises(LibraryError, match="more than 30 references"):
            opened.add([reference(99)])
        assert len(opened.references()) == 30


def test_a_name_stored_in_another_spelling_is_folded_and_can_be_removed(tmp_path: Path, good: Path) -> None:
    path = tmp_path / "cases.db"
    shutil.copy(good, path)
    old = reference(1, condition="\uff28\uff33\uff33 down")
    with sqlite3.connect(path) as connection:
        connection.execute(
            "UPDATE reference SET id = ?, condition = ? WHERE id = ?", (old.id, old.condition, reference(1).id)
        )
    with Library.open(path) as opened:
        (folded,) = [item for item in opened.references() if item.condition == "HSS down"]
        assert folded.id != old.id and opened.find(old.id).id == opened.find(folded.id).id == folded.id
        opened.remove([folded.id])
        assert len(opened.references()) == 29


@pytest.mark.parametrize("condition", ["n\u043ermal", "Normal", "a\x1b[2Jb", "x" * 300])
def test_an_import_of_a_hostile_name_is_refused(tmp_path: Path, condition: str) -> None:
    from faultprint.cases import exchange

    item = reference(1, condition=condition)
    (tmp_path / "in.jsonl").write_text(exchange.encode(item) + "\n")
    with Library.open(":memory:") as opened, pytest.raises(LibraryError, match=r"line 1.*cannot name"):
        exchange.import_into(opened, tmp_path / "in.jsonl")
    assert json.loads(exchange.encode(item))["condition"] == condition
