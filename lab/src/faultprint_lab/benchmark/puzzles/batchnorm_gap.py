"""The BatchNorm gap: the same weights and batch, by the batch's own statistics and by the running ones.

The posts' network learns its random triplets, and on the way both losses are taken. What may open the gap or close it is
varied: whose windows a batch holds, whether the input is raw or minus the node's own normal, and the norm itself.
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
from faultprint.training.data.samplers import Draws, Triplets
from faultprint.training.device import seeded, tensor
from faultprint.training.losses.triplet import triplet, violating
from faultprint.training.models.reference_task import BATCH, ReferenceTask
from faultprint.training.models.task import Step
from faultprint.training.networks.layers import layer_norm
from faultprint.training.networks.reference_lstm import HIDDEN
from faultprint.windows.normalise import CHANNELS
from faultprint.windows.profile import Profile, population
from faultprint_lab.benchmark.competitors.competitor import EveryTrial
from faultprint_lab.benchmark.prepared import PreparedTrial

NARROW: Final = 64
"""Units of a layer where the posts have 512: some twenty times as many steps in the same seconds."""
_EVERY: Final = 5
"""Steps between two looks."""
_BATCHES: Final = 12
"""Batches looked at when training is over, and drawn to take statistics anew."""
_NORMS: Final = ("norm_input", "norm_state", "norm_dense", "norm_output")


class NormalisedTriplets(Triplets):
    """Random triplets of windows minus the node's normal: every node under the profile of its first hour of normal traffic."""

    def __init__(self, material: TrainingSet, people: Profile, rng: np.random.Generator) -> None:
        super().__init__(material, rng)
        self._kinds = material.kinds
        self._minutes = [self._made(index, people) for index in range(len(material.nodes))]

    @property
    def width(self) -> int:
        """2 F: how sure a departure is, and how far it goes."""
        return CHANNELS * super().width

    def window_at(self, node: int, end: int) -> Float32Array:
        """(W, 2 F)."""
        return self._minutes[node][end - self.window + 1 : end + 1]

    def _made(self, index: int, people: Profile) -> Float32Array:
        node, kinds = self.nodes[index], self._kinds
        hour = int(node.hours[0])
        inputs = node.inputs(0, len(node.series), kinds, node.profile(hour, hour + self.window, kinds), people)
        # The minute by itself comes first; trailing means are no input of the posts' network.
        return inputs[:, : self.width].copy()


class OneNetwork:
    """Random triplets of one network a batch, another at random each time: how a generator that goes file by file feeds."""

    def __init__(self, of: Callable[[TrainingSet], Triplets], material: TrainingSet, rng: np.random.Generator) -> None:
        """Networks with a single condition are left out: they have no triplet."""
        parts = [material.of(frozenset({name})) for name in material.networks]
        self._each = [of(part) for part in parts if len({code for node in part.nodes for code in node.code} - {-1}) > 1]
        self._rng = rng

    def draw(self, size: int) -> tuple[Float32Array, Float32Array, Float32Array]:
        """As `Triplets.draw`."""
        return self._each[self._rng.integers(len(self._each))].draw(size)


@dataclass(frozen=True, slots=True)
class Way:
    """Of training the posts' network: `mixed` batches or one network a batch, `normalised` input or raw, `batch_normed` or
    under LayerNorm, `hidden` units a layer."""

    mixed: bool = True
    normalised: bool = False
    batch_normed: bool = True
    hidden: int = NARROW


class Look(NamedTuple):
    """The loss of a batch in training mode, by its own statistics, and the share of its triplets that violate no margin; the same
    by the same weights in inference mode, by the running statistics."""

    loss_training: float
    satisfied: float
    loss_inference: float
    satisfied_inference: float


class WatchedTraining(ReferenceTask):
    """The posts' training, one `way` or another, looked at as it goes: `looks` are (step, look)."""

    def __init__(self, train: TrainingSet, held_out: TrainingSet, rng: np.random.Generator, way: Way) -> None:
        self._people = population([node.whole for node in train.nodes], train.kinds) if way.normalised else None
        super().__init__(train, held_out, rng, hidden=way.hidden)
        self.mixed = self.triplets
        if not way.mixed:
            self.triplets = OneNetwork(self.triplets_of, train, rng)
        if not way.batch_normed:
            for name in _NORMS:
                setattr(self.network, name, layer_norm(getattr(self.network, name)))
        self.steps = 0
        self.looks: list[tuple[int, Look]] = []

    def triplets_of(self, material: TrainingSet) -> Triplets:
        """Of raw windows, or of normalised ones."""
        if self._people is None:
            return super().triplets_of(material)
        return NormalisedTriplets(material, self._people, self.rng)

    def step(self, done: float) -> Step:
        """Every few steps, a look first."""
        if self.steps % _EVERY == 0:
            self.looks.append((self.steps, self.look()))
        self.steps += 1
        return super().step(done)

    def look(self) -> Look:
        """On a batch drawn for it, without changing the network."""
        towers = _towers(self.triplets)
        return Look(*self._judged(towers, training=True), *self._judged(towers, training=False))

    def look_at_mixed(self) -> float:
        """The share of satisfied triplets of a batch mixed of all networks, whatever is fed, in inference mode."""
        return self._judged(_towers(self.mixed), training=False)[1]

    def reestimate(self) -> None:
        """Take the running statistics anew: the mean over mixed batches, the weights as they are."""
        for module in self.network.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.reset_running_stats()
                module.momentum = None
        with torch.no_grad():
            for _ in range(_BATCHES):
                self.network(torch.cat(_towers(self.mixed)))

    @torch.no_grad()
    def _judged(self, towers: Sequence[Tensor], *, training: bool) -> tuple[float, float]:
        """(loss, share of satisfied triplets)."""
        # A copy: in training mode the running statistics would move.
        network = copy.deepcopy(self.network).train(training)
        anchor, positive, negative = (network(windows) for windows in towers)
        satisfied = 1 - violating(anchor, positive, negative) / BATCH
        return triplet(anchor, positive, negative).item(), satisfied


def _towers(triplets: Draws) -> list[Tensor]:
    return [tensor(windows) for windows in triplets.draw(BATCH)]


class Gap(EveryTrial):
    """A way of training as an entrant that is looked at while it learns and when it has learnt."""

    def __init__(self, name: str, way: Way) -> None:
        self.name, self._way = name, way

    def figures(self, setting: PreparedTrial) -> dict[str, Any]:
        """The losses and the score at the end, before and after the statistics are taken anew, and the looks on the way."""
        school = setting.school
        rng = np.random.default_rng(school.seed)
        with seeded(school.seed, torch.device("cpu")):
            task = WatchedTraining(*_parted(setting), rng, self._way)
            until = time.thread_time() + school.seconds
            while time.thread_time() < until:
                task.step(0)
            found = _closing(task) | {"sampled_f1": task.validate()}
            if self._way.batch_normed:
                task.reestimate()
                again = _closing(task)
                found |= {
                    "loss_reestimated": again["loss_inference"],
                    "satisfied_reestimated": again["satisfied_inference"],
                    "sampled_f1_reestimated": task.validate(),
                }
        return found | {"steps": task.steps, "looks": _course(task)}


def _parted(setting: PreparedTrial) -> tuple[TrainingSet, TrainingSet]:
    """(trained on, held out), the same networks as for every encoder."""
    everything = training_set(*setting.school.learn, setting.model.catalogue, window=setting.model.window)
    taught = frozenset(str(name) for name in setting.school.lessons.taught["network"].unique())
    return everything.of(taught), everything.of(frozenset(everything.networks) - taught)


def _closing(task: WatchedTraining) -> dict[str, float]:
    """Means over some batches, by the names of a look, and that of mixed ones."""
    means = np.mean([task.look() for _ in range(_BATCHES)], axis=0).tolist()
    mixed = np.mean([task.look_at_mixed() for _ in range(_BATCHES)])
    return dict(zip(Look._fields, means, strict=True)) | {"satisfied_mixed": float(mixed)}


def _course(task: WatchedTraining) -> dict[str, list[float]]:
    """The looks on the way, by the names of a look, and the steps at which they were taken."""
    steps, looks = zip(*task.looks, strict=True)
    columns = dict(zip(Look._fields, zip(*looks, strict=True), strict=True))
    return {"step": [*steps], **{name: [round(value, 4) for value in column] for name, column in columns.items()}}


_WAYS: Final = {
    "raw": Way(),
    "raw, one network": Way(mixed=False),
    "raw, layer norm": Way(batch_normed=False),
    "normalised": Way(normalised=True),
    "normalised, one network": Way(normalised=True, mixed=False),
    "normalised, layer norm": Way(normalised=True, batch_normed=False),
    "raw, 512 units": Way(hidden=HIDDEN),
}
GAPS: Final = tuple(Gap(name, way) for name, way in _WAYS.items())
