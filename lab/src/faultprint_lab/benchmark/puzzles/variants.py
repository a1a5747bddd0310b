"""The default encoder with design choices of the 2017 baseline, one at a time; everything else stays.

All except `default` and `batch norm` are trained by triplets only, so that the choice of triplets, the number of
dimensions, the bound and the loss can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
from torch import Tensor, nn

from faultprint.training.config import Hyperparameters
from faultprint.training.data.dataset import TrainingSet
from faultprint.training.losses.batch_all import BatchAll, batch_all
from faultprint.training.losses.triplet import count_violations, lossless, triplet
from faultprint.training.models.pooled_task import PooledTask
from faultprint.training.networks.layers import SigmoidLinear, UnitLinear, batch_norm, linear
from faultprint.training.networks.pooled import DIMENSIONS
from faultprint.training.presets import PRESETS, Preset
from faultprint_lab.benchmark.cache import version
from faultprint_lab.benchmark.competitors.competitor import BenchmarkSplit
from faultprint_lab.benchmark.competitors.encoders import EncoderCompetitor
from faultprint_lab.benchmark.prepared import PreparedTrial
from faultprint_lab.benchmark.puzzles.mining import hardest_triplets, random_triplets
from faultprint_lab.benchmark.trial_run import run_trial

Loss = Callable[[Tensor, Tensor], BatchAll]


@dataclass(frozen=True, slots=True)
class UncheckedHyperparameters(Hyperparameters):
    """Hyperparameters outside of the range that users may choose, such as vectors of three numbers."""

    def __post_init__(self) -> None:
        """No check."""


class VariantTask(PooledTask):
    """The default training with other vectors or another loss, without the pretrained encoder.

    - `dimensions` of the vectors, and `bound`: the kind of the last layer.
    - `loss`: used alone; by default the loss of the default preset.
    - `subtract_normal`: the node's normal mean is subtracted in training.
    - `batch_normed`: BatchNorm instead of every LayerNorm.
    """

    use_pretrained = False

    def __init__(
        self,
        train: TrainingSet,
        held_out: TrainingSet,
        rng: np.random.Generator,
        *,
        dimensions: int = DIMENSIONS,
        bound: type[nn.Linear] = nn.Linear,
        loss: Loss | None = None,
        subtract_normal: bool = True,
        batch_normed: bool = False,
    ) -> None:
        super().__init__(train, held_out, rng, hyperparameters=UncheckedHyperparameters(dimensions=dimensions))
        self._variant_loss, self.centered = loss, subtract_normal
        for network in (self.online_network, self.network):
            network.head_second = linear(bound, network.head_second)
            if batch_normed:
                network.norm = batch_norm(network.norm)  # type: ignore[assignment]
                network.head_norm = batch_norm(network.head_norm)  # type: ignore[assignment]

    def loss(self, vectors: Tensor, code: Tensor) -> BatchAll:
        """The loss of the variant."""
        return self._variant_loss(vectors, code) if self._variant_loss else super().loss(vectors, code)


def _triplet_loss(vectors: Tensor, triples: tuple[Tensor, Tensor, Tensor], loss: Callable[..., Tensor]) -> BatchAll:
    anchor, positive, negative = (vectors[index] for index in triples)
    if not len(anchor):
        return BatchAll(0 * vectors.sum(), 0, 0)
    return BatchAll(loss(anchor, positive, negative), len(anchor), count_violations(anchor, positive, negative))


def random_triplet_loss(vectors: Tensor, code: Tensor, loss: Callable[..., Tensor] = triplet) -> BatchAll:
    """Random triplets, as many as use each window about once."""
    return _triplet_loss(vectors, random_triplets(code, len(code) // 3), loss)


def hardest_triplet_loss(vectors: Tensor, code: Tensor) -> BatchAll:
    """One triplet for each anchor, the hardest."""
    return _triplet_loss(vectors, hardest_triplets(vectors, code), triplet)


lossless_triplet_loss: Final = partial(random_triplet_loss, loss=lossless)
"""For vectors within [0, 1]."""
_SIGMOIDS: Final[Mapping[str, Any]] = {"bound": SigmoidLinear, "subtract_normal": False}

_ARGUMENTS: Final[Mapping[str, dict[str, Any]]] = {
    "random triplets": {"loss": random_triplet_loss},
    "batch-all triplets": {"loss": batch_all},
    "batch-hard triplets": {"loss": hardest_triplet_loss},
    "3 dimensions": {"loss": batch_all, "dimensions": 3},
    "8 dimensions": {"loss": batch_all, "dimensions": 8},
    "16 dimensions": {"loss": batch_all, "dimensions": 16},
    "sigmoid": {"loss": batch_all, "bound": SigmoidLinear},
    "unit sphere": {"loss": batch_all, "bound": UnitLinear},
    "sigmoid, random": {"loss": random_triplet_loss, **_SIGMOIDS},
    "sigmoid, lossless": {"loss": lossless_triplet_loss, **_SIGMOIDS},
    "3 sigmoids, random": {"loss": random_triplet_loss, "dimensions": 3, **_SIGMOIDS},
    "3 sigmoids, lossless": {"loss": lossless_triplet_loss, "dimensions": 3, **_SIGMOIDS},
    "batch norm": {"batch_normed": True},
}
VARIANTS: Final[Mapping[str, Preset]] = {
    "default": PRESETS["default"],
    **{
        name: replace(PRESETS["default"], task=partial(VariantTask, **arguments), tunable=False)
        for name, arguments in _ARGUMENTS.items()
    },
}


def with_code_version(data: BenchmarkSplit, preset: str) -> BenchmarkSplit:
    """The split with an identity that covers this code, for a preset that is defined here."""
    if preset in PRESETS:
        return data
    return replace(data, identity={**data.identity, "code": version(("faultprint_lab.benchmark.puzzles",))})


class VariantEncoder(EncoderCompetitor):
    """A variant as a competitor that reports its training as well."""

    def figures(self, prepared: PreparedTrial) -> dict[str, Any]:
        """The figures of every competitor, and the share of satisfied triplets by epoch."""
        data = with_code_version(prepared.data, self.preset)
        fitted = self.fit(data)
        satisfied = [1 - epoch["active_share"] for epoch in self.model(data).manifest.training["epochs"]]
        return run_trial(fitted, prepared) | {"satisfied": satisfied[-1], "satisfied_by_epoch": satisfied}


VARIANT_ENCODERS: Final = tuple(VariantEncoder(name, name, VARIANTS) for name in VARIANTS)
