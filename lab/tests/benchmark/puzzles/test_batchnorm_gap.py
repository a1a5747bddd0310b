"""Measurements during a training: what they show, and that they change nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from faultprint.arrays import Float32Array
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.training.data.dataset import TrainingSet, training_set
from faultprint.training.data.samplers import TripletSampler
from faultprint.training.models import reference_task
from faultprint_lab.benchmark.puzzles import batchnorm_gap
from faultprint_lab.benchmark.puzzles.batchnorm_gap import ObservedTask, OneNetworkTriplets, TrainingVariant

from ..test_suite import training_tables


@pytest.fixture(scope="module")
def parts() -> tuple[TrainingSet, TrainingSet]:
    """(networks to train on, held-out networks)."""
    all_networks = training_set(*training_tables(), SIP_CATALOGUE)
    held_out = frozenset({"beta"})
    return all_networks.select(frozenset(all_networks.networks) - held_out), all_networks.select(held_out)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batchnorm_gap, "_BATCHES", 4)
    monkeypatch.setattr(reference_task, "WINDOWS_PER_CONDITION", 3)


def observed(parts: tuple[TrainingSet, TrainingSet], variant: TrainingVariant) -> ObservedTask:
    torch.manual_seed(1)
    return ObservedTask(*parts, np.random.default_rng(1), variant)


@pytest.mark.parametrize("normalised", [False, True])
def test_batch_norm_has_a_gap_and_layer_norm_has_none(
    parts: tuple[TrainingSet, TrainingSet], small: None, normalised: bool
) -> None:
    task = observed(parts, TrainingVariant(normalised=normalised, hidden=8))
    for _ in range(3):
        task.step(0)
    measured = task.measure()
    assert abs(measured.loss_training - measured.loss_inference) > 0.2
    layer_norm = observed(parts, TrainingVariant(normalised=normalised, hidden=8, batch_normed=False)).measure()
    assert (
        layer_norm.loss_training == pytest.approx(layer_norm.loss_inference)
        and layer_norm.satisfied == layer_norm.satisfied_inference
    )


def test_reestimated_statistics_close_the_gap_of_mixed_batches(
    parts: tuple[TrainingSet, TrainingSet], small: None
) -> None:
    task = observed(parts, TrainingVariant(normalised=True, hidden=8))
    task.step(0)
    weights = {name: weight.clone() for name, weight in task.network.named_parameters()}
    before = np.mean([task.measure() for _ in range(4)], axis=0)
    task.reestimate()
    after = np.mean([task.measure() for _ in range(4)], axis=0)
    assert abs(after[2] - after[0]) < abs(before[2] - before[0]) / 2
    assert all(torch.equal(weight, weights[name]) for name, weight in task.network.named_parameters())


def test_measuring_changes_nothing(parts: tuple[TrainingSet, TrainingSet], small: None) -> None:
    task = observed(parts, TrainingVariant(hidden=8))
    before = {name: value.clone() for name, value in task.network.state_dict().items()}
    task.measure()
    assert all(torch.equal(value, before[name]) for name, value in task.network.state_dict().items())
    assert task.network.training
    for _ in range(6):
        task.step(0)
    assert [step for step, _ in task.losses] == [0, 5]


class NetworkNumber(TripletSampler):
    """Every window is the number of its network."""

    def window_at(self, node: int, end: int) -> Float32Array:
        return np.full((1, 1), ["alpha", "delta", "eta", "gamma"].index(self.nodes[node].series.network), np.float32)


def test_a_batch_comes_from_one_network(parts: tuple[TrainingSet, TrainingSet]) -> None:
    rng = np.random.default_rng(1)
    sampler = OneNetworkTriplets(lambda part: NetworkNumber(part, rng), parts[0], rng)
    batches = [{name for tower in sampler.draw(4) for name in tower.flatten().tolist()} for _ in range(12)]
    assert all(len(batch) == 1 for batch in batches) and len(set.union(*batches)) > 1
    mixed = NetworkNumber(parts[0], rng).draw(16)
    assert len({name for tower in mixed for name in tower.flatten().tolist()}) > 1
