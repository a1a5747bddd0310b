"""Where a training computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from faultprint.embedding.model_file import read
from faultprint.errors import UsageError
from faultprint.training.device import device, tensor
from faultprint.training.train import train

GPU = torch.cuda.is_available()


def test_auto_takes_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, kind in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert device("auto").type == kind
        assert device("cpu").type == "cpu"


def test_a_device_that_is_not_there_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="no GPU"):
        device("cuda")
    with pytest.raises(UsageError, match="no device 'tpu'"):
        device("tpu")


def test_arrays_go_where_torch_computes() -> None:
    with torch.device("meta"):
        assert tensor(np.zeros(3, np.float32)).device.type == "meta"
    assert tensor(np.zeros(3, np.float32)).device.type == "cpu"


@pytest.mark.skipif(not GPU, reason="torch finds no GPU here")
@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("preset", ["default", "posts"])
def test_a_gpu_leaves_an_artefact_that_runs_without_one(
    preset: str, tables: tuple[pl.DataFrame, pl.DataFrame], tmp_path: Path
) -> None:
    report = train(*tables, tmp_path / "m", preset=preset, epochs=2, device="cuda", checkpoint=tmp_path / "c")
    assert report.export_difference < 1e-5
    assert read(tmp_path / "m").manifest.training["device"] == "cuda"
    again = train(*tables, tmp_path / "n", preset=preset, epochs=2, device="cuda", checkpoint=tmp_path / "c")
    assert again.resumed_after == 2
