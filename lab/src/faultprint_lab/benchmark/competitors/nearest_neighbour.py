"""Nearest neighbours as contenders: of summaries, and of whole windows under dynamic time warping."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from faultprint.arrays import Float32Array
from faultprint.cases.enrol import Example
from faultprint.cases.matching import Matches
from faultprint.cases.scope import EvaluationScope, ends_of
from faultprint.tables import NORMAL
from faultprint_lab.baselines.summary import Summaries
from faultprint_lab.baselines.systems import SummarySpace, System, ranked, scope_of
from faultprint_lab.baselines.trees import samples
from faultprint_lab.benchmark.competitors.boosting import lessons_material, normalised
from faultprint_lab.benchmark.competitors.competitor import BenchmarkSplit, EveryTrial, FittedSystem, typical
from faultprint_lab.benchmark.competitors.dtw import warped
from faultprint_lab.benchmark.competitors.encoders import ReferenceMatching

SHOWN: Final = 3
"""Windows of an example that stand for it: early, in the middle, late."""


class Summarised(EveryTrial):
    """The nearest of one summary a fault, minus the node's normal mean, features scaled by their spread in training."""

    name = "1-nn"

    def learn(self, school: BenchmarkSplit) -> FittedSystem:
        # A thousand noisy features draw everything to the origin: nearer than normal is too much to ask of a reference.
        return ReferenceMatching(_space(school), school.known, loosest=float("inf"))


class Warped(EveryTrial):
    """1-NN under dynamic time warping, on the surprise of each minute; which example is typical, the summaries say."""

    name = "dtw"

    def learn(self, school: BenchmarkSplit) -> FittedSystem:
        space = _space(school)
        return _Shown(space.summaries, typical(space, school.known))


class _Shown:
    pooled = False

    def __init__(self, summaries: Summaries, known: Sequence[Example]) -> None:
        self._summaries, self._known = summaries, list(known)

    def system(self, given: Sequence[Example]) -> System:
        return Warping(self._summaries, [*self._known, *given])


class Warping:
    """The distance to a fault is that to the nearest of its windows, that to normal the nearest of a window of the node's own
    normal traffic, if there is a whole one, and of one in which nothing departs from it."""

    name = "dtw"
    loosest = float("inf")

    def __init__(self, summaries: Summaries, taught: Sequence[Example]) -> None:
        self._summaries, self._window = summaries, summaries.window
        shown = [self._shown(one) for one in taught]
        self._references = np.concatenate(shown)
        words = [one.enrolment.condition for one, windows in zip(taught, shown, strict=True) for _ in windows]
        self._conditions = (NORMAL, *sorted({*words}))
        self._codes = np.array([self._conditions.index(word) for word in words])

    def match(self, place: EvaluationScope) -> Matches:
        minutes = self._summaries.minutes(place)
        usual = [np.zeros((1, *self._references.shape[1:]), np.float32), *self._usual(place, minutes)]
        references = np.concatenate([*usual, self._references])
        codes = np.concatenate([np.zeros(len(usual), np.int64), self._codes])
        every = warped(minutes, place.last_minutes, references)
        distances = np.stack([every[:, codes == code].min(axis=1) for code in range(len(self._conditions))], axis=1)
        return ranked(self._conditions, distances)

    def _shown(self, example: Example) -> Float32Array:
        """(·, W, F) the windows that stand for an example."""
        place = scope_of(example)
        minutes, ends = self._summaries.minutes(place), place.last_minutes[place.last_minutes >= self._window - 1]
        chosen = ends[np.unique(np.linspace(0, len(ends) - 1, SHOWN).astype(np.int64))] if len(ends) else ends
        return np.stack([minutes[end - self._window + 1 : end + 1] for end in chosen])

    def _usual(self, place: EvaluationScope, minutes: Float32Array) -> list[Float32Array]:
        """(1, W, F) the last whole window of the node's normal traffic, if there is one."""
        whole = ends_of(place.baseline_minutes, self._window)
        return [minutes[None, end - self._window + 1 : end + 1] for end in whole[-1:]]


def _space(school: BenchmarkSplit) -> SummarySpace:
    known = lessons_material(school)
    summaries = normalised(known)
    return SummarySpace(summaries, samples(known, summaries, school.seed)[0].std(axis=0))
