"""Classify the rows of the 5G core's table: fit on four blocks of the time, classify the fifth."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.training.score import centroids, macro_f1, nearest_centroid
from faultprint.windows.levels import FeatureKinds, compute_levels
from faultprint.windows.normalisation import CHANNELS, fill_missing, normalise
from faultprint.windows.profile import build_profile, population_profile
from faultprint_lab.baselines.trees import train_trees
from faultprint_lab.benchmark.fivegcore.dataset import CATALOGUE, CONDITIONS, CoreRows
from faultprint_lab.benchmark.fivegcore.encoder import encoder_probabilities
from faultprint_lab.benchmark.fivegcore.row_features import CONTEXT, all_features, shared_features, with_neighbours
from faultprint_lab.benchmark.trials import BenchmarkTrial

BLOCKS: Final = 5
"""Consecutive blocks of time."""
LAGS: Final = 2
"""Earlier rows that are added to the input of LightGBM on raw values."""
VALIDATION_SHARE: Final = 3 / 5
"""Share of the time, from the start, that is the validation split: development never saw the last two blocks of the test."""


def run_trial(trial: BenchmarkTrial, system: str, rows: CoreRows, seconds: float) -> dict[str, Any]:
    """Figures of a system over the rows of the split; each block is classified by a fit on the other blocks.

    A fit takes at most `seconds`.
    """
    if trial.split == "validation":
        rows = rows.first(VALIDATION_SHARE)
    predicted = np.zeros(len(rows.code), np.int64)
    block = np.arange(len(rows.code)) * BLOCKS // len(rows.code)
    classifier = CLASSIFIERS[trial.protocol][system]
    for number in range(BLOCKS):
        known = (block != number) & rows.series.observed
        if trial.protocol == "blocked-cv-one-shot":
            known = _one_episode(rows.code, known, np.random.default_rng([trial.seed, number]))
        predicted[block == number] = classifier(rows, known, trial.seed, seconds)[block == number]
    observed = rows.series.observed
    truth, predicted = rows.code[observed], predicted[observed]
    recall = [float((predicted[truth == code] == code).mean()) for code in range(len(CONDITIONS))]
    return {"row_macro_f1": macro_f1(truth, predicted), "balanced_accuracy": float(np.mean(recall)), "rows": len(truth)}


def exclusion_reason(trial: BenchmarkTrial, system: str) -> str:
    """Why a system takes no part; empty if it does."""
    if not any(system in classifiers for classifiers in CLASSIFIERS.values()):
        return "it names windows of an hour, and episodes of the 5G core last five rows of 10 s"
    return "" if system in CLASSIFIERS[trial.protocol] else "it cannot be trained on one episode of each fault"


def _embedded(rows: CoreRows, known: BoolArray, seed: int, seconds: float) -> IntArray:
    """The nearest prototype of encoders that see each row with its neighbours; rare conditions are less likely."""
    inputs = with_neighbours(all_features(rows, known & (rows.code == 0)), CONTEXT)
    probabilities = encoder_probabilities(
        inputs, known, rows.code, len(CONDITIONS), seed=seed, seconds=seconds, clock=time.thread_time
    )
    return np.asarray(probabilities.argmax(axis=1), np.int64)


def _shared(rows: CoreRows, known: BoolArray, seed: int, seconds: float) -> IntArray:
    """The nearest mean of the features that are the same for all three functions; only normal rows are used to scale them."""
    return _nearest_mean(shared_features(rows, known & (rows.code == 0)), rows.code, known)


def _boosted(rows: CoreRows, known: BoolArray, seed: int, seconds: float) -> IntArray:
    """LightGBM on the input of the encoders."""
    return _boosted_trees(
        with_neighbours(all_features(rows, known & (rows.code == 0)), CONTEXT), rows.code, known, seed, seconds
    )


def _boosted_raw(rows: CoreRows, known: BoolArray, seed: int, seconds: float) -> IntArray:
    """LightGBM on the row as it is, with earlier rows."""
    return _boosted_trees(_lagged(fill_missing(rows.series.values)), rows.code, known, seed, seconds)


def _nearest(rows: CoreRows, known: BoolArray, seed: int, seconds: float) -> IntArray:
    """The nearest mean of the known rows of a condition, in z-scores; normal is the origin."""
    kinds = FeatureKinds.from_catalogue(CATALOGUE)
    row_levels = compute_levels(rows.series, kinds, (1,))
    baseline = build_profile(row_levels, kinds, known & (rows.code == 0))
    z_scores = normalise(row_levels, kinds, baseline, population_profile([baseline], kinds)).reshape(
        len(rows.code), CHANNELS, -1
    )[:, 0]
    return _nearest_mean(z_scores, rows.code, known)


RowClassifier = Callable[[CoreRows, BoolArray, int, float], IntArray]
CLASSIFIERS: Final[Mapping[str, Mapping[str, RowClassifier]]] = {
    "blocked-cv": {"default": _embedded, "lightgbm": _boosted, "lightgbm-raw": _boosted_raw, "1-nn": _nearest},
    "blocked-cv-one-shot": {"default": _shared, "1-nn": _nearest},
}
"""The systems that take part, by protocol."""


def _nearest_mean(vectors: Float32Array, code: IntArray, known: BoolArray) -> IntArray:
    """(T,) the condition whose known rows have the mean nearest to each of `vectors` (T, K); normal is the origin."""
    return nearest_centroid(vectors, centroids(vectors[known], code[known], len(CONDITIONS)))


def _lagged(values: Float32Array) -> Float32Array:
    """(T, (1 + LAGS) · K): every row with the rows before it."""
    return np.concatenate([values] + [np.roll(values, lag, axis=0) for lag in range(1, LAGS + 1)], axis=1)


def _boosted_trees(inputs: Float32Array, code: IntArray, known: BoolArray, seed: int, seconds: float) -> IntArray:
    """The most probable condition of each row, with conditions as frequent as in the data."""
    booster = train_trees(
        CONDITIONS,
        inputs[known],
        code[known],
        seed=seed,
        max_seconds=seconds,
        threads=1,
        balanced=False,
        clock=time.thread_time,
    )
    return np.asarray(np.asarray(booster.predict(inputs, num_threads=1)).argmax(axis=1), np.int64)


def _one_episode(code: IntArray, known: BoolArray, rng: np.random.Generator) -> BoolArray:
    """The known normal rows, and one completely known episode of each fault."""
    edges = np.flatnonzero(np.diff(code, prepend=0, append=0))
    chosen = known & (code == 0)
    runs = [(start, stop) for start, stop in itertools.pairwise(edges) if code[start] and known[start:stop].all()]
    for fault in range(1, len(CONDITIONS)):
        episodes = [run for run in runs if code[run[0]] == fault]
        start, stop = episodes[int(rng.integers(len(episodes)))]
        chosen[start:stop] = True
    return np.asarray(chosen, np.bool_)
