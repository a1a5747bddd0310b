"""Nearest neighbours as competitors: of summaries, and of whole windows under dynamic time warping."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from faultprint.arrays import Float32Array
from faultprint.cases.centering import run_ends
from faultprint.cases.enrol import Example
from faultprint.cases.matching import Matches
from faultprint.cases.scope import EvaluationScope
from faultprint.tables import NORMAL
from faultprint_lab.baselines.summary import NormalisedSummaries
from faultprint_lab.baselines.systems import SummarySpace, System, matches_of, scope_of
from faultprint_lab.baselines.trees import training_windows
from faultprint_lab.benchmark.competitors.boosting import normalised_summaries, window_training_set
from faultprint_lab.benchmark.competitors.competitor import (
    BenchmarkSplit,
    EveryTrial,
    FittedSystem,
    medoid_per_condition,
)
from faultprint_lab.benchmark.competitors.dtw import dtw_distances
from faultprint_lab.benchmark.competitors.encoders import ReferenceMatching

WINDOWS_PER_EXAMPLE: Final = 3
"""Windows that represent an example: an early, a middle and a late one."""


class SummaryNearestNeighbour(EveryTrial):
    """The nearest of one summary for each fault, minus the node's normal mean, scaled by the spread in training."""

    name = "1-nn"

    def fit(self, data: BenchmarkSplit) -> FittedSystem:
        """One reference for each fault."""
        # A thousand noisy values draw every window to the origin, so a reference need not be nearer than normal.
        return ReferenceMatching(_space(data), data.examples, max_ratio=float("inf"))


class DtwNearestNeighbour(EveryTrial):
    """1-NN under dynamic time warping, on the z-scores of each minute. The medoid examples are those of the summaries."""

    name = "dtw"

    def fit(self, data: BenchmarkSplit) -> FittedSystem:
        """Some windows of the medoid example of each fault."""
        space = _space(data)
        return _DtwReferences(space.summaries, medoid_per_condition(space, data.examples))


class _DtwReferences:
    retrains = False

    def __init__(self, summaries: NormalisedSummaries, examples: Sequence[Example]) -> None:
        self._summaries, self._examples = summaries, list(examples)

    def with_examples(self, enrolled: Sequence[Example]) -> System:
        return DtwSystem(self._summaries, [*self._examples, *enrolled])


class DtwSystem:
    """The distance to a fault is the distance to the nearest of its windows.

    The distance to normal is that to the nearest of two windows: the last whole window of the node's normal minutes, if
    there is one, and a window without any deviation.
    """

    name = "dtw"
    max_ratio = float("inf")

    def __init__(self, summaries: NormalisedSummaries, enrolled: Sequence[Example]) -> None:
        self._summaries, self._window = summaries, summaries.window
        windows = [self._windows(example) for example in enrolled]
        self._references = np.concatenate(windows)
        names = [example.enrolment.condition for example, each in zip(enrolled, windows, strict=True) for _ in each]
        self._conditions = (NORMAL, *sorted({*names}))
        self._codes = np.array([self._conditions.index(name) for name in names])

    def match(self, scope: EvaluationScope) -> Matches:
        minutes = self._summaries.minute_z_scores(scope)
        without_deviation = np.zeros((1, *self._references.shape[1:]), np.float32)
        normal = [without_deviation, *self._normal_windows(scope, minutes)]
        references = np.concatenate([*normal, self._references])
        codes = np.concatenate([np.zeros(len(normal), np.int64), self._codes])
        to_windows = dtw_distances(minutes, scope.last_minutes, references)
        columns = [to_windows[:, codes == code].min(axis=1) for code in range(len(self._conditions))]
        return matches_of(self._conditions, np.stack(columns, axis=1))

    def _windows(self, example: Example) -> Float32Array:
        """(·, W, F) the windows that represent an example."""
        scope = scope_of(example)
        minutes = self._summaries.minute_z_scores(scope)
        ends = scope.last_minutes[scope.last_minutes >= self._window - 1]
        if len(ends):
            ends = ends[np.unique(np.linspace(0, len(ends) - 1, WINDOWS_PER_EXAMPLE).astype(np.int64))]
        return np.stack([minutes[end - self._window + 1 : end + 1] for end in ends])

    def _normal_windows(self, scope: EvaluationScope, minutes: Float32Array) -> list[Float32Array]:
        """(1, W, F) the last whole window of the node's normal minutes, if there is one."""
        ends = run_ends(scope.baseline_minutes, self._window)
        return [minutes[None, end - self._window + 1 : end + 1] for end in ends[-1:]]


def _space(data: BenchmarkSplit) -> SummarySpace:
    training = window_training_set(data)
    summaries = normalised_summaries(training)
    return SummarySpace(summaries, training_windows(training, summaries, data.seed)[0].std(axis=0))
