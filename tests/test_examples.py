"""The scripts in examples/ run as they are, and docstring examples hold."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from tests.synthetic import four_networks

from faultprint import api, storage
from faultprint.features.minutes import write_minutes
from faultprint.tables import LABELS

ROOT = Path(__file__).resolve().parents[1]
STORED = ROOT / "tests" / "golden" / "stored"


def run(name: str, *words: object) -> str:
    """What the example prints."""
    result = subprocess.run(
        [sys.executable, ROOT / "examples" / name, *map(str, words)], capture_output=True, text=True, timeout=240
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled minutes of four synthetic networks."""
    base = tmp_path_factory.mktemp("examples")
    minutes, labels = four_networks()
    write_minutes(minutes, base / "minutes.parquet")
    write_minutes(minutes.filter(pl.col("node").cast(pl.String) == "beta-1"), base / "beta.parquet")
    storage.write(labels, LABELS, base / "labels.parquet")
    return base


def test_minutes_to_verdicts(folder: Path) -> None:
    printed = run("capture_to_verdicts.py", folder / "beta.parquet", STORED / "model.faultprint")
    assert "my-fault" in printed and "normal" in printed


def test_a_stream_of_minutes(folder: Path) -> None:
    printed = run("stream.py", folder / "beta.parquet", STORED / "model.faultprint", STORED / "cases.db")
    assert "warming-up" in printed.splitlines()[0] and "bye-slow" in printed


@pytest.mark.timeout(300)
def test_training_figures_and_four_baselines(folder: Path, tmp_path: Path) -> None:
    printed = run("train_and_evaluate.py", folder / "minutes.parquet", folder / "labels.parquet", tmp_path)
    assert "trained on" in printed and "macro_f1_exposed" in printed
    printed = run("baselines.py", folder / "beta.parquet", tmp_path / "model.faultprint", tmp_path / "cases.db")
    assert [line.split()[0] for line in printed.splitlines()] == ["first", "given", "robust", "population"]


def test_a_capture(tmp_path: Path) -> None:
    capture = ROOT.parent / "shared" / "data" / "captures" / "sip.pcap"
    if not capture.exists():
        pytest.skip("the sample captures (../shared/data/captures) are not here")
    assert "minutes of" in run("capture.py", capture, tmp_path)


def test_docstring_examples() -> None:
    found = doctest.testmod(api, optionflags=doctest.ELLIPSIS)
    assert found.attempted > 0 and found.failed == 0
