"""MiniRocket and ridge regression as a contender; learns anew when it is given a fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from sklearn.linear_model import RidgeClassifierCV

from faultprint.arrays import Float32Array, IntArray
from faultprint.cases.enrol import Example
from faultprint.cases.matching import Matches
from faultprint.cases.scope import EvaluationScope
from faultprint_lab.baselines.summary import Summaries
from faultprint_lab.baselines.systems import System, by_chance, scope_of
from faultprint_lab.baselines.trees import samples
from faultprint_lab.benchmark.competitors.boosting import lessons_material, normalised
from faultprint_lab.benchmark.competitors.competitor import BenchmarkSplit, EveryTrial, FittedSystem
from faultprint_lab.benchmark.competitors.minirocket import MiniRocket

ALPHAS: Final = np.logspace(-1, 5, 7)
"""Strengths of the ridge, chosen by leave-one-out."""
_MOST: Final = 12_000
"""Windows that are learnt from: beyond it the regression takes more memory than it is worth."""


class MiniRocketCompetitor(EveryTrial):
    """MiniRocket on the surprise of each minute."""

    name = "minirocket"

    def learn(self, school: BenchmarkSplit) -> FittedSystem:
        known = lessons_material(school)
        summaries, rng = normalised(known), np.random.default_rng(school.seed)
        drawn = []
        for node in known.nodes:
            hour = np.zeros(len(node.series), np.bool_)
            hour[int(node.hours[0]) : int(node.hours[0]) + known.window] = True
            ends = np.flatnonzero(node.code >= 0)
            drawn.append((summaries.minutes(EvaluationScope(node.series, hour, ends, 0)), ends))
        describe = _Described(summaries, MiniRocket.fitted(drawn, known.window, rng))
        inputs, codes = samples(known, describe, school.seed)
        chosen = _thinned(codes, rng)
        return _Regressed(known.conditions, describe, inputs[chosen], codes[chosen])


class _Described:
    def __init__(self, summaries: Summaries, rocket: MiniRocket) -> None:
        self._summaries, self._rocket = summaries, rocket

    def __call__(self, place: EvaluationScope) -> Float32Array:
        return self._rocket.features(self._summaries.minutes(place), place.last_minutes)


class _Regressed:
    pooled = True

    def __init__(
        self, conditions: tuple[str, ...], describe: _Described, inputs: Float32Array, codes: IntArray
    ) -> None:
        self._conditions, self._describe, self._inputs, self._codes = conditions, describe, inputs, codes

    def system(self, given: Sequence[Example]) -> System:
        conditions = (*self._conditions, *sorted({one.enrolment.condition for one in given}))
        inputs, codes = [self._inputs], [self._codes]
        for one in given:
            inputs.append(self._describe(scope_of(one)))
            codes.append(np.full(len(inputs[-1]), conditions.index(one.enrolment.condition)))
        ridge = RidgeClassifierCV(alphas=ALPHAS, class_weight="balanced")
        ridge.fit(np.concatenate(inputs), np.concatenate(codes))
        return Regression(ridge, conditions, self._describe)


class Regression:
    """The distance to a condition is one over the softmax of the ridge's decision values."""

    name = "minirocket"
    loosest = float("inf")

    def __init__(self, ridge: Any, conditions: tuple[str, ...], describe: _Described) -> None:
        self._ridge, self._conditions, self._describe = ridge, conditions, describe

    def match(self, place: EvaluationScope) -> Matches:
        said = np.asarray(self._ridge.decision_function(self._describe(place)), np.float64)
        powers = np.exp(said - said.max(axis=1, keepdims=True))
        chances = np.zeros((len(said), len(self._conditions)))
        chances[:, self._ridge.classes_] = powers / powers.sum(axis=1, keepdims=True)
        return by_chance(self._conditions, chances)


def _thinned(codes: IntArray, rng: np.random.Generator) -> IntArray:
    """Rows to learn from: every condition keeps an equal share of _MOST, or all that it has."""
    share = _MOST // len(np.unique(codes))
    kept = [rng.permutation(np.flatnonzero(codes == code))[:share] for code in np.unique(codes)]
    return np.sort(np.concatenate(kept))
