"""The systems that are compared: each turns a node's windows into distances to conditions.

All are given the same minutes, the same normal minutes of the node and the same windows, and their distances
go through the same rule (`cases.decision`), calibrated in the same way (`cases.calibration`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol, runtime_checkable

import numpy as np

from faultprint.arrays import BoolArray, Float32Array, Float64Array, IntArray
from faultprint.cases.calibration import matcher_for, min_norm
from faultprint.cases.decision import Rule
from faultprint.cases.enrol import Example
from faultprint.cases.matching import Matcher, Matches
from faultprint.cases.recovery import is_recovered
from faultprint.cases.reference import Reference
from faultprint.cases.scope import EvaluationScope
from faultprint.embedding.model import SHORTEST_OF_NORMAL, Model, NodeBaseline
from faultprint.errors import UsageError
from faultprint.windows.profile import LEAST_MINUTES
from faultprint_lab.baselines.summary import Summaries

REACH: Final = 120
"""Minutes up to a window's last that a system may look at: the window, and the trailing means of its first minute."""


class System(Protocol):
    """Something that knows conditions."""

    @property
    def name(self) -> str: ...

    @property
    def loosest(self) -> float:
        """The largest `closer` that has a sense for its distances (`cases.calibration`)."""
        ...

    def match(self, place: EvaluationScope) -> Matches:
        """Distances of the windows that end at `place.ends`."""
        ...


@runtime_checkable
class SupportsRecovery(Protocol):
    """A system that can judge the last minutes by themselves (`cases.clearing`)."""

    def quiet(self, place: EvaluationScope, rule: Rule, ends: IntArray) -> BoolArray:
        """(N,) whether the minutes that end at `ends` claim to be normal."""
        ...


class Space(Protocol):
    """Where windows are vectors, and a node's normal traffic is the origin."""

    @property
    def name(self) -> str: ...

    def vectors(self, place: EvaluationScope) -> Float32Array:
        """(N, D) float32 of the windows that end at `place.ends`."""
        ...


class ModelSpace:
    """A model's vectors, minus the node's normal mean: what the product does.

    `stranger` stands for the normal of nodes of which no normal traffic is known.
    """

    def __init__(self, name: str, model: Model, stranger: NodeBaseline | None = None) -> None:
        self.name, self.model, self.stranger = name, model, stranger

    def vectors(self, place: EvaluationScope) -> Float32Array:
        """Raises UsageError where no normal traffic is known, and nothing stands for it."""
        own = self.normal(place)
        return self.embed(place, own) - own.mean

    def normal(self, place: EvaluationScope) -> NodeBaseline:
        """The node's normal, from as little as is known."""
        if known := int(np.count_nonzero(place.baseline_minutes & place.series.observed)):
            return self.model.baseline(place.series, place.baseline_minutes, min(known, LEAST_MINUTES))
        if self.stranger is None:
            raise UsageError(f"Of node {place.series.node!r} no normal traffic is known; mark some.")
        return self.stranger

    def embed(self, place: EvaluationScope, own: NodeBaseline) -> Float32Array:
        """(N, D) float32, from the space's own origin."""
        return self.model.embed(place.series, own.profile, ends=place.last_minutes).vectors


class SummarySpace:
    """Summaries minus the mean of the node's normal ones, features scaled by their spread in training."""

    name = "1-nn"

    def __init__(self, summaries: Summaries, scale: Float32Array) -> None:
        """`scale` (S,): spread of each summary feature."""
        self.summaries = summaries
        self._scale = np.maximum(scale, np.float32(1e-3))

    def vectors(self, place: EvaluationScope) -> Float32Array:
        """Without normal traffic the summaries themselves, which are departures from the population's normal."""
        normal = place.baseline_minutes & place.series.observed
        # As in `embedding.model`, windows of the normal stretch count from half an hour of history.
        history = np.convolve(normal, np.ones(self.summaries.window, np.int64))[: len(normal)]
        usual = np.flatnonzero(normal & (history >= min(SHORTEST_OF_NORMAL, int(normal.sum()))))
        found = self.summaries(
            EvaluationScope(place.series, place.baseline_minutes, np.append(place.last_minutes, usual), place.begin)
        )
        mean = found[len(place.last_minutes) :].mean(axis=0) if len(usual) else np.zeros(found.shape[1], np.float32)
        return np.asarray((found[: len(place.last_minutes)] - mean) / self._scale, np.float32)


class Nearest:
    """The nearest reference of each condition in a space; `normal` is its origin."""

    def __init__(self, space: Space, matcher: Matcher, loosest: float = 1.0) -> None:
        self.space, self.matcher, self.loosest = space, matcher, loosest

    @property
    def name(self) -> str:
        return self.space.name

    @classmethod
    def of(cls, space: Space, taught: Sequence[Example]) -> Nearest:
        """One reference an example: the mean vector of its windows."""
        vectors = [centre(space, one) for one in taught]
        return cls(space, Matcher(np.stack(vectors), [one.enrolment.condition for one in taught], least_of(space)))

    def match(self, place: EvaluationScope) -> Matches:
        """In a space of other vectors than a model's doubt is the distance to the nearest, which tells more there."""
        found = self.matcher.match(self.space.vectors(place))
        return found if isinstance(self.space, ModelSpace) else replace(found, uncertainty=found.distances.min(axis=1))

    def quiet(self, place: EvaluationScope, rule: Rule, ends: IntArray) -> BoolArray:
        """As `Hindsight`; never in a space of other vectors than a model's."""
        if not isinstance(self.space, ModelSpace):
            return np.zeros(len(ends), np.bool_)
        return is_recovered(place.series, self.space.normal(place), self.space.model, self.matcher, rule, ends)


def scope_of(example: Example) -> EvaluationScope:
    """Where the example's windows are, without the minutes that no system looks at."""
    there = np.flatnonzero(example.baseline_minutes)
    start = max(0, min(int(there[0]), int(example.ends[0]) - REACH + 1))
    stop = max(int(there[-1]), int(example.ends[-1])) + 1
    return EvaluationScope(example.series.part(start, stop), example.baseline_minutes[start:stop], example.ends - start, 0)


def centre(space: Space, example: Example) -> Float32Array:
    """(D,) the mean vector of an example's windows."""
    return np.asarray(space.vectors(scope_of(example)).mean(axis=0, dtype=np.float64), np.float32)


def least_of(space: Space) -> float:
    """How long a fault's reference is at least (`cases.calibration`); 0 in a space of other vectors than a model's."""
    return min_norm(space.model) if isinstance(space, ModelSpace) else 0.0


class Embedding(Nearest):
    """A model and its library's references."""

    def __init__(self, name: str, model: Model, references: Sequence[Reference]) -> None:
        super().__init__(ModelSpace(name, model), matcher_for(model, references))
        self.model, self.references = model, list(references)

    def vectors(self, place: EvaluationScope) -> Float32Array:
        """(N, D) float32, minus the node's normal mean."""
        return self.space.vectors(place)


def ranked(conditions: tuple[str, ...], distances: Float32Array, doubt: Float32Array | None = None) -> Matches:
    """Matches of distances (N, C) to the conditions, however they came about; `doubt` (N,) is the distance to the nearest
    where the system has no better measure."""
    order = np.argsort(distances, axis=1, kind="stable")
    second = order[:, 1] if len(conditions) > 1 else np.full(len(order), -1)
    return Matches(conditions, distances, order[:, 0], second, distances.min(axis=1) if doubt is None else doubt)


def by_chance(conditions: tuple[str, ...], chances: Float64Array) -> Matches:
    """Matches of a classifier that gives probabilities (N, C): the distance to a condition is one over its own.

    Doubt is one minus the largest: of LightGBM's it tells more than their entropy does."""
    doubt = (1 - chances.max(axis=1)).astype(np.float32)
    return ranked(conditions, (1 / np.maximum(chances, 1e-12)).astype(np.float32), doubt)
