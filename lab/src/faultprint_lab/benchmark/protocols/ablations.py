"""The default preset with one part taken away at a time, in training or in use.

A part of the network is taken away by holding the weights behind it at zero from the first step on, so that everything else,
the exported graph included, stays what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from faultprint.cases.enrol import Example
from faultprint.cases.scope import EvaluationScope
from faultprint.embedding.model import NodeBaseline
from faultprint.training.data.dataset import TrainingSet
from faultprint.training.models.pooled_task import PooledTask
from faultprint.training.networks.pooled import PooledNetwork
from faultprint.training.train import PRESETS, Preset
from faultprint_lab.baselines.systems import ModelSpace, Nearest, System
from faultprint_lab.benchmark.competitors.competitor import BenchmarkSplit, Competitor, EveryTrial, FittedSystem
from faultprint_lab.benchmark.competitors.encoders import Encoder, ReferenceMatching, population_baseline_of

Part = Callable[[PooledNetwork], tuple[nn.Parameter, tuple[slice, ...]]]
"""Network → a weight, and where in it the part lies."""


def _inputs(channel: int) -> Part:
    def where(network: PooledNetwork) -> tuple[nn.Parameter, tuple[slice, ...]]:
        half = network.inputs // 2
        return network.first.weight, (slice(None), slice(channel * half, (channel + 1) * half))

    return where


def _trailing(network: PooledNetwork) -> tuple[nn.Parameter, tuple[slice, ...]]:
    return network.first.weight, (slice(1, None),)


def _pooled(block: int) -> Part:
    def where(network: PooledNetwork) -> tuple[nn.Parameter, tuple[slice, ...]]:
        size = len(network.spans) * network.code
        return network.get_parameter("head_first.weight"), (slice(None), slice(block * size, (block + 1) * size))

    return where


PARTS: Final[Mapping[str, Part]] = {
    "no surprise": _inputs(0),
    "no departure": _inputs(1),
    "no trailing means": _trailing,
    "no maximum": _pooled(0),
    "no mean": _pooled(1),
    "no last minute": _pooled(2),
}


class Pruned(PooledTask):
    """The default training with a part of the network held at zero."""

    def __init__(self, train: TrainingSet, held_out: TrainingSet, rng: np.random.Generator, *, part: Part) -> None:
        super().__init__(train, held_out, rng)
        for network in (self.learning, self.network):
            weight, where = part(network)
            with torch.no_grad():
                weight[where] = 0
        weight, where = part(self.learning)
        kept = torch.ones_like(weight)
        kept[where] = 0
        weight.register_hook(lambda gradient: gradient * kept)  # type: ignore[no-untyped-call]


class _Nothing(nn.Module):
    """A loss that asks for nothing."""

    def forward(self, vectors: Tensor, labels: Tensor) -> Tensor:
        return vectors.new_zeros(())


class WithoutPrototypes(PooledTask):
    """The default training by pairs and triplets alone."""

    def __init__(self, train: TrainingSet, held_out: TrainingSet, rng: np.random.Generator) -> None:
        super().__init__(train, held_out, rng)
        self.prototypes = _Nothing()  # type: ignore[assignment]


class WithoutGeneral(PooledTask):
    """The default training, and nothing beside what it has learnt."""

    looks_generally = False


_WHOLE: Final = replace(PRESETS["default"], tunable=False)
TRAINED: Final[Mapping[str, Preset]] = {
    **{name: replace(_WHOLE, task=partial(Pruned, part=part)) for name, part in PARTS.items()},
    "no prototypes": replace(_WHOLE, task=WithoutPrototypes),
    "no general eye": replace(_WHOLE, task=WithoutGeneral),
}


class Unmoved(ModelSpace):
    """Vectors minus a mean that is the same for all nodes."""

    def normal(self, place: EvaluationScope) -> NodeBaseline:
        assert self.stranger is not None
        return replace(super().normal(place), mean=self.stranger.mean)


class Unprofiled(ModelSpace):
    """Every node under the population's profile; its own normal mean is subtracted."""

    def normal(self, place: EvaluationScope) -> NodeBaseline:
        assert self.stranger is not None
        usual = EvaluationScope(place.series, place.baseline_minutes, np.flatnonzero(place.baseline_minutes), 0)
        return NodeBaseline(self.stranger.profile, self.embed(usual, self.stranger).mean(axis=0))


class InUse(EveryTrial):
    """The default model, used otherwise."""

    def __init__(self, name: str, space: type[ModelSpace]) -> None:
        self.name, self._space = name, space

    def learn(self, school: BenchmarkSplit) -> FittedSystem:
        return ReferenceMatching(
            self._space(self.name, school.model, population_baseline_of(school.model, school)), school.known
        )


class EveryReference(EveryTrial):
    """The default model, with every example of the lessons as a reference instead of a typical one a fault."""

    name = "every reference"

    def learn(self, school: BenchmarkSplit) -> FittedSystem:
        return _All(ModelSpace(self.name, school.model, population_baseline_of(school.model, school)), school.known)


class _All:
    pooled = False

    def __init__(self, space: ModelSpace, known: Sequence[Example]) -> None:
        self._space, self._known = space, list(known)

    def system(self, given: Sequence[Example]) -> System:
        return Nearest.of(self._space, [*self._known, *given])


ABLATIONS: Final[tuple[Competitor, ...]] = (
    *(Encoder(name, name, TRAINED) for name in TRAINED),
    InUse("no arithmetic", Unmoved),
    InUse("no profile", Unprofiled),
    EveryReference(),
)
