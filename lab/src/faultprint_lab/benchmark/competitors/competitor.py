"""What every system has to do to take part: learn, then know conditions by examples."""

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
from faultprint_lab.baselines.systems import Space, SupportsRecovery, System, centre
from faultprint_lab.benchmark.cache import Cache
from faultprint_lab.benchmark.trials import BenchmarkTrial


@dataclass(frozen=True, slots=True)
class BenchmarkSplit:
    """What there is to learn from: `learn`, without the labels of hidden faults; the same as `lessons`, parted into the
    networks that a training learns from and those that it holds out; `known`, every example of the lessons. `told` are the
    labels with the hidden ones, which no contestant may look at.

    `model` is the default preset's, whose catalogue, interval and window all follow; `identity` (JSON) says which lessons
    they are, for the cache; `seconds` of one core are allowed.
    """

    learn: Tables
    told: pl.DataFrame
    lessons: TrainingSplit
    known: Sequence[Example]
    model: Model
    identity: Mapping[str, Any]
    cache: Cache
    seed: int
    seconds: float


class FittedSystem(Protocol):
    """A system that has learnt. One of `given` examples more teaches it a fault that it did not know."""

    @property
    def pooled(self) -> bool:
        """True where being given examples means learning anew, so that one system must serve all nodes' own."""
        ...

    def system(self, given: Sequence[Example]) -> System:
        """With the faults of the lessons, and those given."""
        ...


class Competitor(Protocol):
    """`refuses` says why a trial is not for it; empty if it is."""

    @property
    def name(self) -> str: ...

    def refuses(self, trial: BenchmarkTrial) -> str: ...

    def learn(self, school: BenchmarkSplit) -> FittedSystem: ...


class EveryTrial:
    """Takes part in every trial."""

    def refuses(self, trial: BenchmarkTrial) -> str:
        return ""


class Own:
    """Systems that differ by node: those that were taught by the node's own past."""

    def __init__(self, by_node: Mapping[str, System], else_: System) -> None:
        self._by_node, self._else = by_node, else_

    @property
    def name(self) -> str:
        return self._else.name

    @property
    def loosest(self) -> float:
        return self._else.loosest

    def match(self, place: EvaluationScope) -> Matches:
        return self._of(place).match(place)

    def quiet(self, place: EvaluationScope, rule: Rule, ends: IntArray) -> BoolArray:
        """As `Hindsight`; never where the node's system has none."""
        system = self._of(place)
        return (
            system.quiet(place, rule, ends) if isinstance(system, SupportsRecovery) else np.zeros(len(ends), np.bool_)
        )

    def _of(self, place: EvaluationScope) -> System:
        return self._by_node.get(place.series.node, self._else)


def typical(space: Space, known: Sequence[Example]) -> list[Example]:
    """Of each condition the example that is nearest to its others in this system's own space."""
    chosen = medoid_indices([centre(space, one) for one in known], [one.enrolment.condition for one in known])
    return [known[index] for index in chosen]
