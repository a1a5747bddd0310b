"""The command `faultprint benchmark`: its options, and where figures go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from faultprint.cli import cli
from faultprint.errors import UsageError
from faultprint_lab.benchmark.results_file import REASON, read


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["benchmark", *map(str, arguments)])


def missing_data(folder: Path) -> list[object]:
    """Options with folders that do not exist: rows without work."""
    folders = ["--testbed-data", folder / "testbed", "--5gc-data", folder / "core"]
    return ["--cache", folder / "cache", *folders, "--data", "testbed"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--protocol", "sooth"], "no protocol 'sooth'"),
        (["--protocol", "unseen", "--system", "prophet"], "no system 'prophet'"),
        (["--protocol", "unseen", "--seeds", "one"], "--seeds is 'one'"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    result = run(*arguments, "--cache", tmp_path)
    assert isinstance(result.exception, UsageError) and sentence in str(result.exception)


def test_a_protocol_must_be_named() -> None:
    result = run()
    assert result.exit_code == 2 and "--protocol" in result.output


def test_rows_go_into_the_file_and_to_the_terminal(tmp_path: Path) -> None:
    out = tmp_path / "rows.json"
    printed = run("--protocol", "all", *missing_data(tmp_path), "--out", out, "--seeds", "1").stdout
    assert "unseen, a day, seed 1: " in printed
    about, rows = read(out)
    assert about["split"] == "validation" and about["sizes"]["train_networks"] == 50
    assert {row["protocol"] for row in rows} == {"unseen", "baseline-check"} and all(row[REASON] for row in rows)
    result = json.loads(
        run("--protocol", "unseen", *missing_data(tmp_path), "--quick", "--seeds", "2", "--json").stdout
    )
    assert result["sizes"]["train_networks"] < 10 and {row["seed"] for row in result["rows"]} == {2}


def test_json_and_out_go_together(tmp_path: Path) -> None:
    out = tmp_path / "rows.json"
    result = run("--protocol", "unseen", *missing_data(tmp_path), "--seeds", "1", "--json", "--out", out)
    assert json.loads(result.stdout)["rows"] and read(out)[1]


def test_a_missing_folder_is_refused_before_the_work(tmp_path: Path) -> None:
    result = run("--protocol", "unseen", "--cache", tmp_path / "cache", "--out", tmp_path / "no" / "rows.json")
    assert isinstance(result.exception, UsageError) and "create it first" in str(result.exception)
    assert not (tmp_path / "cache").exists()
