"""The wheel alone, in an environment without the laboratory and without torch: what an operator installs."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import polars as pl
import pytest
from tests.synthetic import minutes

from faultprint import storage
from faultprint.features.minutes import write_minutes
from faultprint.tables import VERDICTS

ROOT = Path(__file__).resolve().parents[1]
STORED = ROOT / "tests" / "golden" / "stored"


def run(*words: object, status: int = 0) -> str:
    result = subprocess.run(
        [*map(str, words)], capture_output=True, text=True, timeout=280, cwd="/", env={**os.environ, "PYTHONPATH": ""}
    )
    assert result.returncode == status, result.stderr
    return result.stdout + result.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    (found,) = folder.glob("faultprint-*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """The folder with the programs of an environment that holds the wheel and what it depends on."""
    run(sys.executable, "-m", "venv", wheel.parent / "venv")
    programs = wheel.parent / "venv" / "bin"
    run(programs / "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    return programs


def test_the_wheel_holds_the_product_only(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names} == {"faultprint", f"{wheel.name.split('-py3')[0]}.dist-info"}
    for needed in ("reports/report.html", "reports/vendor/plotly-gl3d.min.js", "py.typed"):
        assert f"faultprint/{needed}" in names


@pytest.mark.timeout(300)
def test_identify_works_without_torch_and_without_the_laboratory(installed: Path, tmp_path: Path) -> None:
    for name in ("torch", "faultprint_lab"):
        assert "ModuleNotFoundError" in run(installed / "python", "-c", f"import {name}", status=1)
    write_minutes(minutes("beta-1", 140, [(100, 130, "bye-slow")], seed=2), tmp_path / "minutes.parquet")
    words = (
        "--model",
        STORED / "model.faultprint",
        "--library",
        STORED / "cases.db",
        "--out",
        tmp_path / "verdicts.parquet",
    )
    run(installed / "faultprint", "identify", tmp_path / "minutes.parquet", *words)
    verdicts = storage.read(tmp_path / "verdicts.parquet", VERDICTS)
    assert "bye-slow" in verdicts["condition"].cast(pl.String).to_list()
    assert "simulate" not in run(installed / "faultprint", "--help")
