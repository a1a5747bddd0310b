"""The look at a training: what it sees, and that it changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from faultprint.arrays import Float32Array
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.training.data.dataset import TrainingSet, training_set
from faultprint.training.data.samplers import Triplets
from faultprint.training.models import reference_task
from faultprint_lab.benchmark.puzzles import batchnorm_gap as gap
from faultprint_lab.benchmark.puzzles.batchnorm_gap import OneNetwork, WatchedTraining, Way

from ..test_suite import learn


@pytest.fixture(scope="module")
def parts() -> tuple[TrainingSet, TrainingSet]:
    """Trained on, held out."""
    every = training_set(*learn(), SIP_CATALOGUE)
    held_out = frozenset({"beta"})
    return every.of(frozenset(every.networks) - held_out), every.of(held_out)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gap, "_BATCHES", 4)
    monkeypatch.setattr(reference_task, "SCORED", 3)


def watched(parts: tuple[TrainingSet, TrainingSet], way: Way) -> WatchedTraining:
    torch.manual_seed(1)
    return WatchedTraining(*parts, np.random.default_rng(1), way)


@pytest.mark.parametrize("normalised", [False, True])
def test_batch_norm_opens_a_gap_and_layer_norm_none(
    parts: tuple[TrainingSet, TrainingSet], small: None, normalised: bool
) -> None:
    task = watched(parts, Way(normalised=normalised, hidden=8))
    for _ in range(3):
        task.step(0)
    look = task.look()
    assert abs(look.loss_training - look.loss_inference) > 0.2
    none = watched(parts, Way(normalised=normalised, hidden=8, batch_normed=False)).look()
    assert none.loss_training == pytest.approx(none.loss_inference) and none.satisfied == none.satisfied_inference


def test_statistics_taken_anew_close_the_gap_of_mixed_batches(
    parts: tuple[TrainingSet, TrainingSet], small: None
) -> None:
    task = watched(parts, Way(normalised=True, hidden=8))
    task.step(0)
    weights = {name: weight.clone() for name, weight in task.network.named_parameters()}
    before = np.mean([task.look() for _ in range(4)], axis=0)
    task.reestimate()
    after = np.mean([task.look() for _ in range(4)], axis=0)
    assert abs(after[2] - after[0]) < abs(before[2] - before[0]) / 2
    assert all(torch.equal(weight, weights[name]) for name, weight in task.network.named_parameters())


def test_looking_changes_nothing(parts: tuple[TrainingSet, TrainingSet], small: None) -> None:
    task = watched(parts, Way(hidden=8))
    before = {name: value.clone() for name, value in task.network.state_dict().items()}
    task.look()
    assert all(torch.equal(value, before[name]) for name, value in task.network.state_dict().items())
    assert task.network.training
    for _ in range(6):
        task.step(0)
    assert [step for step, _ in task.looks] == [0, 5]


class Named(Triplets):
    """Windows that are the name of their network, as a number."""

    def window_at(self, node: int, end: int) -> Float32Array:
        return np.full((1, 1), ["alpha", "delta", "eta", "gamma"].index(self.nodes[node].series.network), np.float32)


def test_a_batch_comes_from_one_network(parts: tuple[TrainingSet, TrainingSet]) -> None:
    rng = np.random.default_rng(1)
    feed = OneNetwork(lambda part: Named(part, rng), parts[0], rng)
    batches = [{name for tower in feed.draw(4) for name in tower.flatten().tolist()} for _ in range(12)]
    assert all(len(batch) == 1 for batch in batches) and len(set.union(*batches)) > 1
    mixed = Named(parts[0], rng).draw(16)
    assert len({name for tower in mixed for name in tower.flatten().tolist()}) > 1
