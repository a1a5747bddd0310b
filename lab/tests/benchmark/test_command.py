"""`faultprint evaluate` as a command line: what goes together, and where figures go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from faultprint.cli import cli
from faultprint.errors import UsageError
from faultprint_lab.benchmark.results_file import REASON, read


def run(*words: object) -> Result:
    return CliRunner().invoke(cli, ["evaluate", *map(str, words)])


def nowhere(folder: Path) -> list[object]:
    """Data that is not there: rows without work."""
    return ["--cache", folder / "cache", "--beds", folder / "beds", "--core", folder / "core", "--data", "bed"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Give MINUTES"),
        (["--protocol", "sooth"], "no protocol 'sooth'"),
        (["--protocol", "unseen", "--system", "oracle"], "no system 'oracle'"),
        (["--protocol", "unseen", "--seeds", "one"], "are no seeds"),
    ],
)
def test_a_mistake_is_one_sentence(words: list[str], said: str, tmp_path: Path) -> None:
    found = run(*words, *(["--cache", tmp_path] if words else []))
    assert isinstance(found.exception, UsageError) and said in str(found.exception)


def test_minutes_behind_json_are_not_written_over(tmp_path: Path) -> None:
    minutes = tmp_path / "minutes.parquet"
    minutes.write_text("precious")
    found = run("--json", minutes)
    assert isinstance(found.exception, UsageError) and "put --json last" in str(found.exception)
    assert isinstance(run("--protocol", "unseen", minutes).exception, UsageError)
    assert minutes.read_text() == "precious"


def test_rows_go_into_the_file_or_to_the_terminal(tmp_path: Path) -> None:
    out = tmp_path / "rows.json"
    assert (
        "unseen, a day, seed 1: " in run("--protocol", "all", *nowhere(tmp_path), "--json", out, "--seeds", "1").stdout
    )
    about, rows = read(out)
    assert about["split"] == "choose" and about["sizes"]["train_networks"] == 50
    assert {row["protocol"] for row in rows} == {"unseen", "doubtful"} and all(row[REASON] for row in rows)
    said = json.loads(run("--protocol", "unseen", *nowhere(tmp_path), "--quick", "--seeds", "2", "--json").stdout)
    assert said["sizes"]["train_networks"] < 10 and {row["seed"] for row in said["rows"]} == {2}


def test_a_folder_that_is_not_there_is_refused_before_the_work(tmp_path: Path) -> None:
    found = run("--protocol", "unseen", "--cache", tmp_path / "cache", "--json", tmp_path / "no" / "rows.json")
    assert isinstance(found.exception, UsageError) and "create it first" in str(found.exception)
    assert not (tmp_path / "cache").exists()
