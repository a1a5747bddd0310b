"""The three protocols end to end, on minutes made by hand."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from tests.synthetic import labels, minutes

from faultprint.training.models import reference_task
from faultprint_lab.benchmark.data import datasets
from faultprint_lab.benchmark.data.datasets import DataFolders
from faultprint_lab.benchmark.puzzles import batchnorm_gap as gap
from faultprint_lab.benchmark.suite import SuitePlan, run

from ..test_suite import NAMES, SIZES, learn, meet


def two_networks() -> tuple[pl.DataFrame, pl.DataFrame]:
    faults = [(100 + 200 * n, 130 + 200 * n, name) for n, name in enumerate(NAMES * 2)]
    other = minutes("psi-1", 1300, faults, seed=3), labels("psi-1", 1300, faults)
    return tuple(pl.concat(both) for both in zip(meet(), other, strict=True))  # type: ignore[return-value]


def test_every_puzzle_has_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.Datasets, "_read_learn", lambda self, data, networks, seed: learn())
    monkeypatch.setattr(datasets.Datasets, "_read_meet", lambda self, data, split, later, seed: two_networks())
    monkeypatch.setattr(gap, "_BATCHES", 2)
    monkeypatch.setattr(reference_task, "SCORED", 3)
    plan = SuitePlan(
        protocols=("puzzles", "gap", "arithmetic"),
        data=("simulated",),
        systems=("default", "3 sigmoids, lossless", "normalised, one network", "raw, layer norm", "one profile"),
        seeds=(1,),
        sizes=SIZES,
    )
    rows = {(row["protocol"], row["system"]): row for row in run(plan, tmp_path, DataFolders())}
    for system in ("default", "3 sigmoids, lossless"):
        row = rows["puzzles", system]
        assert row["macro_f1"] is not None and row["satisfied"] == row["satisfied_by_epoch"][-1]
    normed, none = rows["gap", "normalised, one network"], rows["gap", "raw, layer norm"]
    assert normed["looks"]["step"][0] == 0 and {len(column) for column in normed["looks"].values()} != {0}
    assert normed["sampled_f1_reestimated"] is not None
    assert none["satisfied_reestimated"] is None and none["loss_training"] == pytest.approx(none["loss_inference"])
    for system in ("default", "one profile"):
        row = rows["arithmetic", system]
        assert row["carries"] == 2 * len(NAMES) and row["carried_by_chance"] == pytest.approx(1 / 4)
        assert row["carried"] > 1 / 4
