"""King − man + woman: does a fault change the vectors of one network in the same way as those of another?

For networks A and B that both had a fault, v(fault at A) − v(normal at A) + v(normal at B) should be nearest to
v(fault at B) among the vectors of all conditions of B, including normal. Without the arithmetic, v(fault at A) itself is
compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations
from typing import Any, Final

import numpy as np
import polars as pl

from faultprint.arrays import Float32Array
from faultprint.cases.scope import EvaluationScope
from faultprint.evaluation.metrics import CLEAR_WINDOWS
from faultprint.evaluation.truth import truth_of_windows
from faultprint.tables import NORMAL
from faultprint.training.data.dataset import TrainingNode, TrainingSet
from faultprint.training.models.pooled_task import PooledTask
from faultprint.training.models.reference_task import ReferenceTask
from faultprint.training.presets import PRESETS, Preset
from faultprint.windows.levels import FeatureKinds
from faultprint.windows.profile import MIN_PROFILE_MINUTES, Profile, population_profile
from faultprint_lab.baselines.systems import ModelSpace
from faultprint_lab.benchmark.competitors.encoders import EncoderCompetitor, population_baseline_of
from faultprint_lab.benchmark.prepared import PreparedTrial
from faultprint_lab.benchmark.protocols.ablations import CommonProfile
from faultprint_lab.benchmark.puzzles.batchnorm_gap import NARROW
from faultprint_lab.benchmark.puzzles.variants import with_code_version

WINDOWS: Final = 16
"""Windows whose mean is the vector of a condition at a node: the network of the 2017 baseline is slow."""


@dataclass(frozen=True, slots=True)
class PopulationNode(TrainingNode):
    """A node with the population's profile instead of its own."""

    population: Profile

    def profile(self, start: int, stop: int, kinds: FeatureKinds, least: int = MIN_PROFILE_MINUTES) -> Profile:
        """The population's profile, whatever the minutes."""
        return self.population


class OneProfileTask(PooledTask):
    """The default training on input that is normalised by one profile for all nodes, without the pretrained encoder."""

    use_pretrained = False

    def __init__(self, train: TrainingSet, held_out: TrainingSet, rng: np.random.Generator) -> None:
        population = population_profile([node.full_profile for node in train.nodes], train.kinds)
        super().__init__(_with_population(train, population), _with_population(held_out, population), rng)


def _with_population(training: TrainingSet, population: Profile) -> TrainingSet:
    fields = TrainingNode.__slots__
    nodes = [
        PopulationNode(**{name: getattr(node, name) for name in fields}, population=population)
        for node in training.nodes
    ]
    return replace(training, nodes=tuple(nodes))


@dataclass(frozen=True, slots=True)
class NodeVectors:
    """A node: the mean vector of its `normal` hour (D,), and the mean vector of each of its conditions (D,)."""

    network: str
    normal: Float32Array
    conditions: Mapping[str, Float32Array]


def node_vectors(space: ModelSpace, scope: EvaluationScope, true_conditions: pl.DataFrame) -> NodeVectors:
    """Means over up to WINDOWS clear windows of each condition, evenly spaced."""
    clear = truth_of_windows(true_conditions, scope).select(pl.when(CLEAR_WINDOWS).then("truth"))
    truth = np.array(clear["truth"].to_list(), dtype=object)
    baseline = space.baseline(scope)
    conditions = {}
    for condition in sorted({*truth.tolist()} - {None}):
        rows = np.flatnonzero(truth == condition)
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, WINDOWS).astype(np.int64))]
        windows = replace(scope, last_minutes=scope.last_minutes[rows])
        conditions[str(condition)] = space.embed(windows, baseline).mean(axis=0)
    return NodeVectors(scope.series.network, baseline.mean, conditions)


def transfer_shares(nodes: Sequence[NodeVectors]) -> dict[str, float | int | None]:
    """The share of faults that transfer between nodes of different networks: with the arithmetic, without it, by chance."""
    moved, unmoved, chance = [], [], []
    for a, b in permutations(nodes, 2):
        if a.network == b.network:
            continue
        names_at_b = list(b.conditions)
        points = np.stack([b.conditions[name] for name in names_at_b])
        for fault in sorted({*a.conditions} & {*names_at_b} - {NORMAL}):
            v = a.conditions[fault]
            moved.append(names_at_b[_nearest(v - a.normal + b.normal, points)] == fault)
            unmoved.append(names_at_b[_nearest(v, points)] == fault)
            chance.append(1 / len(names_at_b))
    figures = ("carried", "carried_unmoved", "carried_by_chance")
    shares = (float(np.mean(column)) if column else None for column in (moved, unmoved, chance))
    return dict(zip(figures, shares, strict=True)) | {"carries": len(moved)}


def _nearest(v: Float32Array, points: Float32Array) -> int:
    return int(((points - v) ** 2).sum(axis=1).argmin())


class ArithmeticEncoder(EncoderCompetitor):
    """A trained encoder whose vectors are added and subtracted."""

    def __init__(
        self, name: str, preset: str, presets: Mapping[str, Preset] = PRESETS, space: type[ModelSpace] = ModelSpace
    ) -> None:
        super().__init__(name, preset, presets)
        self._space = space

    def figures(self, prepared: PreparedTrial) -> dict[str, Any]:
        """How often a fault transfers."""
        model = self.model(with_code_version(prepared.data, self.preset))
        space = self._space(self.name, model, population_baseline_of(model, prepared.data))
        return transfer_shares([node_vectors(space, scope, prepared.true_conditions) for scope in prepared.scopes])


_FURTHER_PRESETS: Final = {
    "reference-lstm, 64 units": replace(PRESETS["reference-lstm"], task=partial(ReferenceTask, hidden=NARROW)),
    "one profile": replace(PRESETS["default"], task=OneProfileTask, tunable=False),
}
ARITHMETIC_ENCODERS: Final = (
    ArithmeticEncoder("reference-lstm", "reference-lstm"),
    ArithmeticEncoder("reference-lstm, 64 units", "reference-lstm, 64 units", _FURTHER_PRESETS),
    ArithmeticEncoder("default", "default"),
    ArithmeticEncoder("no profile", "default", space=CommonProfile),
    ArithmeticEncoder("one profile", "one profile", _FURTHER_PRESETS, CommonProfile),
)
