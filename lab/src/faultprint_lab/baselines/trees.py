"""LightGBM on summary statistics of windows: the strongest baseline, trained on windows of the training networks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import lightgbm
import numpy as np

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.cases.matching import Matches
from faultprint.cases.scope import EvaluationScope
from faultprint.training.data.dataset import TrainingNode, TrainingSet
from faultprint_lab.baselines.summary import WindowDescriber
from faultprint_lab.baselines.systems import matches_from_probabilities

_STRIDE: Final = 5
"""Every fifth window is used, because neighbours share 59 of 60 minutes."""
_DRAWS: Final = 2
"""Times that each node is used, each time with another normal hour: in operation only one hour is known."""
_MIN_FAULT_MINUTES: Final = 5
"""Faulty minutes from which a window is a training example of the fault."""
_ROUNDS: Final = 400
_PARAMETERS: Final[dict[str, Any]] = {
    "objective": "multiclass",
    "learning_rate": 0.1,
    "num_leaves": 15,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.1,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 1.0,
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
}


class BoostedTrees:
    """Gradient-boosted trees. The distance to a condition is 1 / its probability."""

    max_ratio = float("inf")

    def __init__(
        self,
        name: str,
        booster: lightgbm.Booster,
        conditions: tuple[str, ...],
        describer: WindowDescriber,
        threads: int = 2,
    ) -> None:
        self.name, self._booster, self._conditions = name, booster, conditions
        self._describe, self._threads = describer, threads

    def match(self, scope: EvaluationScope) -> Matches:
        probabilities = self._booster.predict(self._describe(scope), num_threads=self._threads)
        return matches_from_probabilities(self._conditions, np.asarray(probabilities))


def train_trees(
    conditions: tuple[str, ...],
    inputs: Float32Array,
    codes: IntArray,
    *,
    seed: int,
    max_seconds: float,
    threads: int = 2,
    balanced: bool = True,
    clock: Callable[[], float] = time.monotonic,
) -> lightgbm.Booster:
    """Train on inputs (N, S) and codes (N,) into `conditions`, for at most `max_seconds` of the `clock`.

    `balanced`: every condition has the same total weight, however often it occurs.
    """
    end = clock() + max_seconds
    counts = np.bincount(codes, minlength=len(conditions))
    weights = (len(codes) / np.maximum(counts, 1))[codes] if balanced else None
    parameters = _PARAMETERS | {"num_class": len(conditions), "num_threads": threads, "seed": seed}

    def stop(state: Any) -> None:
        if clock() > end:
            raise lightgbm.callback.EarlyStopException(state.iteration, [])

    dataset = lightgbm.Dataset(inputs, codes, weight=weights, free_raw_data=True)
    return lightgbm.train(parameters, dataset, num_boost_round=_ROUNDS, callbacks=[stop])


def training_windows(training: TrainingSet, describer: WindowDescriber, seed: int) -> tuple[Float32Array, IntArray]:
    """(N, S) inputs and (N,) codes into the conditions of the training set."""
    rng = np.random.default_rng(seed)
    inputs, codes = [], []
    for node in training.nodes:
        for _ in range(_DRAWS):
            ends = np.arange(int(rng.integers(_STRIDE)), len(node.code), _STRIDE)
            ends = ends[
                (node.code[ends] == 0) | ((node.code[ends] > 0) & (node.fault_minutes[ends] >= _MIN_FAULT_MINUTES))
            ]
            hour = _hour(node, training.window, rng)
            inputs.append(describer(EvaluationScope(node.series, hour, ends, 0)))
            codes.append(node.code[ends].astype(np.int64))
    return np.concatenate(inputs), np.concatenate(codes)


def _hour(node: TrainingNode, window: int, rng: np.random.Generator) -> BoolArray:
    """One random hour of the node's normal traffic."""
    start = int(rng.choice(node.normal_hours))
    chosen = np.zeros(len(node.series), np.bool_)
    chosen[start : start + window] = True
    return chosen
