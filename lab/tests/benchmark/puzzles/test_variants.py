"""Every variant can be trained and exported, and its loss uses the triplets that its name says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from faultprint.embedding.model import load_model
from faultprint.training.config import TrainingConfig
from faultprint.training.loop import TrainingPlan
from faultprint.training.losses.batch_all import batch_all
from faultprint.training.train import train
from faultprint_lab.benchmark.puzzles.variants import (
    VARIANTS,
    hardest_triplet_loss,
    lossless_triplet_loss,
    random_triplet_loss,
)

from ..test_suite import training_tables


@pytest.mark.parametrize(
    ("name", "dimensions"),
    [("batch-hard triplets", 32), ("3 sigmoids, lossless", 3), ("unit sphere", 32), ("batch norm", 32)],
)
def test_a_variant_is_trained_and_exported(name: str, dimensions: int, tmp_path: Path) -> None:
    preset = replace(VARIANTS[name], plan=TrainingPlan(epochs=2, steps=2, patience=2), calibration_windows=100)
    report = train(
        *training_tables(), tmp_path / "a.faultprint", TrainingConfig(preset=name, seed=1), presets={name: preset}
    )
    assert report.export_difference < 1e-5 and load_model(tmp_path / "a.faultprint").dimensions == dimensions
    assert all(np.isfinite(epoch["loss"]) for epoch in report.history["epochs"])


def test_losses_use_the_triplets_of_their_names() -> None:
    torch.manual_seed(1)
    vectors, labels = torch.rand(60, 5), torch.randint(4, (60,))
    assert random_triplet_loss(vectors, labels).formed == 20
    assert hardest_triplet_loss(vectors, labels).formed == 60
    batch_all_loss, hardest = batch_all(vectors, labels), hardest_triplet_loss(vectors, labels)
    assert hardest.active / hardest.formed > batch_all_loss.active / batch_all_loss.formed > 0


def test_the_lossless_loss_pulls_where_the_ordinary_one_is_zero() -> None:
    """Two labels farther apart than the margin: the triplet is satisfied, and the lossless loss is not zero."""
    vectors = torch.tensor([[0.0, 0.0]] * 3 + [[0.8, 0.0]] * 3, requires_grad=True)
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    assert random_triplet_loss(vectors, labels).loss.item() == 0
    result = lossless_triplet_loss(vectors, labels)
    result.loss.backward()
    assert result.active == 0 and result.loss.item() > 0.5 and vectors.grad is not None and vectors.grad.abs().sum() > 0


def test_a_batch_without_a_triplet_has_no_loss() -> None:
    vectors = torch.rand(3, 2, requires_grad=True)
    result = hardest_triplet_loss(vectors, torch.tensor([1, 1, 1]))
    result.loss.backward()
    assert (result.loss.item(), result.formed, result.active) == (0, 0, 0)
