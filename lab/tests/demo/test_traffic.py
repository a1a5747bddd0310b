"""The demo's traffic: `faultprint train` accepts its training files."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from faultprint.cli import cli
from faultprint.features.minutes import read_minutes
from faultprint_lab.demo.traffic import TRAINING_LABELS, TRAINING_MINUTES, DemoSize, simulate_traffic


def test_train_accepts_the_training_files(tmp_path: Path) -> None:
    size = DemoSize(networks=2, calibration_networks=1, test_networks=1, days=0.5)
    traffic = simulate_traffic(tmp_path, 1, size, None, lambda line: None)
    assert read_minutes(tmp_path / TRAINING_MINUTES).frame.equals(traffic.train[0])
    files = (
        tmp_path / TRAINING_MINUTES,
        "--labels",
        tmp_path / TRAINING_LABELS,
        "--out",
        tmp_path / "model.faultprint",
    )
    result = CliRunner().invoke(cli, ["train", *map(str, files), "--epochs", "1", "--json"])
    assert result.exit_code == 0, result.output
    assert len(json.loads(result.stdout)["networks"]) == 1
