"""The three protocols from end to end, on small hand-made tables."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from tests.synthetic import labels, minutes

from faultprint.training.models import reference_task
from faultprint_lab.benchmark.data import datasets
from faultprint_lab.benchmark.data.datasets import DataFolders
from faultprint_lab.benchmark.puzzles import batchnorm_gap
from faultprint_lab.benchmark.suite import SuitePlan, run

from ..test_suite import NAMES, SIZES, scored_tables, training_tables


def two_networks() -> tuple[pl.DataFrame, pl.DataFrame]:
    faults = [(100 + 200 * n, 130 + 200 * n, name) for n, name in enumerate(NAMES * 2)]
    other = minutes("psi-1", 1300, faults, seed=3), labels("psi-1", 1300, faults)
    return tuple(pl.concat(both) for both in zip(scored_tables(), other, strict=True))  # type: ignore[return-value]


def test_every_protocol_has_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.Datasets, "read_train", lambda self, data, networks, seed: training_tables())
    monkeypatch.setattr(datasets.Datasets, "read_scored", lambda self, data, split, temporal, seed: two_networks())
    monkeypatch.setattr(batchnorm_gap, "_BATCHES", 2)
    monkeypatch.setattr(reference_task, "WINDOWS_PER_CONDITION", 3)
    plan = SuitePlan(
        protocols=("encoder-variants", "batchnorm-gap", "vector-arithmetic"),
        data=("simulated",),
        systems=("default", "3 sigmoids, lossless", "normalised, one network", "raw, layer norm", "one profile"),
        seeds=(1,),
        sizes=SIZES,
    )
    rows = {(row["protocol"], row["system"]): row for row in run(plan, tmp_path, DataFolders())}
    for system in ("default", "3 sigmoids, lossless"):
        row = rows["encoder-variants", system]
        assert row["macro_f1"] is not None and row["satisfied"] == row["satisfied_by_epoch"][-1]
    normed, none = rows["batchnorm-gap", "normalised, one network"], rows["batchnorm-gap", "raw, layer norm"]
    assert normed["looks"]["step"][0] == 0 and {len(column) for column in normed["looks"].values()} != {0}
    assert normed["sampled_f1_reestimated"] is not None
    assert none["satisfied_reestimated"] is None and none["loss_training"] == pytest.approx(none["loss_inference"])
    for system in ("default", "one profile"):
        row = rows["vector-arithmetic", system]
        assert row["carries"] == 2 * len(NAMES) and row["carried_by_chance"] == pytest.approx(1 / 4)
        assert row["carried"] > 1 / 4
