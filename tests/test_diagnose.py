"""`faultprint diagnose`: from a table or a capture to named incidents, with an exit status for scripts."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.probe.captures import pcap
from tests.synthetic import minute, minutes
from tests.test_inspect import call

from faultprint.cli import cli
from faultprint.errors import UsageError
from faultprint.features.minutes import write_minutes

STORED = Path(__file__).resolve().parent / "golden" / "stored"
FAULT = [(100, 130, "bye-slow")]


def diagnose(*words: object) -> Result:
    taught = ["--model", str(STORED / "model.faultprint"), "--library", str(STORED / "cases.db")]
    return CliRunner().invoke(cli, ["diagnose", *map(str, words), *taught])


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "minutes.parquet"
    write_minutes(minutes("beta-1", 240, FAULT, seed=2), path)
    return path


def test_a_fault_is_found_named_and_explained(table: Path) -> None:
    result = diagnose(table, "--json")
    assert result.exit_code == 3
    (node,) = json.loads(result.stdout)["nodes"]
    assert (node["node"], node["observed_minutes"], node["baseline"]) == ("beta-1", 240, "first")
    incident = next(each for each in node["incidents"] if each["condition"] == "bye-slow")
    assert minute(100).isoformat() <= incident["onset"] <= minute(130).isoformat()
    assert 0 < incident["probability"] <= 1
    assert any(reason.startswith("BYEs received answered") for reason in incident["reasons"])
    text = diagnose(table).stdout
    assert "bye-slow" in text and "beta-1 (beta)" in text and "usually" in text
    assert not {"None", "{'", "datetime"} & set(text.split())
    assert {diagnose(table).stdout for _ in range(4)} == {text}


def test_without_a_fault_the_status_is_0(tmp_path: Path) -> None:
    write_minutes(minutes("beta-1", 200, seed=2), tmp_path / "minutes.parquet")
    result = diagnose(tmp_path / "minutes.parquet")
    assert result.exit_code == 0 and "no fault found" in result.stdout and "0 incidents on 1 node." in result.stdout


@pytest.mark.parametrize("number", [1, 20, 47])
def test_too_little_traffic_is_said_with_what_was_heard(tmp_path: Path, number: int) -> None:
    write_minutes(minutes("beta-1", number, seed=2), tmp_path / "minutes.parquet")
    result = diagnose(tmp_path / "minutes.parquet")
    assert result.exit_code == 4
    assert "a verdict needs 48 minutes" in result.stdout and "Initial registrations" in result.stdout


def test_a_capture_without_an_hour_of_its_own_is_compared_with_many_networks(tmp_path: Path) -> None:
    write_minutes(minutes("beta-1", 55, [(20, 55, "bye-slow")], seed=2), tmp_path / "minutes.parquet")
    result = diagnose(tmp_path / "minutes.parquet", "--json")
    (node,) = json.loads(result.stdout)["nodes"]
    assert result.exit_code in (0, 3) and node["baseline"] == "population" and node["judged_minutes"] == 6


def test_a_table_is_diagnosed_alone(table: Path, tmp_path: Path) -> None:
    for words in ((table, table), (table, "--node", "beta-1")):
        error = diagnose(*words).exception
        assert isinstance(error, UsageError) and "diagnosed alone" in str(error)


def test_what_is_no_capture_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no capture")
    result = diagnose(tmp_path / "notes.txt")
    assert "notes.txt" in str(result.exception) and not isinstance(result.exception, SystemExit)


def test_a_short_capture_needs_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trace.pcap").write_bytes(
        pcap([packet for number in range(9) for packet in call(number, f"10.8.0.{number}")])
    )
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    result = diagnose(tmp_path / "trace.pcap", "--node", "pcscf")
    assert result.exit_code == 4 and "pcscf: " in result.stdout and "Other requests received" in result.stdout
    assert not list((tmp_path / "tmp").iterdir())
