"""What a system must implement to take part in the benchmark: train, then enrol examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl

from faultprint.arrays import BoolArray, IntArray
from faultprint.cases.decision import Rule
from faultprint.cases.enrol import Example, medoid_indices
from faultprint.cases.matching import Matches
from faultprint.cases.scope import EvaluationScope
from faultprint.embedding.model import Model
from faultprint_lab.baselines.compare import TrainingSplit
from faultprint_lab.baselines.recorded import Tables
from faultprint_lab.baselines.systems import SupportsRecovery, System, VectorSpace, mean_vector
from faultprint_lab.benchmark.cache import Cache
from faultprint_lab.benchmark.trials import BenchmarkTrial


@dataclass(frozen=True, slots=True)
class BenchmarkSplit:
    """What every system may train on.

    - `train`: minutes and labels, without labels of hidden faults. `split` is the same, divided into networks that train
      and networks that set thresholds. `examples` are all examples in the first of them.
    - `all_labels`: with the hidden faults; only an oracle may use them.
    - `model`: trained with the default preset; all systems use its catalogue, interval and window.
    - `identity` (JSON): names this data in the cache.
    - `seconds`: time of one core that a system may train for.
    """

    train: Tables
    all_labels: pl.DataFrame
    split: TrainingSplit
    examples: Sequence[Example]
    model: Model
    identity: Mapping[str, Any]
    cache: Cache
    seed: int
    seconds: float


class FittedSystem(Protocol):
    """A trained system, which learns further faults from examples."""

    @property
    def retrains(self) -> bool:
        """Whether new examples mean another training, so that one system must serve all nodes."""
        ...

    def with_examples(self, enrolled: Sequence[Example]) -> System:
        """The system with the faults of the training and the enrolled examples."""
        ...


class Competitor(Protocol):
    """A method that takes part in the benchmark."""

    @property
    def name(self) -> str: ...

    def exclusion_reason(self, trial: BenchmarkTrial) -> str:
        """Why the method takes no part in a trial; empty if it does."""
        ...

    def fit(self, data: BenchmarkSplit) -> FittedSystem:
        """Train on the split."""
        ...


class EveryTrial:
    """Takes part in every trial."""

    def exclusion_reason(self, trial: BenchmarkTrial) -> str:
        """Never any."""
        return ""


class PerNodeSystem:
    """A system for each node, with that node's own examples, and a default for the other nodes."""

    def __init__(self, by_node: Mapping[str, System], default: System) -> None:
        self._by_node, self._default = by_node, default

    @property
    def name(self) -> str:
        return self._default.name

    @property
    def max_ratio(self) -> float:
        return self._default.max_ratio

    def match(self, scope: EvaluationScope) -> Matches:
        return self._system(scope).match(scope)

    def is_recovered(self, scope: EvaluationScope, rule: Rule, ends: IntArray) -> BoolArray:
        """As `SupportsRecovery`; always false where the node's system does not support it."""
        system = self._system(scope)
        if not isinstance(system, SupportsRecovery):
            return np.zeros(len(ends), np.bool_)
        return system.is_recovered(scope, rule, ends)

    def _system(self, scope: EvaluationScope) -> System:
        return self._by_node.get(scope.series.node, self._default)


def medoid_per_condition(space: VectorSpace, candidates: Sequence[Example]) -> list[Example]:
    """For each condition, the example nearest to the others of its condition in this space."""
    vectors = [mean_vector(space, example) for example in candidates]
    chosen = medoid_indices(vectors, [example.enrolment.condition for example in candidates])
    return [candidates[index] for index in chosen]
