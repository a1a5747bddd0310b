"""kill -9 at random moments changes nothing downstream (lab/benchmarks/crash_test.py does it five hundred times)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from faultprint.features.minutes import write_minutes

from .conftest import Deployment

ROOT = Path(__file__).resolve().parents[2]
KILLS = 12


@pytest.mark.timeout(900)
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_dozen_kills_lose_nothing_and_repeat_nothing(
    database: str, deployment: Deployment, traffic: pl.DataFrame, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    write_minutes(traffic, tmp_path / "minutes.parquet")
    (tmp_path / "base.toml").write_text(f'model = "{deployment.model_path}"\nlibrary = "{deployment.library_path}"\n')
    words = (tmp_path / "minutes.parquet", tmp_path / "base.toml", tmp_path / "runs", "--kills", KILLS)
    if database == "postgres":
        words += ("--postgres", request.getfixturevalue("postgres").url())
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.crash_test", *map(str, words)],
        cwd=ROOT / "lab",
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["kills"], found["lost"], found["twice"], found["other_verdicts"]) == (KILLS, 0, 0, 0)
    assert found["messages"] >= 4
    assert bool(list((tmp_path / "runs").glob("*/state.db*"))) == (database == "sqlite")
