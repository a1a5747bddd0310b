"""Who names the rows of the 5G core's table, and how: fitted on four parts of the time, asked about the fifth."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.training.score import macro_f1, nearest, references
from faultprint.windows.levels import Kinds, levels
from faultprint.windows.normalise import CHANNELS, normalise, raw
from faultprint.windows.profile import population, profile
from faultprint_lab.baselines.trees import grow
from faultprint_lab.benchmark.fivegcore.dataset import CATALOGUE, CONDITIONS, CoreRows
from faultprint_lab.benchmark.fivegcore.encoder import judged
from faultprint_lab.benchmark.fivegcore.row_features import REACH, among, shared_signs, signs
from faultprint_lab.benchmark.trials import BenchmarkTrial

PARTS: Final = 5
LAGS: Final = 2
CHOSEN: Final = 3 / 5
"""Share of the time, from the start, that the split `choose` is: what is tried never sees the last two parts of the report."""


def play(trial: BenchmarkTrial, system: str, rows: CoreRows, seconds: float) -> dict[str, Any]:
    """The figures of a system over the split's rows, each named by what was fitted, for so many seconds, on the other parts."""
    if trial.split == "choose":
        rows = rows.first(CHOSEN)
    said = np.zeros(len(rows.code), np.int64)
    part = np.arange(len(rows.code)) * PARTS // len(rows.code)
    namer = NAMERS[trial.protocol][system]
    for number in range(PARTS):
        known = (part != number) & rows.series.observed
        if trial.protocol == "by-time-one":
            known = _one_episode(rows.code, known, np.random.default_rng([trial.seed, number]))
        said[part == number] = namer(rows, known, trial.seed, seconds)[part == number]
    asked = rows.series.observed
    truth, said = rows.code[asked], said[asked]
    recall = [float((said[truth == code] == code).mean()) for code in range(len(CONDITIONS))]
    return {"row_macro_f1": macro_f1(truth, said), "balanced_accuracy": float(np.mean(recall)), "rows": len(truth)}


def refuses(trial: BenchmarkTrial, system: str) -> str:
    """Why a system has no part in it; empty if it has."""
    if not any(system in namers for namers in NAMERS.values()):
        return "it names windows of an hour, and episodes of the 5G core last five rows of 10 s"
    return "" if system in NAMERS[trial.protocol] else "it cannot be fitted on one episode a fault"


def _embedded(rows: CoreRows, known: BoolArray, seed: int, seconds: float) -> IntArray:
    """The nearest prototype of encoders of each row's signs among those around it, rare conditions further off."""
    inputs = among(signs(rows, known & (rows.code == 0)), REACH)
    chances = judged(inputs, known, rows.code, len(CONDITIONS), seed=seed, seconds=seconds, clock=time.thread_time)
    return np.asarray(chances.argmax(axis=1), np.int64)


def _shared(rows: CoreRows, known: BoolArray, seed: int, seconds: float) -> IntArray:
    """The nearest mean in what is told alike of all three functions; nothing is learnt but what normal rows are like."""
    return _nearest_mean(shared_signs(rows, known & (rows.code == 0)), rows.code, known)


def _boosted(rows: CoreRows, known: BoolArray, seed: int, seconds: float) -> IntArray:
    """LightGBM on what the encoders are given."""
    return _grown(among(signs(rows, known & (rows.code == 0)), REACH), rows.code, known, seed, seconds)


def _boosted_raw(rows: CoreRows, known: BoolArray, seed: int, seconds: float) -> IntArray:
    """LightGBM on the row as it is, with lags."""
    return _grown(_lagged(raw(rows.series.values)), rows.code, known, seed, seconds)


def _nearest(rows: CoreRows, known: BoolArray, seed: int, seconds: float) -> IntArray:
    """The nearest mean of the known rows of a condition, in surprise; normal is the origin."""
    kinds = Kinds.of(CATALOGUE)
    every = levels(rows.series, kinds, (1,))
    own = profile(every, kinds, known & (rows.code == 0))
    surprise = normalise(every, kinds, own, population([own], kinds)).reshape(len(rows.code), CHANNELS, -1)[:, 0]
    return _nearest_mean(surprise, rows.code, known)


Namer = Callable[[CoreRows, BoolArray, int, float], IntArray]
NAMERS: Final[Mapping[str, Mapping[str, Namer]]] = {
    "by-time": {"default": _embedded, "lightgbm": _boosted, "lightgbm-raw": _boosted_raw, "1-nn": _nearest},
    "by-time-one": {"default": _shared, "1-nn": _nearest},
}
"""Who takes part, by protocol."""


def _nearest_mean(vectors: Float32Array, code: IntArray, known: BoolArray) -> IntArray:
    """(T,) the condition whose known rows' mean is nearest to each of `vectors` (T, K); normal is the origin."""
    return nearest(vectors, references(vectors[known], code[known], len(CONDITIONS)))


def _lagged(values: Float32Array) -> Float32Array:
    """(T, (1 + LAGS) · K): every row beside those before it."""
    return np.concatenate([values] + [np.roll(values, lag, axis=0) for lag in range(1, LAGS + 1)], axis=1)


def _grown(inputs: Float32Array, code: IntArray, known: BoolArray, seed: int, seconds: float) -> IntArray:
    """The likeliest condition of each row, as often as conditions are."""
    booster = grow(
        CONDITIONS,
        inputs[known],
        code[known],
        seed=seed,
        max_seconds=seconds,
        threads=1,
        alike=False,
        clock=time.thread_time,
    )
    return np.asarray(np.asarray(booster.predict(inputs, num_threads=1)).argmax(axis=1), np.int64)


def _one_episode(code: IntArray, known: BoolArray, rng: np.random.Generator) -> BoolArray:
    """The known normal rows, and of each fault those of one episode that is wholly known."""
    edges = np.flatnonzero(np.diff(code, prepend=0, append=0))
    chosen = known & (code == 0)
    runs = [(start, stop) for start, stop in itertools.pairwise(edges) if code[start] and known[start:stop].all()]
    for fault in range(1, len(CONDITIONS)):
        own = [run for run in runs if code[run[0]] == fault]
        start, stop = own[int(rng.integers(len(own)))]
        chosen[start:stop] = True
    return np.asarray(chosen, np.bool_)
