"""What the rows of the 5G core's table say beside what they hold: figures of a row, and of a row among its neighbours.

A fault befalls one of three functions, any of them, and 30 episodes a kind are few. So what is told alike of each is told of
the one that stands out, and the six counts of octets are set against one another: where a link is cut or loses packets the
functions' traffic no longer fits together, and the processors no longer fit the traffic.
"""

from __future__ import annotations

from itertools import combinations
from typing import Final

import numpy as np

from faultprint.arrays import BoolArray, Float32Array
from faultprint_lab.benchmark.fivegcore.dataset import CATALOGUE, FUNCTIONS, CoreRows

REACH: Final = 5
"""Rows before and after a row that are read with it: an episode has five, so its end shows. A row is named 50 s late for it."""
NEAR: Final = 2
"""Rows before and after a row that its mean is taken over: 20 s late."""
_HEARTBEAT: Final = 1000.0
"""Octets a step below which there is no traffic, only the functions asking after each other."""
_NARROWEST: Final = 0.05
"""Added to standard deviations: what never moves in normal rows must not be divided by nothing."""


def signs(rows: CoreRows, normal: BoolArray) -> Float32Array:
    """(T, K) all figures of each row, in standard deviations of the rows `normal` (T,), on a logarithmic scale.

    Octets, their differences, each against the others; processors' load, and against the function's own octets; the function
    that stands out; the largest step of a memory's use.
    """
    values = _filled(rows, normal)
    octets, busy = _octets(values), _busy(values)
    pairs = np.stack([octets[:, i] - octets[:, j] for i, j in combinations(range(octets.shape[1]), 2)], axis=1)
    idle = [_residual(busy[:, i], octets[:, [i, i + len(FUNCTIONS)]], normal) for i in range(len(FUNCTIONS))]
    used = 100 * _columns(values, "memory_used")
    step = np.abs(np.diff(used, axis=0, prepend=used[:1])).max(axis=1, keepdims=True)
    parts = (octets, pairs, _unlike(octets, normal), busy, np.stack(idle, axis=1), _foremost(values, busy), step)
    return _scaled(np.concatenate(parts, axis=1), normal)


def shared_signs(rows: CoreRows, normal: BoolArray) -> Float32Array:
    """(T, 9) the figures that are the same whichever function is befallen, as `signs`; means over the rows around."""
    values = _filled(rows, normal)
    unlike = _unlike(_octets(values), normal).reshape(len(values), 2, len(FUNCTIONS))
    ordered = np.sort(unlike, axis=2).reshape(len(values), -1)
    figures = _scaled(np.concatenate([_foremost(values, _busy(values)), ordered], axis=1), normal)
    means: Float32Array = among(figures, NEAR).reshape(len(figures), 2 * NEAR + 1, -1).mean(axis=1)
    return means


def among(figures: Float32Array, reach: int) -> Float32Array:
    """(T, (2 · reach + 1) · K) every row of `figures` (T, K) between `reach` rows before and after it, in order of time; at the
    ends the last there is."""
    padded = np.pad(figures, ((reach, reach), (0, 0)), mode="edge")
    return np.concatenate([padded[start : start + len(figures)] for start in range(2 * reach + 1)], axis=1)


def _filled(rows: CoreRows, normal: BoolArray) -> Float32Array:
    """(T, 33) values, those of a row that was not observed as normal ones are."""
    values = rows.series.values
    return np.where(np.isnan(values), np.median(values[normal], axis=0), values)


def _columns(values: Float32Array, figure: str) -> Float32Array:
    """(T, 3) the figure of each function."""
    columns = [CATALOGUE.index(f"{name}.{figure}") for name in FUNCTIONS]
    return values[:, columns]


def _octets(values: Float32Array) -> Float32Array:
    """(T, 6) logarithms of what came in, then of what went out, of each function."""
    ways = [_columns(values, f"{way}_octets") for way in ("in", "out")]
    return np.asarray(np.log1p(np.concatenate(ways, axis=1) / _HEARTBEAT), np.float32)


def _busy(values: Float32Array) -> Float32Array:
    """(T, 3) logarithms of the per cent of the time that each function's cores were not idle."""
    idle = (_columns(values, "core0_idle") + _columns(values, "core1_idle")) / 2
    return np.asarray(np.log1p(np.maximum(100 * (1 - idle), 0)), np.float32)


def _foremost(values: Float32Array, busy: Float32Array) -> Float32Array:
    """(T, 3) of the function that stands out: load, interface down, memory short."""
    worst = [busy, _columns(values, "down"), _columns(values, "memory_state")]
    return np.stack([figure.max(axis=1) for figure in worst], axis=1)


def _unlike(octets: Float32Array, normal: BoolArray) -> Float32Array:
    """(T, 6) each count of octets minus what the five others would have it be."""
    return np.stack([_residual(octets[:, i], np.delete(octets, i, axis=1), normal) for i in range(6)], axis=1)


def _residual(figure: Float32Array, others: Float32Array, normal: BoolArray) -> Float32Array:
    """(T,) `figure` minus its least-squares guess from `others` (T, K), as it is in normal rows."""
    inputs = np.column_stack([others, np.ones(len(others), np.float32)])
    slope = np.linalg.lstsq(inputs[normal], figure[normal], rcond=None)[0]
    return np.asarray(figure - inputs @ slope, np.float32)


def _scaled(figures: Float32Array, normal: BoolArray) -> Float32Array:
    """Departures in standard deviations, logarithmic; the mean of normal rows is the origin."""
    own = figures[normal]
    departure = (figures - own.mean(axis=0)) / (own.std(axis=0) + np.float32(_NARROWEST))
    level = np.copysign(np.log1p(np.abs(departure)), departure)
    return np.asarray(level - level[normal].mean(axis=0), np.float32)
