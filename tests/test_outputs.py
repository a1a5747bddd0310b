"""What a command writes never destroys what it reads, or what is not its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.synthetic import minutes

from faultprint import storage
from faultprint.cli import cli
from faultprint.errors import FaultprintError, TableError, UsageError
from faultprint.features.minutes import write_minutes
from faultprint.files import replacing
from faultprint.publish.senders.file import FileSender

STORED = Path(__file__).resolve().parent / "golden" / "stored"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "minutes.parquet"
    write_minutes(minutes("beta-1", 140, seed=2), path)
    return path


@pytest.mark.parametrize("alias", ["same", "link", "hard link", "other spelling"])
def test_an_output_that_is_an_input_is_refused(table: Path, tmp_path: Path, alias: str) -> None:
    out = table
    if alias == "link":
        out = tmp_path / "link"
        out.symlink_to(table)
    elif alias == "hard link":
        out = tmp_path / "hard"
        out.hardlink_to(table)
    elif alias == "other spelling":
        out = tmp_path / "x" / ".." / table.name
        (tmp_path / "x").mkdir()
    before = table.read_bytes()
    model, library = STORED / "model.faultprint", STORED / "cases.db"
    words = ["identify", str(table), "--model", str(model), "--library", str(library), "--out", str(out)]
    error = CliRunner().invoke(cli, words).exception
    assert isinstance(error, UsageError) and "would overwrite it" in str(error)
    assert table.read_bytes() == before


def test_two_options_with_one_file_are_refused(tmp_path: Path) -> None:
    library = tmp_path / "cases.db"
    library.write_bytes((STORED / "cases.db").read_bytes())
    error = CliRunner().invoke(cli, ["cases", "export", "--library", str(library), "--out", str(library)]).exception
    assert isinstance(error, UsageError) and library.read_bytes() == (STORED / "cases.db").read_bytes()


def test_a_special_file_is_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="no regular file"), replacing(pipe):
        pass
    assert pipe.is_fifo()


def test_a_symbolic_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    link.symlink_to(real)
    with replacing(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink() and real.read_text() == "new"


def test_a_folder_that_cannot_be_written_is_named_without_the_temporary_file() -> None:
    path = Path("/proc/x.parquet")
    with pytest.raises(UsageError, match=r"^/proc/x\.parquet cannot be written"), replacing(path):
        pass


@pytest.mark.parametrize(
    "content", [b"line one\nlast line", b"SQLite format 3\0" + bytes(100), b'{"a": 1}\n{"theirs": 2}']
)
def test_the_file_sink_leaves_files_of_others_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="is no record of Faultprint"):
        FileSender(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "content", [b"", b'{"event_id": "1"}\n', b'{"event_id": "1"}\n{"event_id":"2', b'{"even', b"a text\n"]
)
def test_the_file_sink_continues_its_own_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    FileSender(path).close()
    assert path.read_bytes() == content[: content.rfind(b"\n") + 1]


def test_a_damaged_table_is_one_sentence(table: Path, tmp_path: Path) -> None:
    data = bytearray(table.read_bytes())
    data[100:4000] = bytes(3900)
    table.write_bytes(data)
    with pytest.raises(TableError, match="damaged"):
        storage.metadata(_shortened(table, tmp_path))
    words = ["identify", table, "--model", STORED / "model.faultprint", "--library", STORED / "cases.db"]
    code = "from faultprint.cli import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, words), "--out", str(tmp_path / "o")], capture_output=True, text=True
    )
    assert result.returncode == 2 and len(result.stderr.splitlines()) == 1, result.stderr


def _shortened(table: Path, folder: Path) -> Path:
    path = folder / "short.parquet"
    path.write_bytes(table.read_bytes()[:-20])
    return path


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("identify nosuch.parquet", "File 'nosuch.parquet' does not exist; see: faultprint identify --help"),
        ("probe x --bogus", "No such option '--bogus'"),
        ("features --interval abc x", "see: faultprint features --help"),
        ("probe {table} --node a --seconds 5 --out o", "--seconds ends a live probe"),
        (
            "cases enrol {table} --model {table} --library l --from-labels {table} --condition c",
            "leave out --condition",
        ),
        ("cases enrol {table} --model {table} --library l --one-per-condition", "add --from-labels"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_sentence(table: Path, tmp_path: Path, words: str, sentence: str) -> None:
    arguments = [word.replace("{table}", str(table)) for word in words.split()]
    code = "from faultprint.cli import main; main()"
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert result.returncode == 2 and result.stderr.startswith("faultprint: ") and sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1 and not result.stdout


def _refusal(*words: object) -> str:
    error = CliRunner().invoke(cli, [str(word) for word in words]).exception
    assert isinstance(error, FaultprintError), error
    return str(error)


def test_two_new_outputs_with_one_path_are_refused(table: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    other = tmp_path / "." / "x" / ".." / "new"
    words = ["probe", table, "--node", "a", "--key-file", new, "--out", other]
    assert "would overwrite it" in _refusal(*words) and not new.exists()


@pytest.mark.parametrize("alias", ["same", "link", "hard link"])
def test_a_capture_given_twice_is_refused(table: Path, tmp_path: Path, alias: str) -> None:
    again = table if alias == "same" else tmp_path / "again"
    if alias == "link":
        again.symlink_to(table)
    elif alias == "hard link":
        again.hardlink_to(table)
    out, key = tmp_path / "out", tmp_path / "key"
    words = ["probe", table, again, "--node", "a", "--key-file", key, "--out", out]
    assert "are the same capture" in _refusal(*words)
    assert not out.exists() and not key.exists()


@pytest.mark.parametrize("content", ["", "\n\n", "{}\n", "no JSON"])
def test_an_import_that_fails_makes_no_library(tmp_path: Path, content: str) -> None:
    file, library = tmp_path / "cases.jsonl", tmp_path / "new.db"
    file.write_text(content)
    assert "cases export" in _refusal("cases", "import", file, "--library", library)
    assert list(tmp_path.iterdir()) == [file]


def test_a_library_that_cannot_be_changed_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "cases ?#%.db"
    library.write_bytes((STORED / "cases.db").read_bytes())
    monkeypatch.setattr(os, "access", lambda _, mode, **__: mode != os.W_OK)
    result = CliRunner().invoke(cli, ["cases", "list", "--library", str(library)])
    assert result.exit_code == 0 and "references" in result.output
    assert list(tmp_path.iterdir()) == [library]
    assert "cannot be changed" in _refusal("cases", "remove", result.output.split()[0], "--library", library)
