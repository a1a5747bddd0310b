"""The variants learn, and what they ship is what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from faultprint.embedding.model import load_model
from faultprint.training.loop import TrainingPlan
from faultprint.training.losses.batch_all import batch_all
from faultprint.training.train import train
from faultprint_lab.benchmark.puzzles.variants import VARIANTS, by_hardest, by_lossless, by_random

from ..test_suite import learn


@pytest.mark.parametrize(
    ("name", "dimensions"),
    [("hardest triplets", 32), ("3 sigmoids, lossless", 3), ("unit sphere", 32), ("batch norm", 32)],
)
def test_a_variant_is_trained_and_exported(name: str, dimensions: int, tmp_path: Path) -> None:
    preset = replace(VARIANTS[name], plan=TrainingPlan(epochs=2, steps=2, patience=2), calibration_windows=100)
    report = train(*learn(), tmp_path / "a.faultprint", preset=name, seed=1, presets={name: preset})
    assert report.export_difference < 1e-5 and load_model(tmp_path / "a.faultprint").dimensions == dimensions
    assert all(np.isfinite(epoch["loss"]) for epoch in report.course["epochs"])


def test_losses_are_given_the_triplets_that_they_say() -> None:
    torch.manual_seed(1)
    vectors, labels = torch.rand(60, 5), torch.randint(4, (60,))
    assert by_random(vectors, labels).formed == 20
    assert by_hardest(vectors, labels).formed == 60
    every, hardest = batch_all(vectors, labels), by_hardest(vectors, labels)
    assert hardest.active / hardest.formed > every.active / every.formed > 0


def test_the_lossless_loss_pulls_where_the_ordinary_one_has_stopped() -> None:
    """Two labels farther apart than the margin: satisfied, and still something to gain."""
    vectors = torch.tensor([[0.0, 0.0]] * 3 + [[0.8, 0.0]] * 3, requires_grad=True)
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    assert by_random(vectors, labels).loss.item() == 0
    found = by_lossless(vectors, labels)
    found.loss.backward()
    assert found.active == 0 and found.loss.item() > 0.5 and vectors.grad is not None and vectors.grad.abs().sum() > 0


def test_a_batch_without_a_triplet_asks_for_nothing() -> None:
    vectors = torch.rand(3, 2, requires_grad=True)
    found = by_hardest(vectors, torch.tensor([1, 1, 1]))
    found.loss.backward()
    assert (found.loss.item(), found.formed, found.active) == (0, 0, 0)
