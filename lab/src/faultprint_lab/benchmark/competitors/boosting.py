"""LightGBM as a competitor. It is trained on the known faults, and again when further examples are enrolled."""

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
from faultprint.windows.profile import population_profile
from faultprint_lab.baselines.summary import NormalisedSummaries, RawSummaries, WindowDescriber
from faultprint_lab.baselines.systems import System, scope_of
from faultprint_lab.baselines.trees import BoostedTrees, train_trees, training_windows
from faultprint_lab.benchmark.competitors.competitor import BenchmarkSplit, EveryTrial, FittedSystem
from faultprint_lab.benchmark.competitors.encoders import CODE as MODEL_CODE

CODE: Final = (*MODEL_CODE, "faultprint_lab.baselines.trees", "faultprint_lab.baselines.summary")

DescriberFactory = Callable[[TrainingSet], WindowDescriber]
"""Makes the input vectors of a classifier; it may take statistics from the training set."""


def normalised_summaries(training: TrainingSet) -> NormalisedSummaries:
    """Summaries of the normalised input that the encoder gets as well."""
    population = population_profile([node.full_profile for node in training.nodes], training.kinds)
    return NormalisedSummaries(training.kinds, population, training.window)


def raw_summaries(training: TrainingSet) -> RawSummaries:
    """Summaries of the features without normalisation."""
    return RawSummaries(training.window)


def window_training_set(data: BenchmarkSplit) -> TrainingSet:
    """The training networks of the split, for methods that train on windows."""
    tables = data.split.train, data.split.train_labels
    interval_us = data.model.manifest.interval_us
    return training_set(*tables, data.model.catalogue, window=data.model.window, interval_us=interval_us)


class BoostedTreesCompetitor(EveryTrial):
    """LightGBM on input vectors that `factory` makes from windows."""

    def __init__(self, name: str, factory: DescriberFactory) -> None:
        self.name, self._factory = name, factory

    def fit(self, data: BenchmarkSplit) -> FittedSystem:
        """Compute the training inputs; trees are trained with the first examples."""
        training = window_training_set(data)
        describer = self._factory(training)
        inputs, codes = training_windows(training, describer, data.seed)
        return _FittedTrees(self.name, training.conditions, describer, inputs, codes, data)


class _FittedTrees:
    retrains = True

    def __init__(
        self,
        name: str,
        conditions: tuple[str, ...],
        describer: WindowDescriber,
        inputs: Float32Array,
        codes: IntArray,
        data: BenchmarkSplit,
    ) -> None:
        self.name, self._conditions, self._describer = name, conditions, describer
        self._inputs, self._codes, self._data = inputs, codes, data

    def with_examples(self, enrolled: Sequence[Example]) -> System:
        """Trees that are trained with all windows of the examples as well; all conditions have the same weight."""
        conditions = (*self._conditions, *sorted({example.enrolment.condition for example in enrolled}))
        inputs = [self._inputs, *(self._describer(scope_of(example)) for example in enrolled)]
        codes = [self._codes]
        for example, rows in zip(enrolled, inputs[1:], strict=True):
            codes.append(np.full(len(rows), conditions.index(example.enrolment.condition)))
        booster = self._booster(conditions, inputs, codes, [_identity(example) for example in enrolled])
        return BoostedTrees(self.name, booster, conditions, self._describer)

    def _booster(
        self,
        conditions: tuple[str, ...],
        inputs: list[Float32Array],
        codes: list[IntArray],
        enrolled: list[str],
    ) -> lightgbm.Booster:
        data = self._data

        def make(path: Path) -> None:
            booster = train_trees(
                conditions,
                np.concatenate(inputs),
                np.concatenate(codes),
                seed=data.seed,
                max_seconds=data.seconds,
                threads=1,
                clock=time.thread_time,
            )
            booster.save_model(path)

        arguments = {"name": self.name, "enrolled": enrolled, "seed": data.seed, "seconds": data.seconds}
        path = data.cache.file("trees", {**arguments, **data.identity}, CODE, ".txt", make)
        return lightgbm.Booster(model_file=path)


def _identity(example: Example) -> str:
    return f"{example.series.node} {example.enrolment.condition} {example.enrolment.interval[0].isoformat()}"
