"""LightGBM on summary features: the baseline to beat, trained on every window of the training networks."""

from __future__ import annotations

import time
from typing import Any, Final

import lightgbm
import numpy as np
from numpy.typing import NDArray

from faultprint.cases.ground import Ground
from faultprint.cases.matching import Matches
from faultprint.evaluate.summary import SPANS, summarise
from faultprint.training.material import Material, Node
from faultprint.windows.levels import levels
from faultprint.windows.profile import Profile, profile

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

    name = "lightgbm"
    loosest = float("inf")

    def __init__(self, booster: lightgbm.Booster, material: Material, people: Profile) -> None:
        self._booster, self._people = booster, people
        self._kinds, self._window, self._conditions = material.kinds, material.window, material.conditions

    def match(self, place: Ground) -> Matches:
        every = levels(place.series, self._kinds, SPANS)
        own = profile(every, self._kinds, place.series.observed & place.normal)
        inputs = summarise(every, self._kinds, own, self._people, self._window, place.ends)
        chances = np.asarray(self._booster.predict(inputs, num_threads=2))
        distances = (1 / np.maximum(chances, 1e-12)).astype(np.float32)
        ranked = np.argsort(distances, axis=1, kind="stable")
        return Matches(self._conditions, distances, ranked[:, 0], ranked[:, 1])


def grow(
    material: Material,
    people: Profile,
    inputs: NDArray[np.float32],
    codes: NDArray[np.int64],
    *,
    seed: int,
    max_seconds: float,
    threads: int = 2,
) -> Trees:
    """Train on the summaries `inputs` (N, S) with `codes` (N,), classes weighted alike, for `max_seconds` at most."""
    end = time.monotonic() + max_seconds
    counts = np.bincount(codes, minlength=len(material.conditions))
    weights = (len(codes) / np.maximum(counts, 1))[codes]
    parameters = _PARAMETERS | {"num_class": len(material.conditions), "num_threads": threads, "seed": seed}

    def stop(state: Any) -> None:
        if time.monotonic() > end:
            raise lightgbm.callback.EarlyStopException(state.iteration, [])

    dataset = lightgbm.Dataset(inputs, codes, weight=weights, free_raw_data=True)
    booster = lightgbm.train(parameters, dataset, num_boost_round=_ROUNDS, callbacks=[stop])
    return Trees(booster, material, people)


def samples(material: Material, people: Profile, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(N, S) summaries and (N,) codes into the material's conditions."""
    rng = np.random.default_rng(seed)
    inputs, codes = [], []
    for node in material.nodes:
        for _ in range(_DRAWS):
            ends = np.arange(int(rng.integers(_STRIDE)), len(node.code), _STRIDE)
            ends = ends[(node.code[ends] == 0) | ((node.code[ends] > 0) & (node.exposed[ends] >= _CLEAR))]
            own = _hour(node, material, rng)
            inputs.append(summarise(node.levels, material.kinds, own, people, material.window, ends))
            codes.append(node.code[ends].astype(np.int64))
    return np.concatenate(inputs), np.concatenate(codes)


def _hour(node: Node, material: Material, rng: np.random.Generator) -> Profile:
    """The node's profile from one random hour of its normal traffic."""
    start = int(rng.choice(node.hours))
    chosen = np.zeros(len(node.series), np.bool_)
    chosen[start : start + material.window] = True
    return profile(node.levels, material.kinds, chosen)
