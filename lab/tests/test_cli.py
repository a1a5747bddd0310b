"""The laboratory's commands from end to end, each as an operator would type it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

FAULTPRINT = Path(sys.executable).parent / "faultprint"
WITHOUT_PACKAGE = """
import sys

package = sys.argv.pop(1)

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
from faultprint.cli import main
main()
"""


def run(*arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    result = subprocess.run([FAULTPRINT, *map(str, arguments)], capture_output=True, text=True, timeout=240)
    assert result.returncode == status, result.stderr
    return result


def result_of(*arguments: object) -> dict[str, Any]:
    result = json.loads(run(*arguments, "--json").stdout)
    assert isinstance(result, dict)
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four simulated networks to train on, one to test, a model, and a library with a reference of each fault."""
    base = tmp_path_factory.mktemp("lab")
    for name, networks, first in (("training", 4, 0), ("test", 1, 50)):
        size = ("--networks", networks, "--days", 1, "--seed", 3, "--first-network", first)
        result_of("simulate", *size, "--out", base / name)
        result_of("features", base / name / "transactions.parquet", "--out", base / name / "minutes.parquet")
    minutes, labels = base / "training/minutes.parquet", base / "training/labels.parquet"
    result_of("train", minutes, "--labels", labels, "--epochs", 2, "--seed", 1, "--out", base / "model.faultprint")
    model = ("--model", base / "model.faultprint", "--library", base / "cases.db")
    result_of("cases", "enrol", minutes, "--from-labels", labels, "--one-per-condition", *model)
    return base


def compare_arguments(folder: Path) -> tuple[object, ...]:
    test = (folder / "test/minutes.parquet", "--labels", folder / "test/labels.parquet")
    return ("compare", *test, "--model", folder / "model.faultprint", "--library", folder / "cases.db")


def training_arguments(folder: Path) -> tuple[object, ...]:
    training = folder / "training"
    return ("--train-minutes", training / "minutes.parquet", "--train-labels", training / "labels.parquet")


def test_compare_prints_the_figures_of_each_system(folder: Path) -> None:
    figures = result_of(*compare_arguments(folder), *training_arguments(folder), "--system", "1-nn")
    assert set(figures) == {"default", "1-nn"}
    assert 0 <= figures["default"]["macro_f1"] <= 1
    assert "macro_f1_exposed" in run(*compare_arguments(folder)).stdout


def test_other_methods_need_minutes_to_train_on(folder: Path) -> None:
    result = run(*compare_arguments(folder), "--system", "1-nn", status=2)
    assert result.stderr.count("\n") == 1 and "give --train-minutes and --train-labels" in result.stderr
    half = run(*compare_arguments(folder), *training_arguments(folder)[:2], status=2)
    assert "both --train-minutes and --train-labels" in half.stderr


def test_signatures_of_two_sets_are_compared(folder: Path) -> None:
    training, test = folder / "training", folder / "test"
    measured = ("compare-signatures", test / "minutes.parquet", "--labels", test / "labels.parquet")
    reference = ("--reference-minutes", training / "minutes.parquet", "--reference-labels", training / "labels.parquet")
    both = {*pl.read_parquet(training / "labels.parquet")["condition"]} & {
        *pl.read_parquet(test / "labels.parquet")["condition"]
    }
    faults = both - {"normal", "recovery"}
    similarities = result_of(*measured, *reference)["faults"]
    assert {fault["condition"] for fault in similarities} == faults != set()
    assert all(f"| {name} |" in run(*measured, *reference).stdout for name in faults)


def test_too_long_a_simulation_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    result = run("simulate", "--networks", "1", "--days", "1000", "--out", tmp_path / "out", status=2)
    assert "at most 100" in result.stderr
    assert result.stderr.count("\n") == 1 and result.stderr.startswith("faultprint: ") and result.stdout == ""
    assert not list(tmp_path.iterdir())


def test_the_demo_refuses_a_missing_capture_before_any_work(tmp_path: Path) -> None:
    result = run("demo", "--out", tmp_path / "out", "--capture", tmp_path / "nosuch", status=2)
    assert "There is no capture" in result.stderr and result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("command", "package"),
    [
        ("compare", "lightgbm"),
        ("benchmark", "lightgbm"),
        ("benchmark", "torch"),
        ("demo", "lightgbm"),
        ("demo", "torch"),
    ],
)
def test_a_missing_package_is_one_sentence(command: str, package: str, tmp_path: Path) -> None:
    for name in ("minutes", "labels", "model", "library"):
        (tmp_path / name).touch()
    arguments = {
        "compare": ["minutes", "--labels", "labels", "--model", "model", "--library", "library"],
        "benchmark": ["--protocol", "all", "--cache", "cache"],
        "demo": ["--out", "demo"],
    }[command]
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_PACKAGE, package, command, *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert result.returncode == 2, result.stderr
    assert f"needs the package {package!r}" in result.stderr and "faultprint[train]" in result.stderr
    assert result.stderr.count("\n") == 1
