"""A command whose optional package is not installed ends with one sentence and exit code 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HIDDEN = """
import sys
sys.modules[sys.argv[1]] = None
del sys.argv[1]
from faultprint.cli import main
main()
"""


def run_without(package: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", HIDDEN, package, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("package", ["torch", "onnx"])
def test_train_names_the_extra_that_is_missing(package: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run_without(package, "train", tmp_path / "file", "--labels", tmp_path / "file", "--out", tmp_path / "m")
    assert result.returncode == 2
    assert result.stderr == (
        f"faultprint: this command needs the package {package}, which is not installed; run: pip install 'faultprint[train]'\n"
    )


def test_tune_names_the_extra_that_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    study = ("--study", tmp_path / "study.db", "--trials", "1", "--out", tmp_path / "report.html")
    result = run_without("optuna", "tune", file, "--labels", file, *study)
    assert result.returncode == 2
    assert result.stderr.endswith("optuna, which is not installed; run: pip install 'faultprint[train]'\n")
    assert "Traceback" not in result.stderr


def test_a_state_in_postgresql_names_the_extra_that_is_missing() -> None:
    result = run_without("psycopg", "incidents", "list", "--state", "postgresql://192.0.2.1/faultprint")
    assert result.returncode == 2
    assert "faultprint[postgres]" in result.stderr and "Traceback" not in result.stderr


def test_another_missing_module_is_a_defect_and_shown_as_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run_without(
        "faultprint.training.loop", "train", tmp_path / "file", "--labels", tmp_path / "file", "--out", tmp_path / "m"
    )
    assert result.returncode == 1 and "Traceback" in result.stderr
