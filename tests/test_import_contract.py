"""Imports point one way: the contract in pyproject.toml holds, and is a test like any other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_import_contract_holds() -> None:
    result = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout


def test_what_ships_to_a_monitor_runs_where_torch_is_not_installed() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['onnx'] = None; sys.modules['lightgbm'] = None\n"
        "import faultprint.cli, faultprint.cases.identify, faultprint.embedding.model_file, faultprint.features.minutes\n"
        "import faultprint.monitor.build, faultprint.monitor.serve.http, faultprint.monitor.ingest.probe\n"
        "import faultprint.monitor.serve.metrics"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
