"""The default preset with one part removed at a time, in training or in use.

A part of the network is removed by holding its weights at zero from the first step on. Everything else, including the
exported graph, stays as it is.
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
from faultprint.training.presets import PRESETS, Preset
from faultprint_lab.baselines.systems import ModelSpace, NearestReference, System
from faultprint_lab.benchmark.competitors.competitor import BenchmarkSplit, Competitor, EveryTrial, FittedSystem
from faultprint_lab.benchmark.competitors.encoders import EncoderCompetitor, ReferenceMatching, population_baseline_of

NetworkPart = Callable[[PooledNetwork], tuple[nn.Parameter, tuple[slice, ...]]]
"""Network → a weight, and the position of the part in it."""


def _inputs(channel: int) -> NetworkPart:
    def position(network: PooledNetwork) -> tuple[nn.Parameter, tuple[slice, ...]]:
        half = network.inputs // 2
        return network.first.weight, (slice(None), slice(channel * half, (channel + 1) * half))

    return position


def _trailing(network: PooledNetwork) -> tuple[nn.Parameter, tuple[slice, ...]]:
    return network.first.weight, (slice(1, None),)


def _pooled(block: int) -> NetworkPart:
    def position(network: PooledNetwork) -> tuple[nn.Parameter, tuple[slice, ...]]:
        size = len(network.spans) * network.code
        return network.get_parameter("head_first.weight"), (slice(None), slice(block * size, (block + 1) * size))

    return position


PARTS: Final[Mapping[str, NetworkPart]] = {
    "no z-score": _inputs(0),
    "no deviation": _inputs(1),
    "no trailing means": _trailing,
    "no maximum": _pooled(0),
    "no mean": _pooled(1),
    "no last minute": _pooled(2),
}


class PrunedTask(PooledTask):
    """The default training with a part of the network held at zero."""

    def __init__(
        self, train: TrainingSet, held_out: TrainingSet, rng: np.random.Generator, *, part: NetworkPart
    ) -> None:
        super().__init__(train, held_out, rng)
        for network in (self.online_network, self.network):
            weight, position = part(network)
            with torch.no_grad():
                weight[position] = 0
        weight, position = part(self.online_network)
        mask = torch.ones_like(weight)
        mask[position] = 0
        weight.register_hook(lambda gradient: gradient * mask)  # type: ignore[no-untyped-call]


class _ZeroLoss(nn.Module):
    """A loss that is always zero."""

    def forward(self, vectors: Tensor, labels: Tensor) -> Tensor:
        return vectors.new_zeros(())


class WithoutPrototypes(PooledTask):
    """The default training by pairs and triplets only."""

    def __init__(self, train: TrainingSet, held_out: TrainingSet, rng: np.random.Generator) -> None:
        super().__init__(train, held_out, rng)
        self.prototypes = _ZeroLoss()  # type: ignore[assignment]


class WithoutPretrained(PooledTask):
    """The default training without the pretrained encoder."""

    use_pretrained = False


_DEFAULT: Final = replace(PRESETS["default"], tunable=False)
ABLATED_PRESETS: Final[Mapping[str, Preset]] = {
    **{name: replace(_DEFAULT, task=partial(PrunedTask, part=part)) for name, part in PARTS.items()},
    "no prototypes": replace(_DEFAULT, task=WithoutPrototypes),
    "no pretrained encoder": replace(_DEFAULT, task=WithoutPretrained),
}


class CommonMean(ModelSpace):
    """Vectors minus a mean that is the same for all nodes."""

    def baseline(self, scope: EvaluationScope) -> NodeBaseline:
        """The node's baseline with the population's mean."""
        assert self.population_baseline is not None
        return replace(super().baseline(scope), mean=self.population_baseline.mean)


class CommonProfile(ModelSpace):
    """Input that is normalised by the population's profile for all nodes; the node's own normal mean is subtracted."""

    def baseline(self, scope: EvaluationScope) -> NodeBaseline:
        """The population's profile and the node's own mean."""
        assert self.population_baseline is not None
        normal_windows = EvaluationScope(
            scope.series, scope.baseline_minutes, np.flatnonzero(scope.baseline_minutes), 0
        )
        return NodeBaseline(
            self.population_baseline.profile, self.embed(normal_windows, self.population_baseline).mean(axis=0)
        )


class ChangedUse(EveryTrial):
    """The default model, used in another vector space."""

    def __init__(self, name: str, space: type[ModelSpace]) -> None:
        self.name, self._space = name, space

    def fit(self, data: BenchmarkSplit) -> FittedSystem:
        """Enrol the medoid example of each fault."""
        return ReferenceMatching(
            self._space(self.name, data.model, population_baseline_of(data.model, data)), data.examples
        )


class EveryReference(EveryTrial):
    """The default model with every training example as a reference, instead of one medoid for each fault."""

    name = "every reference"

    def fit(self, data: BenchmarkSplit) -> FittedSystem:
        """Enrol all examples."""
        return _AllExamples(ModelSpace(self.name, data.model, population_baseline_of(data.model, data)), data.examples)


class _AllExamples:
    retrains = False

    def __init__(self, space: ModelSpace, examples: Sequence[Example]) -> None:
        self._space, self._examples = space, list(examples)

    def with_examples(self, enrolled: Sequence[Example]) -> System:
        return NearestReference.from_examples(self._space, [*self._examples, *enrolled])


ABLATIONS: Final[tuple[Competitor, ...]] = (
    *(EncoderCompetitor(name, name, ABLATED_PRESETS) for name in ABLATED_PRESETS),
    ChangedUse("no arithmetic", CommonMean),
    ChangedUse("no profile", CommonProfile),
    EveryReference(),
)
