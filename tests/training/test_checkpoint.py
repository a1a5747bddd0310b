"""A killed training resumes from its checkpoint and gives the same weights."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from faultprint.embedding.model_file import read_artifact
from faultprint.errors import UsageError
from faultprint.training.config import TrainingConfig
from faultprint.training.log import EPOCHS_FILE, JsonLines
from faultprint.training.presets import PRESETS
from faultprint.training.train import TrainingReport, train

pytestmark = pytest.mark.usefixtures("short")
Tables = tuple[pl.DataFrame, pl.DataFrame]

KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
import polars as pl
from faultprint.training.config import TrainingConfig
from faultprint.training.presets import PRESETS
from faultprint.training.train import train

def die(done, total):
    if done == 5:
        os.kill(os.getpid(), signal.SIGKILL)

folder, preset = Path(sys.argv[1]), PRESETS["default"]
PRESETS["default"] = replace(preset, plan=replace(preset.plan, steps=2), calibration_windows=50)
tables = (pl.read_parquet(folder / name) for name in ("minutes", "labels"))
train(*tables, folder / "m", TrainingConfig(epochs=3), checkpoint=folder / "checkpoint", record_animation=True, progress=die)
"""


class Interrupted(Exception):
    """Stands for a kill within the test process."""


def same(first: Path, second: Path) -> bool:
    a, b = read_artifact(first), read_artifact(second)
    return a.graphs == b.graphs and a.manifest.calibration == b.manifest.calibration


def test_a_training_killed_within_an_epoch_ends_with_the_same_weights(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preset = PRESETS["default"]
    quick = replace(preset, plan=replace(preset.plan, steps=2), calibration_windows=50)
    monkeypatch.setitem(PRESETS, "default", quick)  # type: ignore[misc]
    for name, table in zip(("minutes", "labels"), tables, strict=True):
        table.write_parquet(tmp_path / name)
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False, timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "m").exists()
    three = TrainingConfig(epochs=3)
    again: dict[str, Any] = {"checkpoint": tmp_path / "checkpoint", "record_animation": True}
    report = train(*tables, tmp_path / "m", three, listeners=[JsonLines(tmp_path / "log")], **again)
    unbroken = train(*tables, tmp_path / "unbroken", TrainingConfig(epochs=3))
    assert report.resumed_after == 2
    assert same(tmp_path / "m", tmp_path / "unbroken")
    assert [epoch["loss"] for epoch in report.history["epochs"]] == [e["loss"] for e in unbroken.history["epochs"]]
    assert report.animation is not None and sorted(report.animation.frames) == [0, 1, 2, 3]
    assert len((tmp_path / "log" / EPOCHS_FILE).read_text().splitlines()) == 3
    # A finished training is not repeated.
    assert train(*tables, tmp_path / "m2", three, **again).resumed_after == 3
    assert same(tmp_path / "m2", tmp_path / "unbroken")


def test_the_reference_lstm_resumes_too(tables: Tables, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise Interrupted

    config = TrainingConfig(preset="reference-lstm-3d", epochs=2)
    with pytest.raises(Interrupted):
        train(*tables, tmp_path / "m", config, checkpoint=tmp_path / "checkpoint", progress=interrupt)
    assert train(*tables, tmp_path / "m", config, checkpoint=tmp_path / "checkpoint").resumed_after == 1
    train(*tables, tmp_path / "unbroken", config)
    assert same(tmp_path / "m", tmp_path / "unbroken")


@pytest.fixture
def begun(tables: Tables, tmp_path: Path) -> Path:
    train(*tables, tmp_path / "m", TrainingConfig(epochs=1), checkpoint=tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def test_the_checkpoint_of_another_training_is_refused(begun: Path, tables: Tables, tmp_path: Path) -> None:
    def resume(**changes: Any) -> TrainingReport:
        return train(*tables, tmp_path / "other", TrainingConfig(**{"epochs": 1} | changes), checkpoint=begun)

    content = begun.read_bytes()
    for changes, sentence in (
        ({"seed": 2}, r"differs in its seed \(1 in the file, 2 now\)"),
        ({"epochs": 5}, r"its number of epochs \(1 in the file, 5 now\)"),
        ({"preset": "reference-lstm"}, r"its preset \(default in the file, reference-lstm now\)"),
        ({"max_seconds": 3}, r"its limit of seconds \(None in the file, 3 now\)"),
    ):
        with pytest.raises(UsageError, match=sentence):
            resume(**changes)
    minutes, labels = tables
    with pytest.raises(UsageError, match="differs in its minutes or labels;"):
        train(
            minutes.with_columns(pl.col("in.bye.delay_median") + 1),
            labels,
            tmp_path / "other",
            TrainingConfig(epochs=1),
            checkpoint=begun,
        )
    assert begun.read_bytes() == content
    assert not (tmp_path / "other").exists()


def test_damaged_checkpoints_are_refused(begun: Path, tables: Tables, tmp_path: Path) -> None:
    content = begun.read_bytes()
    whole = dict(np.load(begun))
    bad = tmp_path / "bad"

    def written(arrays: dict[str, Any], *, compressed: bool = False) -> bytes:
        with bad.open("wb") as file:
            (np.savez_compressed if compressed else np.savez)(file, **arrays)
        return bad.read_bytes()

    lacking = {name: array for name, array in whole.items() if not name.startswith("module.averaged.")}
    misshapen = {name: array[:1] if name == "module.learning.first.weight" else array for name, array in whole.items()}
    pickled = whole | {"best.first.weight": np.array([{}], dtype=object)}
    for damaged in (
        b"",
        b"no archive",
        content[: len(content) // 2],
        written(lacking),
        written(misshapen),
        written(pickled),
        written(whole, compressed=True),
        written(whole | {"manifest": np.frombuffer(b"[]", dtype=np.uint8)}),
    ):
        bad.write_bytes(damaged)
        with pytest.raises(UsageError, match="is not a checkpoint of a training, or it is damaged"):
            train(*tables, tmp_path / "other", TrainingConfig(epochs=1), checkpoint=bad)
    with pytest.raises(UsageError, match=r"the folder .* does not exist"):
        train(*tables, tmp_path / "other", TrainingConfig(epochs=1), checkpoint=tmp_path / "none" / "checkpoint")
    assert not (tmp_path / "other").exists()
