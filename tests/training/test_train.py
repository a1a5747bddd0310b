"""From tables to a model file, for every preset."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from faultprint.embedding.model import Model, load_model
from faultprint.embedding.model_file import read_artifact
from faultprint.errors import LabelError, UsageError
from faultprint.training.config import TrainingConfig
from faultprint.training.models import export
from faultprint.training.score import centroids, nearest_centroid
from faultprint.training.train import train

pytestmark = pytest.mark.usefixtures("short")
Tables = tuple[pl.DataFrame, pl.DataFrame]
Moved = Callable[[Model, int], tuple[np.ndarray, np.ndarray]]


def test_the_default_preset_recognises_faults_of_an_unseen_network(
    tables: Tables, moved: Moved, tmp_path: Path
) -> None:
    minutes, labels = tables
    known = minutes.filter(pl.col("network") != "net4"), labels.filter(pl.col("node") != "pcscf4")
    seen: list[tuple[int, int]] = []
    report = train(
        *known, tmp_path / "m", TrainingConfig(epochs=5), progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1][0] == seen[-1][1]
    assert report.conditions == ("normal", "errors", "slow")
    assert len(report.networks) == 3
    assert len(report.held_out) == 1
    assert report.export_difference < 1e-5
    assert report.effective_dimensions > 1
    json.dumps(report.as_dict(), allow_nan=False)
    model = load_model(tmp_path / "m")
    assert model.id == report.model
    vectors, code = moved(model, 0)
    unseen, truth = moved(model, 4)
    assert np.mean(nearest_centroid(unseen, centroids(vectors, code, 3)) == truth) > 0.9


def test_the_record_in_the_manifest(tables: Tables, tmp_path: Path) -> None:
    train(*tables, tmp_path / "m", TrainingConfig(epochs=1, seed=3))
    manifest = read_artifact(tmp_path / "m").manifest
    assert manifest.training["seed"] == 3
    assert set(manifest.training["networks"]).isdisjoint(manifest.training["held_out"])
    assert len(manifest.training["epochs"]) == 1
    assert manifest.training["versions"]["torch"] == torch.__version__
    calibration = manifest.calibration
    names = ("normal_distance", "fault_distance", "normal_ratio", "normal_margin", "fault_margin", "runner_up_margin")
    for name in names:
        quantiles = calibration[name]["quantiles"]
        assert len(quantiles) == len(calibration["levels"])
        assert quantiles == sorted(quantiles)
        assert calibration[name]["windows"] > 0
    assert calibration["normal_distance"]["quantiles"][0] >= 0


def test_the_same_seed_gives_the_same_weights(tables: Tables, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(*tables, tmp_path / name, TrainingConfig(epochs=1, seed=seed))
    a, b, c = (read_artifact(tmp_path / name) for name in "abc")
    assert a.graphs == b.graphs
    assert a.graphs != c.graphs
    assert a.manifest.calibration == b.manifest.calibration


@pytest.mark.parametrize(("preset", "dimensions"), [("reference-lstm", 10), ("reference-lstm-3d", 3)])
def test_the_reference_presets_within_a_time_limit(
    preset: str, dimensions: int, tables: Tables, tmp_path: Path
) -> None:
    threads = torch.get_num_threads()
    report = train(*tables, tmp_path / "m", TrainingConfig(preset=preset, max_seconds=1))
    assert report.history["stopped"] == "budget of time spent"
    assert torch.get_num_threads() == threads
    model = load_model(tmp_path / "m")
    assert (model.dimensions, model.manifest.preset) == (dimensions, preset)
    # Models keep the names of earlier versions, because the id of a model covers them.
    with zipfile.ZipFile(tmp_path / "m") as archive:
        stored = json.loads(archive.read("manifest.json"))["preset"]
    assert stored == preset.replace("reference-lstm", "posts")


def test_nothing_is_saved_if_the_graphs_differ(tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(Exception, match="nothing was saved"):
        train(*tables, tmp_path / "m", TrainingConfig(epochs=1))
    assert not list(tmp_path.iterdir())


def test_unusable_data_are_refused(tables: Tables, tmp_path: Path) -> None:
    minutes, labels = tables
    with pytest.raises(UsageError, match="There is no preset 'best'"):
        train(minutes, labels, tmp_path / "m", TrainingConfig(preset="best"))
    with pytest.raises(UsageError, match="at least one epoch"):
        train(minutes, labels, tmp_path / "m", TrainingConfig(epochs=0))
    with pytest.raises(UsageError, match="The only network with usable minutes is 'net0'"):
        one = minutes.filter(pl.col("network") == "net0")
        train(one, labels.filter(pl.col("node") == "pcscf0"), tmp_path / "m")
    with pytest.raises(LabelError, match="contain no fault"):
        train(minutes, labels.filter(pl.col("condition") == "normal"), tmp_path / "m")
    with pytest.raises(LabelError, match="has no minutes"):
        train(minutes.filter(pl.col("network") != "net0"), labels, tmp_path / "m")
    short = labels.with_columns(
        pl.when(pl.col("condition") == "normal")
        .then(pl.col("start") + timedelta(minutes=59))
        .otherwise(pl.col("end"))
        .alias("end")
    )
    with pytest.raises(UsageError, match="60 minutes of normal traffic in a row"):
        train(minutes, short, tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_the_time_limit_is_counted_by_the_given_clock(tables: Tables, tmp_path: Path) -> None:
    ticks = iter(range(1_000_000))
    report = train(*tables, tmp_path / "m", TrainingConfig(max_seconds=40), clock=lambda: float(next(ticks)))
    assert report.history["stopped"] == "budget of time spent"
    assert 40 <= report.history["seconds"] < 60
