"""LightGBM on summary features: the baseline to beat, trained on every window of the training networks."""

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
from faultprint_lab.baselines.summary import Describe
from faultprint_lab.baselines.systems import by_chance

_STRIDE: Final = 5
"""Every fifth window: neighbours share 59 of 60 minutes."""
_DRAWS: Final = 2
"""Times that each node is seen, with its profile from another hour: at work it will have but one hour."""
_CLEAR: Final = 5
"""Faulty minutes from which a window is worth learning from."""
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


class Trees:
    """Gradient-boosted trees; the distance to a condition is one over its probability."""

    loosest = float("inf")

    def __init__(
        self, name: str, booster: lightgbm.Booster, conditions: tuple[str, ...], describe: Describe, threads: int = 2
    ) -> None:
        self.name, self._booster, self._conditions = name, booster, conditions
        self._describe, self._threads = describe, threads

    def match(self, place: EvaluationScope) -> Matches:
        chances = self._booster.predict(self._describe(place), num_threads=self._threads)
        return by_chance(self._conditions, np.asarray(chances))


def grow(
    conditions: tuple[str, ...],
    inputs: Float32Array,
    codes: IntArray,
    *,
    seed: int,
    max_seconds: float,
    threads: int = 2,
    alike: bool = True,
    clock: Callable[[], float] = time.monotonic,
) -> lightgbm.Booster:
    """Train on the descriptions `inputs` (N, S) with `codes` (N,) into the conditions for `max_seconds` of the `clock` at most;
    `alike`: conditions weigh alike, however often they occur."""
    end = clock() + max_seconds
    counts = np.bincount(codes, minlength=len(conditions))
    weights = (len(codes) / np.maximum(counts, 1))[codes] if alike else None
    parameters = _PARAMETERS | {"num_class": len(conditions), "num_threads": threads, "seed": seed}

    def stop(state: Any) -> None:
        if clock() > end:
            raise lightgbm.callback.EarlyStopException(state.iteration, [])

    dataset = lightgbm.Dataset(inputs, codes, weight=weights, free_raw_data=True)
    return lightgbm.train(parameters, dataset, num_boost_round=_ROUNDS, callbacks=[stop])


def samples(material: TrainingSet, describe: Describe, seed: int) -> tuple[Float32Array, IntArray]:
    """(N, S) descriptions and (N,) codes into the material's conditions."""
    rng = np.random.default_rng(seed)
    inputs, codes = [], []
    for node in material.nodes:
        for _ in range(_DRAWS):
            ends = np.arange(int(rng.integers(_STRIDE)), len(node.code), _STRIDE)
            ends = ends[(node.code[ends] == 0) | ((node.code[ends] > 0) & (node.exposed[ends] >= _CLEAR))]
            hour = _hour(node, material.window, rng)
            inputs.append(describe(EvaluationScope(node.series, hour, ends, 0)))
            codes.append(node.code[ends].astype(np.int64))
    return np.concatenate(inputs), np.concatenate(codes)


def _hour(node: TrainingNode, window: int, rng: np.random.Generator) -> BoolArray:
    """One random hour of the node's normal traffic."""
    start = int(rng.choice(node.hours))
    chosen = np.zeros(len(node.series), np.bool_)
    chosen[start : start + window] = True
    return chosen
