"""The systems that are compared. Each turns the windows of a node into distances to conditions.

All systems get the same minutes, the same normal minutes of the node and the same windows. Their distances go through
the same decision rule (`cases.decision`), which is calibrated in the same way (`cases.calibration`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol, runtime_checkable

import numpy as np

from faultprint.arrays import BoolArray, Float32Array, Float64Array, IntArray
from faultprint.cases.decision import Rule
from faultprint.cases.enrol import Example
from faultprint.cases.matching import Matcher, Matches
from faultprint.cases.recovery import is_recovered
from faultprint.cases.reference import Reference
from faultprint.cases.scope import EvaluationScope
from faultprint.cases.thresholds import matcher_for, min_norm
from faultprint.embedding.model import MIN_BASELINE_WINDOW_MINUTES, Model, NodeBaseline
from faultprint.errors import UsageError
from faultprint.windows.profile import MIN_PROFILE_MINUTES
from faultprint_lab.baselines.summary import NormalisedSummaries

MAX_HISTORY: Final = 120
"""Minutes up to the end of a window that a system may read: the window, and the trailing means of its first minute."""


class System(Protocol):
    """A method that identifies conditions."""

    @property
    def name(self) -> str: ...

    @property
    def max_ratio(self) -> float:
        """The largest `max_distance_ratio` that makes sense for the distances of this system (`cases.calibration`)."""
        ...

    def match(self, scope: EvaluationScope) -> Matches:
        """Distances of the windows that end at `scope.last_minutes`."""
        ...


@runtime_checkable
class SupportsRecovery(Protocol):
    """A system that can judge the last few minutes without the rest of the window (`cases.recovery`)."""

    def is_recovered(self, scope: EvaluationScope, rule: Rule, ends: IntArray) -> BoolArray:
        """(N,) whether the few minutes that end at `ends` look normal."""
        ...


class VectorSpace(Protocol):
    """A space in which windows are vectors and the normal traffic of each node is the origin."""

    @property
    def name(self) -> str: ...

    def vectors(self, scope: EvaluationScope) -> Float32Array:
        """(N, D) float32 for the windows that end at `scope.last_minutes`."""
        ...


class ModelSpace:
    """The vectors of a model minus the node's normal mean, as the product computes them.

    `population_baseline` is used for nodes without normal minutes.
    """

    def __init__(self, name: str, model: Model, population_baseline: NodeBaseline | None = None) -> None:
        self.name, self.model = name, model
        self.population_baseline = population_baseline

    def vectors(self, scope: EvaluationScope) -> Float32Array:
        """Raises UsageError where the node has no normal minutes and there is no population baseline."""
        baseline = self.baseline(scope)
        return self.embed(scope, baseline) - baseline.mean

    def baseline(self, scope: EvaluationScope) -> NodeBaseline:
        """The node's baseline from its normal minutes, however few they are."""
        if normal_minutes := int(np.count_nonzero(scope.baseline_minutes & scope.series.observed)):
            return self.model.baseline(scope.series, scope.baseline_minutes, min(normal_minutes, MIN_PROFILE_MINUTES))
        if self.population_baseline is None:
            raise UsageError(f"Node {scope.series.node!r} has no normal minutes; label an interval of it as normal.")
        return self.population_baseline

    def embed(self, scope: EvaluationScope, baseline: NodeBaseline) -> Float32Array:
        """(N, D) float32, before the node's normal mean is subtracted."""
        return self.model.embed(scope.series, baseline.profile, ends=scope.last_minutes).vectors


class SummarySpace:
    """Summaries minus the mean summary of normal windows; every value is divided by its spread in training."""

    name = "1-nn"

    def __init__(self, summaries: NormalisedSummaries, scale: Float32Array) -> None:
        """`scale` (S,): standard deviation of each summary value in training."""
        self.summaries = summaries
        self._scale = np.maximum(scale, np.float32(1e-3))

    def vectors(self, scope: EvaluationScope) -> Float32Array:
        """Without normal minutes nothing is subtracted; the summaries are deviations from the population already."""
        normal = scope.baseline_minutes & scope.series.observed
        # As in `embedding.model`, windows with at least half an hour of normal minutes count.
        history = np.convolve(normal, np.ones(self.summaries.window, np.int64))[: len(normal)]
        baseline_minutes = np.flatnonzero(normal & (history >= min(MIN_BASELINE_WINDOW_MINUTES, int(normal.sum()))))
        summaries = self.summaries(
            EvaluationScope(
                scope.series, scope.baseline_minutes, np.append(scope.last_minutes, baseline_minutes), scope.begin
            )
        )
        mean = (
            summaries[len(scope.last_minutes) :].mean(axis=0)
            if len(baseline_minutes)
            else np.zeros(summaries.shape[1], np.float32)
        )
        return np.asarray((summaries[: len(scope.last_minutes)] - mean) / self._scale, np.float32)


class NearestReference:
    """The nearest reference of each condition in a space; normal traffic is at the origin."""

    def __init__(self, space: VectorSpace, matcher: Matcher, max_ratio: float = 1.0) -> None:
        self.space, self.matcher, self.max_ratio = space, matcher, max_ratio

    @property
    def name(self) -> str:
        return self.space.name

    @classmethod
    def from_examples(cls, space: VectorSpace, enrolled: Sequence[Example]) -> NearestReference:
        """One reference for each example: the mean vector of its windows."""
        vectors = [mean_vector(space, example) for example in enrolled]
        conditions = [example.enrolment.condition for example in enrolled]
        return cls(space, Matcher(np.stack(vectors), conditions, min_norm_of(space)))

    def match(self, scope: EvaluationScope) -> Matches:
        """Distances to the nearest reference of each condition.

        In a space that is not a model's, uncertainty is the smallest distance: it separates unknown faults better there.
        """
        matches = self.matcher.match(self.space.vectors(scope))
        if isinstance(self.space, ModelSpace):
            return matches
        return replace(matches, uncertainty=matches.distances.min(axis=1))

    def is_recovered(self, scope: EvaluationScope, rule: Rule, ends: IntArray) -> BoolArray:
        """As `SupportsRecovery`; always false in a space that is not a model's."""
        if not isinstance(self.space, ModelSpace):
            return np.zeros(len(ends), np.bool_)
        return is_recovered(scope.series, self.space.baseline(scope), self.space.model, self.matcher, rule, ends)


def scope_of(example: Example) -> EvaluationScope:
    """The windows of an example, without the minutes that no system reads."""
    normal_minutes = np.flatnonzero(example.baseline_minutes)
    start = max(0, min(int(normal_minutes[0]), int(example.last_minutes[0]) - MAX_HISTORY + 1))
    stop = max(int(normal_minutes[-1]), int(example.last_minutes[-1])) + 1
    return EvaluationScope(
        example.series.slice(start, stop), example.baseline_minutes[start:stop], example.last_minutes - start, 0
    )


def mean_vector(space: VectorSpace, example: Example) -> Float32Array:
    """(D,) the mean vector of the windows of an example."""
    return np.asarray(space.vectors(scope_of(example)).mean(axis=0, dtype=np.float64), np.float32)


def min_norm_of(space: VectorSpace) -> float:
    """The smallest length of a reference (`cases.calibration`); 0 in a space that is not a model's."""
    return min_norm(space.model) if isinstance(space, ModelSpace) else 0.0


class LibrarySystem(NearestReference):
    """A model and the references of its library."""

    def __init__(self, name: str, model: Model, references: Sequence[Reference]) -> None:
        super().__init__(ModelSpace(name, model), matcher_for(model, references))
        self.model, self.references = model, list(references)

    def vectors(self, scope: EvaluationScope) -> Float32Array:
        """(N, D) float32, minus the node's normal mean."""
        return self.space.vectors(scope)


def matches_of(
    conditions: tuple[str, ...], distances: Float32Array, uncertainty: Float32Array | None = None
) -> Matches:
    """Matches from distances (N, C) to the conditions; `uncertainty` (N,) is the smallest distance by default."""
    order = np.argsort(distances, axis=1, kind="stable")
    second = order[:, 1] if len(conditions) > 1 else np.full(len(order), -1)
    nearest = distances.min(axis=1)
    return Matches(conditions, distances, order[:, 0], second, nearest if uncertainty is None else uncertainty)


def matches_from_probabilities(conditions: tuple[str, ...], probabilities: Float64Array) -> Matches:
    """Matches of a classifier with probabilities (N, C). The distance to a condition is 1 / its probability.

    Uncertainty is 1 minus the largest probability, which separated unknown faults better than the entropy for LightGBM.
    """
    uncertainty = (1 - probabilities.max(axis=1)).astype(np.float32)
    return matches_of(conditions, (1 / np.maximum(probabilities, 1e-12)).astype(np.float32), uncertainty)
