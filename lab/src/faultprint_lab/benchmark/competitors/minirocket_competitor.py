"""MiniRocket with ridge regression as a competitor; it is trained again when examples are enrolled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from sklearn.linear_model import RidgeClassifierCV

from faultprint.arrays import Float32Array, IntArray
from faultprint.cases.enrol import Example
from faultprint.cases.matching import Matches
from faultprint.cases.scope import EvaluationScope
from faultprint_lab.baselines.summary import NormalisedSummaries
from faultprint_lab.baselines.systems import System, matches_from_probabilities, scope_of
from faultprint_lab.baselines.trees import training_windows
from faultprint_lab.benchmark.competitors.boosting import normalised_summaries, window_training_set
from faultprint_lab.benchmark.competitors.competitor import BenchmarkSplit, EveryTrial, FittedSystem
from faultprint_lab.benchmark.competitors.minirocket import MiniRocket

ALPHAS: Final = np.logspace(-1, 5, 7)
"""Strengths of the ridge penalty; leave-one-out chooses one."""
_MAX_WINDOWS: Final = 12_000
"""Training windows at most: more need more memory without a better result."""


class MiniRocketCompetitor(EveryTrial):
    """MiniRocket on the z-scores of each minute."""

    name = "minirocket"

    def fit(self, data: BenchmarkSplit) -> FittedSystem:
        """Draw the convolutions and compute the training inputs."""
        training = window_training_set(data)
        summaries, rng = normalised_summaries(training), np.random.default_rng(data.seed)
        series = []
        for node in training.nodes:
            hour = np.zeros(len(node.series), np.bool_)
            hour[int(node.normal_hours[0]) : int(node.normal_hours[0]) + training.window] = True
            ends = np.flatnonzero(node.code >= 0)
            series.append((summaries.minute_z_scores(EvaluationScope(node.series, hour, ends, 0)), ends))
        describer = _Convolutions(summaries, MiniRocket.fitted(series, training.window, rng))
        inputs, codes = training_windows(training, describer, data.seed)
        chosen = _limited(codes, rng)
        return _FittedRidge(training.conditions, describer, inputs[chosen], codes[chosen])


class _Convolutions:
    def __init__(self, summaries: NormalisedSummaries, rocket: MiniRocket) -> None:
        self._summaries, self._rocket = summaries, rocket

    def __call__(self, scope: EvaluationScope) -> Float32Array:
        return self._rocket.features(self._summaries.minute_z_scores(scope), scope.last_minutes)


class _FittedRidge:
    retrains = True

    def __init__(
        self, conditions: tuple[str, ...], describer: _Convolutions, inputs: Float32Array, codes: IntArray
    ) -> None:
        self._conditions, self._describer, self._inputs, self._codes = conditions, describer, inputs, codes

    def with_examples(self, enrolled: Sequence[Example]) -> System:
        conditions = (*self._conditions, *sorted({example.enrolment.condition for example in enrolled}))
        inputs, codes = [self._inputs], [self._codes]
        for example in enrolled:
            inputs.append(self._describer(scope_of(example)))
            codes.append(np.full(len(inputs[-1]), conditions.index(example.enrolment.condition)))
        ridge = RidgeClassifierCV(alphas=ALPHAS, class_weight="balanced")
        ridge.fit(np.concatenate(inputs), np.concatenate(codes))
        return RidgeSystem(ridge, conditions, self._describer)


class RidgeSystem:
    """The distance to a condition is 1 / the softmax of the decision values of the ridge regression."""

    name = "minirocket"
    max_ratio = float("inf")

    def __init__(self, ridge: Any, conditions: tuple[str, ...], describer: _Convolutions) -> None:
        self._ridge, self._conditions, self._describer = ridge, conditions, describer

    def match(self, scope: EvaluationScope) -> Matches:
        decision = np.asarray(self._ridge.decision_function(self._describer(scope)), np.float64)
        powers = np.exp(decision - decision.max(axis=1, keepdims=True))
        probabilities = np.zeros((len(decision), len(self._conditions)))
        probabilities[:, self._ridge.classes_] = powers / powers.sum(axis=1, keepdims=True)
        return matches_from_probabilities(self._conditions, probabilities)


def _limited(codes: IntArray, rng: np.random.Generator) -> IntArray:
    """Training rows: for each condition an equal share of _MAX_WINDOWS, or all that it has."""
    share = _MAX_WINDOWS // len(np.unique(codes))
    rows = [rng.permutation(np.flatnonzero(codes == code))[:share] for code in np.unique(codes)]
    return np.sort(np.concatenate(rows))
