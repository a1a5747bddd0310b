"""LightGBM as a contender: it knows the faults of the lessons, and learns anew when it is given others."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import lightgbm
import numpy as np

from faultprint.arrays import Float32Array, IntArray
from faultprint.cases.enrol import Example
from faultprint.training.data.dataset import TrainingSet, training_set
from faultprint.windows.profile import population
from faultprint_lab.baselines.summary import Describe, RawSummaries, Summaries
from faultprint_lab.baselines.systems import System, scope_of
from faultprint_lab.baselines.trees import Trees, grow, samples
from faultprint_lab.benchmark.competitors.competitor import BenchmarkSplit, EveryTrial, FittedSystem
from faultprint_lab.benchmark.competitors.encoders import CODE as MODEL_CODE

CODE: Final = (*MODEL_CODE, "faultprint_lab.baselines.trees", "faultprint_lab.baselines.summary")

Describing = Callable[[TrainingSet], Describe]


def normalised(known: TrainingSet) -> Summaries:
    """Summaries of what the encoder is given, too."""
    return Summaries(known.kinds, population([node.whole for node in known.nodes], known.kinds), known.window)


def untouched(known: TrainingSet) -> RawSummaries:
    """Summaries of the features as they are."""
    return RawSummaries(known.window)


def lessons_material(school: BenchmarkSplit) -> TrainingSet:
    """The lessons, for those that learn from windows."""
    interval_us = school.model.manifest.interval_us
    taught = school.lessons.taught, school.lessons.taught_labels
    return training_set(*taught, school.model.catalogue, window=school.model.window, interval_us=interval_us)


class Boosting(EveryTrial):
    """LightGBM on the windows as `describing` describes them."""

    def __init__(self, name: str, describing: Describing) -> None:
        self.name, self._describing = name, describing

    def learn(self, school: BenchmarkSplit) -> FittedSystem:
        known = lessons_material(school)
        describe = self._describing(known)
        return _Grown(self.name, known.conditions, describe, *samples(known, describe, school.seed), school)


class _Grown:
    pooled = True

    def __init__(
        self,
        name: str,
        conditions: tuple[str, ...],
        describe: Describe,
        inputs: Float32Array,
        codes: IntArray,
        school: BenchmarkSplit,
    ) -> None:
        self.name, self._conditions, self._describe = name, conditions, describe
        self._inputs, self._codes, self._school = inputs, codes, school

    def system(self, given: Sequence[Example]) -> System:
        """Learnt with all windows that show the given examples, classes weighted alike."""
        conditions = (*self._conditions, *sorted({one.enrolment.condition for one in given}))
        inputs = [self._inputs, *(self._describe(scope_of(one)) for one in given)]
        codes = [self._codes]
        for one, rows in zip(given, inputs[1:], strict=True):
            codes.append(np.full(len(rows), conditions.index(one.enrolment.condition)))
        booster = self._booster(conditions, inputs, codes, [_named(one) for one in given])
        return Trees(self.name, booster, conditions, self._describe)

    def _booster(
        self,
        conditions: tuple[str, ...],
        inputs: list[Float32Array],
        codes: list[IntArray],
        given: list[str],
    ) -> lightgbm.Booster:
        school = self._school

        def make(path: Path) -> None:
            booster = grow(
                conditions,
                np.concatenate(inputs),
                np.concatenate(codes),
                seed=school.seed,
                max_seconds=school.seconds,
                threads=1,
                clock=time.thread_time,
            )
            booster.save_model(path)

        arguments = {"name": self.name, "given": given, "seed": school.seed, "seconds": school.seconds}
        return lightgbm.Booster(
            model_file=school.cache.file("trees", {**arguments, **school.identity}, CODE, ".txt", make)
        )


def _named(one: Example) -> str:
    return f"{one.series.node} {one.enrolment.condition} {one.enrolment.interval[0].isoformat()}"
