"""The device that training runs on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from faultprint.embedding.model_file import read_artifact
from faultprint.errors import UsageError
from faultprint.training.config import TrainingConfig
from faultprint.training.device import select_device, tensor
from faultprint.training.train import train

GPU = torch.cuda.is_available()


def test_auto_selects_a_gpu_if_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for has_gpu, kind in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda has_gpu=has_gpu: has_gpu)
        assert select_device("auto").type == kind
        assert select_device("cpu").type == "cpu"


def test_a_missing_device_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="no GPU"):
        select_device("cuda")
    with pytest.raises(UsageError, match="no device 'tpu'"):
        select_device("tpu")


def test_arrays_go_to_the_default_device() -> None:
    with torch.device("meta"):
        assert tensor(np.zeros(3, np.float32)).device.type == "meta"
    assert tensor(np.zeros(3, np.float32)).device.type == "cpu"


@pytest.mark.skipif(not GPU, reason="torch finds no GPU here")
@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("preset", ["default", "reference-lstm"])
def test_a_model_from_a_gpu_runs_without_one(
    preset: str, tables: tuple[pl.DataFrame, pl.DataFrame], tmp_path: Path
) -> None:
    report = train(
        *tables, tmp_path / "m", TrainingConfig(preset=preset, epochs=2, device="cuda"), checkpoint=tmp_path / "c"
    )
    assert report.export_difference < 1e-5
    assert read_artifact(tmp_path / "m").manifest.training["device"] == "cuda"
    again = train(
        *tables, tmp_path / "n", TrainingConfig(preset=preset, epochs=2, device="cuda"), checkpoint=tmp_path / "c"
    )
    assert again.resumed_after == 2
