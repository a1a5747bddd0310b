"""The default encoder, made or taught as the posts' was, one thing at a time; everything else stays.

All but `default` and `batch norm` learn by triplets alone, so that what is compared is which triplets, how many numbers, what
bounds them, and which loss.
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
from faultprint.training.losses.mining import hardest_triplets, random_triplets
from faultprint.training.losses.triplet import lossless, triplet, violating
from faultprint.training.models.pooled_task import PooledTask
from faultprint.training.networks.layers import SigmoidLinear, UnitLinear, batch_norm, linear
from faultprint.training.networks.pooled import DIMENSIONS
from faultprint.training.train import PRESETS, Preset
from faultprint_lab.benchmark.cache import version
from faultprint_lab.benchmark.competitors.competitor import BenchmarkSplit
from faultprint_lab.benchmark.competitors.encoders import Encoder
from faultprint_lab.benchmark.prepared import PreparedTrial
from faultprint_lab.benchmark.trial_run import run_trial

Loss = Callable[[Tensor, Tensor], BatchAll]


@dataclass(frozen=True, slots=True)
class AnySettings(Hyperparameters):
    """Settings that may lie outside of what a user may choose: vectors of three numbers."""

    def __post_init__(self) -> None:
        """Nothing is refused."""


class Variant(PooledTask):
    """The default training with vectors of so many `dimensions` out of a last layer of the kind `bound`.

    They are taught by `loss` alone, without it by the default's own, `moved` by their node's normal or as they are.
    `batch_normed`: every LayerNorm gives its place to a BatchNorm. The general eye is left out, for it
    would answer in their place.
    """

    looks_generally = False

    def __init__(
        self,
        train: TrainingSet,
        held_out: TrainingSet,
        rng: np.random.Generator,
        *,
        dimensions: int = DIMENSIONS,
        bound: type[nn.Linear] = nn.Linear,
        loss: Loss | None = None,
        moved: bool = True,
        batch_normed: bool = False,
    ) -> None:
        super().__init__(train, held_out, rng, settings=AnySettings(dimensions=dimensions))
        self._by, self.moved = loss, moved
        for network in (self.learning, self.network):
            network.head_second = linear(bound, network.head_second)
            if batch_normed:
                network.norm = batch_norm(network.norm)  # type: ignore[assignment]
                network.head_norm = batch_norm(network.head_norm)  # type: ignore[assignment]

    def loss(self, vectors: Tensor, code: Tensor) -> BatchAll:
        """By the variant's own."""
        return self._by(vectors, code) if self._by else super().loss(vectors, code)


def _of(vectors: Tensor, triples: tuple[Tensor, Tensor, Tensor], loss: Callable[..., Tensor]) -> BatchAll:
    anchor, positive, negative = (vectors[index] for index in triples)
    if not len(anchor):
        return BatchAll(0 * vectors.sum(), 0, 0)
    return BatchAll(loss(anchor, positive, negative), len(anchor), violating(anchor, positive, negative))


def by_random(vectors: Tensor, code: Tensor, loss: Callable[..., Tensor] = triplet) -> BatchAll:
    """As many random triplets as take up each window about once."""
    return _of(vectors, random_triplets(code, len(code) // 3), loss)


def by_hardest(vectors: Tensor, code: Tensor) -> BatchAll:
    """One triplet an anchor, the hardest."""
    return _of(vectors, hardest_triplets(vectors, code), triplet)


by_lossless: Final = partial(by_random, loss=lossless)
"""Of vectors within [0, 1]."""
_SIGMOIDS: Final[Mapping[str, Any]] = {"bound": SigmoidLinear, "moved": False}

_HOW: Final[Mapping[str, dict[str, Any]]] = {
    "random triplets": {"loss": by_random},
    "every triplet": {"loss": batch_all},
    "hardest triplets": {"loss": by_hardest},
    "3 numbers": {"loss": batch_all, "dimensions": 3},
    "8 numbers": {"loss": batch_all, "dimensions": 8},
    "16 numbers": {"loss": batch_all, "dimensions": 16},
    "sigmoid": {"loss": batch_all, "bound": SigmoidLinear},
    "unit sphere": {"loss": batch_all, "bound": UnitLinear},
    "sigmoid, random": {"loss": by_random, **_SIGMOIDS},
    "sigmoid, lossless": {"loss": by_lossless, **_SIGMOIDS},
    "3 sigmoids, random": {"loss": by_random, "dimensions": 3, **_SIGMOIDS},
    "3 sigmoids, lossless": {"loss": by_lossless, "dimensions": 3, **_SIGMOIDS},
    "batch norm": {"batch_normed": True},
}
VARIANTS: Final[Mapping[str, Preset]] = {
    "default": PRESETS["default"],
    **{name: replace(PRESETS["default"], task=partial(Variant, **how), tunable=False) for name, how in _HOW.items()},
}


def own_code(school: BenchmarkSplit, preset: str) -> BenchmarkSplit:
    """The school for a preset that is made here: what is kept in the cache depends on this source, too."""
    if preset in PRESETS:
        return school
    return replace(school, identity={**school.identity, "code": version(("faultprint_lab.benchmark.puzzles",))})


class Taught(Encoder):
    """A variant as a contender, that tells of its training, too."""

    def figures(self, setting: PreparedTrial) -> dict[str, Any]:
        """What every contender is asked, and the share of triplets that were satisfied, epoch by epoch."""
        school = own_code(setting.school, self.preset)
        student = self.learn(school)
        satisfied = [1 - epoch["active_share"] for epoch in self.model(school).manifest.training["epochs"]]
        return run_trial(student, setting) | {"satisfied": satisfied[-1], "satisfied_by_epoch": satisfied}


TAUGHT: Final = tuple(Taught(name, name, VARIANTS) for name in VARIANTS)
