"""The BatchNorm gap: the same weights and batch, with the statistics of the batch and with the running statistics.

The network of the 2017 baseline is trained with its random triplets, and both losses are measured during training. What
may open or close the gap is varied: the networks in a batch, raw or normalised input, and the kind of norm.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from faultprint.arrays import Float32Array
from faultprint.training.data.dataset import TrainingSet, training_set
from faultprint.training.data.samplers import TripletSampler, TripletSource
from faultprint.training.device import seeded, tensor
from faultprint.training.losses.triplet import count_violations, triplet
from faultprint.training.models.reference_task import BATCH, ReferenceTask
from faultprint.training.models.task import Step
from faultprint.training.networks.layers import layer_norm
from faultprint.training.networks.reference_lstm import HIDDEN
from faultprint.windows.normalisation import CHANNELS
from faultprint.windows.profile import Profile, population_profile
from faultprint_lab.benchmark.competitors.competitor import EveryTrial
from faultprint_lab.benchmark.prepared import PreparedTrial

NARROW: Final = 64
"""Units of a layer instead of 512: about 20 times as many steps in the same time."""
_INTERVAL: Final = 5
"""Steps from one measurement to the next."""
_BATCHES: Final = 12
"""Batches that are measured after training, and that statistics are estimated again from."""
_NORMS: Final = ("norm_input", "norm_state", "norm_dense", "norm_output")


class NormalisedTriplets(TripletSampler):
    """Random triplets of normalised windows; every node has the profile of its first hour of normal traffic."""

    def __init__(self, training: TrainingSet, population: Profile, rng: np.random.Generator) -> None:
        super().__init__(training, rng)
        self._kinds = training.kinds
        self._minutes = [self._normalised(index, population) for index in range(len(training.nodes))]

    @property
    def width(self) -> int:
        """2 F: z-scores and deviations."""
        return CHANNELS * super().width

    def window_at(self, node: int, end: int) -> Float32Array:
        """(W, 2 F)."""
        return self._minutes[node][end - self.window + 1 : end + 1]

    def _normalised(self, index: int, population: Profile) -> Float32Array:
        node, kinds = self.nodes[index], self._kinds
        hour = int(node.normal_hours[0])
        inputs = node.inputs(0, len(node.series), kinds, node.profile(hour, hour + self.window, kinds), population)
        # Values of the single minute come first; the 2017 baseline had no trailing means.
        return inputs[:, : self.width].copy()


class OneNetworkTriplets:
    """Random triplets from one random network in each batch, as from a generator that reads file by file."""

    def __init__(
        self, make: Callable[[TrainingSet], TripletSampler], training: TrainingSet, rng: np.random.Generator
    ) -> None:
        """Networks with a single condition are left out: they have no triplet."""
        parts = [training.select(frozenset({name})) for name in training.networks]
        self._each = [
            make(part) for part in parts if len({code for node in part.nodes for code in node.code} - {-1}) > 1
        ]
        self._rng = rng

    def draw(self, size: int) -> tuple[Float32Array, Float32Array, Float32Array]:
        """As `TripletSampler.draw`."""
        return self._each[self._rng.integers(len(self._each))].draw(size)


@dataclass(frozen=True, slots=True)
class TrainingVariant:
    """How the network is trained.

    - `mixed`: batches mix all networks; else each batch is from one network.
    - `normalised`: input is normalised; else raw.
    - `batch_normed`: BatchNorm; else LayerNorm.
    - `hidden`: units of a layer.
    """

    mixed: bool = True
    normalised: bool = False
    batch_normed: bool = True
    hidden: int = NARROW


class BatchLoss(NamedTuple):
    """Loss and share of satisfied triplets of a batch: in training mode with its own statistics, and in inference mode."""

    loss_training: float
    satisfied: float
    loss_inference: float
    satisfied_inference: float


class ObservedTask(ReferenceTask):
    """The training of the 2017 baseline with measurements on the way: `losses` holds (step, BatchLoss)."""

    def __init__(
        self, train: TrainingSet, held_out: TrainingSet, rng: np.random.Generator, variant: TrainingVariant
    ) -> None:
        self._population = (
            population_profile([node.full_profile for node in train.nodes], train.kinds) if variant.normalised else None
        )
        super().__init__(train, held_out, rng, hidden=variant.hidden)
        self.mixed = self.sampler
        if not variant.mixed:
            self.sampler = OneNetworkTriplets(self.make_sampler, train, rng)
        if not variant.batch_normed:
            for name in _NORMS:
                setattr(self.network, name, layer_norm(getattr(self.network, name)))
        self.steps = 0
        self.losses: list[tuple[int, BatchLoss]] = []

    def make_sampler(self, training: TrainingSet) -> TripletSampler:
        """Triplets of raw or of normalised windows."""
        if self._population is None:
            return super().make_sampler(training)
        return NormalisedTriplets(training, self._population, self.rng)

    def step(self, done: float) -> Step:
        """Every few steps, measure first."""
        if self.steps % _INTERVAL == 0:
            self.losses.append((self.steps, self.measure()))
        self.steps += 1
        return super().step(done)

    def measure(self) -> BatchLoss:
        """On a batch drawn for it, without changing the network."""
        towers = _towers(self.sampler)
        return BatchLoss(*self._measured(towers, training=True), *self._measured(towers, training=False))

    def satisfied_mixed(self) -> float:
        """The share of satisfied triplets in inference mode, for a batch from all networks, whatever the training uses."""
        return self._measured(_towers(self.mixed), training=False)[1]

    def reestimate(self) -> None:
        """Estimate the running statistics again, as the mean over mixed batches; the weights stay."""
        for module in self.network.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.reset_running_stats()
                module.momentum = None
        with torch.no_grad():
            for _ in range(_BATCHES):
                self.network(torch.cat(_towers(self.mixed)))

    @torch.no_grad()
    def _measured(self, towers: Sequence[Tensor], *, training: bool) -> tuple[float, float]:
        """(loss, share of satisfied triplets)."""
        # A copy, because training mode would change the running statistics.
        network = copy.deepcopy(self.network).train(training)
        anchor, positive, negative = (network(windows) for windows in towers)
        satisfied = 1 - count_violations(anchor, positive, negative) / BATCH
        return triplet(anchor, positive, negative).item(), satisfied


def _towers(triplets: TripletSource) -> list[Tensor]:
    return [tensor(windows) for windows in triplets.draw(BATCH)]


class GapMeasurement(EveryTrial):
    """A training variant that is measured during and after training."""

    def __init__(self, name: str, variant: TrainingVariant) -> None:
        self.name, self._variant = name, variant

    def figures(self, prepared: PreparedTrial) -> dict[str, Any]:
        """Losses and scores after training, before and after statistics are estimated again, and the measurements on the way."""
        data = prepared.data
        rng = np.random.default_rng(data.seed)
        with seeded(data.seed, torch.device("cpu")):
            task = ObservedTask(*_divided(prepared), rng, self._variant)
            until = time.thread_time() + data.seconds
            while time.thread_time() < until:
                task.step(0)
            figures = _final_figures(task) | {"sampled_f1": task.validate()}
            if self._variant.batch_normed:
                task.reestimate()
                reestimated = _final_figures(task)
                figures |= {
                    "loss_reestimated": reestimated["loss_inference"],
                    "satisfied_reestimated": reestimated["satisfied_inference"],
                    "sampled_f1_reestimated": task.validate(),
                }
        return figures | {"steps": task.steps, "looks": _history(task)}


def _divided(prepared: PreparedTrial) -> tuple[TrainingSet, TrainingSet]:
    """(networks to train on, held-out networks), the same as for every encoder."""
    all_networks = training_set(*prepared.data.train, prepared.model.catalogue, window=prepared.model.window)
    trained = frozenset(str(name) for name in prepared.data.split.train["network"].unique())
    return all_networks.select(trained), all_networks.select(frozenset(all_networks.networks) - trained)


def _final_figures(task: ObservedTask) -> dict[str, float]:
    """Means over some batches, by the fields of BatchLoss, and the share for mixed batches."""
    means = np.mean([task.measure() for _ in range(_BATCHES)], axis=0).tolist()
    mixed = np.mean([task.satisfied_mixed() for _ in range(_BATCHES)])
    return dict(zip(BatchLoss._fields, means, strict=True)) | {"satisfied_mixed": float(mixed)}


def _history(task: ObservedTask) -> dict[str, list[float]]:
    """The measurements on the way by field of BatchLoss, and their steps."""
    steps, losses = zip(*task.losses, strict=True)
    columns = dict(zip(BatchLoss._fields, zip(*losses, strict=True), strict=True))
    return {"step": [*steps], **{name: [round(value, 4) for value in column] for name, column in columns.items()}}


_VARIANTS: Final = {
    "raw": TrainingVariant(),
    "raw, one network": TrainingVariant(mixed=False),
    "raw, layer norm": TrainingVariant(batch_normed=False),
    "normalised": TrainingVariant(normalised=True),
    "normalised, one network": TrainingVariant(normalised=True, mixed=False),
    "normalised, layer norm": TrainingVariant(normalised=True, batch_normed=False),
    "raw, 512 units": TrainingVariant(hidden=HIDDEN),
}
GAP_MEASUREMENTS: Final = tuple(GapMeasurement(name, variant) for name, variant in _VARIANTS.items())
