"""A killed training goes on where it was, and ends as if nothing had happened."""

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

from faultprint.embedding.model_file import read
from faultprint.errors import UsageError
from faultprint.training.log import EPOCHS, JsonLines
from faultprint.training.train import PRESETS, TrainingReport, train

pytestmark = pytest.mark.usefixtures("short")
Tables = tuple[pl.DataFrame, pl.DataFrame]

KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
import polars as pl
from faultprint.training.train import PRESETS, train

def die(done, total):
    if done == 5:
        os.kill(os.getpid(), signal.SIGKILL)

folder, preset = Path(sys.argv[1]), PRESETS["default"]
PRESETS["default"] = replace(preset, plan=replace(preset.plan, steps=2), calibration_windows=50)
tables = (pl.read_parquet(folder / name) for name in ("minutes", "labels"))
train(*tables, folder / "m", epochs=3, checkpoint=folder / "checkpoint", filmed=True, progress=die)
"""


class Interrupted(Exception):
    """In the place of a kill, where one process must go on."""


def same(one: Path, other: Path) -> bool:
    a, b = read(one), read(other)
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
    again: dict[str, Any] = {"epochs": 3, "checkpoint": tmp_path / "checkpoint", "filmed": True}
    report = train(*tables, tmp_path / "m", listeners=[JsonLines(tmp_path / "log")], **again)
    unbroken = train(*tables, tmp_path / "unbroken", epochs=3)
    assert report.resumed_after == 2
    assert same(tmp_path / "m", tmp_path / "unbroken")
    assert [epoch["loss"] for epoch in report.course["epochs"]] == [e["loss"] for e in unbroken.course["epochs"]]
    assert report.film is not None and sorted(report.film.frames) == [0, 1, 2, 3]
    assert len((tmp_path / "log" / EPOCHS).read_text().splitlines()) == 3
    # A training that is done is not trained again.
    assert train(*tables, tmp_path / "m2", **again).resumed_after == 3
    assert same(tmp_path / "m2", tmp_path / "unbroken")


def test_the_posts_network_goes_on_as_well(tables: Tables, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise Interrupted

    words: dict[str, Any] = {"preset": "posts-3d", "epochs": 2}
    with pytest.raises(Interrupted):
        train(*tables, tmp_path / "m", checkpoint=tmp_path / "checkpoint", progress=interrupt, **words)
    assert train(*tables, tmp_path / "m", checkpoint=tmp_path / "checkpoint", **words).resumed_after == 1
    train(*tables, tmp_path / "unbroken", **words)
    assert same(tmp_path / "m", tmp_path / "unbroken")


@pytest.fixture
def begun(tables: Tables, tmp_path: Path) -> Path:
    train(*tables, tmp_path / "m", epochs=1, checkpoint=tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def test_what_is_of_another_training_is_refused(begun: Path, tables: Tables, tmp_path: Path) -> None:
    def attempt(**words: Any) -> TrainingReport:
        return train(*tables, tmp_path / "other", checkpoint=begun, **{"epochs": 1} | words)

    content = begun.read_bytes()
    for words, sentence in (
        ({"seed": 2}, r"with other seed \(1 there, 2 here\)"),
        ({"epochs": 5}, r"other number of epochs \(1 there, 5 here\)"),
        ({"preset": "posts"}, r"other preset \(default there, posts here\)"),
        ({"max_seconds": 3}, r"other budget of seconds \(None there, 3 here\)"),
    ):
        with pytest.raises(UsageError, match=sentence):
            attempt(**words)
    minutes, labels = tables
    with pytest.raises(UsageError, match="with other minutes or labels;"):
        train(
            minutes.with_columns(pl.col("in.bye.delay_median") + 1),
            labels,
            tmp_path / "other",
            epochs=1,
            checkpoint=begun,
        )
    assert begun.read_bytes() == content
    assert not (tmp_path / "other").exists()


def test_what_is_no_checkpoint_is_refused(begun: Path, tables: Tables, tmp_path: Path) -> None:
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
        with pytest.raises(UsageError, match="is no checkpoint of a training, or it is damaged"):
            train(*tables, tmp_path / "other", epochs=1, checkpoint=bad)
    with pytest.raises(UsageError, match=r"the folder .* does not exist"):
        train(*tables, tmp_path / "other", epochs=1, checkpoint=tmp_path / "none" / "checkpoint")
    assert not (tmp_path / "other").exists()
