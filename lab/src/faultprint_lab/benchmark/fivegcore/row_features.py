"""Features of the rows of the 5G core's table, and of rows with their neighbours.

A fault affects one of three functions, any of them, and there are only 30 episodes of each kind. So the same figures are
taken of the most affected function, and each of the six octet counts is compared with the others: where a link is cut or
loses packets, the traffic of the functions no longer matches, and processor load no longer matches the traffic.
"""

from __future__ import annotations

from itertools import combinations
from typing import Final

import numpy as np

from faultprint.arrays import BoolArray, Float32Array
from faultprint_lab.benchmark.fivegcore.dataset import CATALOGUE, FUNCTIONS, CoreRows

CONTEXT: Final = 5
"""Rows before and after a row that are read with it. An episode has five rows, so its end is visible; the result is 50 s late."""
AVERAGED: Final = 2
"""Rows before and after a row that are averaged with it; the result is 20 s late."""
_IDLE_OCTETS: Final = 1000.0
"""Octets in a step below which there is no traffic except heartbeats between the functions."""
_MIN_SPREAD: Final = 0.05
"""Added to standard deviations, so that a column that is constant in normal rows is not divided by zero."""


def all_features(rows: CoreRows, normal: BoolArray) -> Float32Array:
    """(T, K) all figures of each row, in standard deviations of the rows `normal` (T,), on a logarithmic scale.

    Octets, their differences, and each count compared with the others; processor load, and load compared with the function's
    octets; the most affected function; the largest change of a memory's use.
    """
    values = _filled(rows, normal)
    octets, load = _octets(values), _load(values)
    pairs = np.stack([octets[:, i] - octets[:, j] for i, j in combinations(range(octets.shape[1]), 2)], axis=1)
    unexplained = [_residual(load[:, i], octets[:, [i, i + len(FUNCTIONS)]], normal) for i in range(len(FUNCTIONS))]
    used = 100 * _columns(values, "memory_used")
    step = np.abs(np.diff(used, axis=0, prepend=used[:1])).max(axis=1, keepdims=True)
    parts = (
        octets,
        pairs,
        _residuals(octets, normal),
        load,
        np.stack(unexplained, axis=1),
        _most_affected(values, load),
        step,
    )
    return _scaled(np.concatenate(parts, axis=1), normal)


def shared_features(rows: CoreRows, normal: BoolArray) -> Float32Array:
    """(T, 9) the figures that are the same whichever function is affected, averaged over neighbouring rows."""
    values = _filled(rows, normal)
    residuals = _residuals(_octets(values), normal).reshape(len(values), 2, len(FUNCTIONS))
    ordered = np.sort(residuals, axis=2).reshape(len(values), -1)
    figures = _scaled(np.concatenate([_most_affected(values, _load(values)), ordered], axis=1), normal)
    means: Float32Array = with_neighbours(figures, AVERAGED).reshape(len(figures), 2 * AVERAGED + 1, -1).mean(axis=1)
    return means


def with_neighbours(figures: Float32Array, reach: int) -> Float32Array:
    """(T, (2 · reach + 1) · K) every row of `figures` (T, K) with `reach` rows before and after it, in order of time.

    At the ends the first or last row is repeated.
    """
    padded = np.pad(figures, ((reach, reach), (0, 0)), mode="edge")
    return np.concatenate([padded[start : start + len(figures)] for start in range(2 * reach + 1)], axis=1)


def _filled(rows: CoreRows, normal: BoolArray) -> Float32Array:
    """(T, 33) values; rows that were not observed get the median of normal rows."""
    values = rows.series.values
    return np.where(np.isnan(values), np.median(values[normal], axis=0), values)


def _columns(values: Float32Array, figure: str) -> Float32Array:
    """(T, 3) one figure of each function."""
    columns = [CATALOGUE.index(f"{name}.{figure}") for name in FUNCTIONS]
    return values[:, columns]


def _octets(values: Float32Array) -> Float32Array:
    """(T, 6) logarithms of the octets in, then out, of each function."""
    directions = [_columns(values, f"{direction}_octets") for direction in ("in", "out")]
    return np.asarray(np.log1p(np.concatenate(directions, axis=1) / _IDLE_OCTETS), np.float32)


def _load(values: Float32Array) -> Float32Array:
    """(T, 3) logarithms of the percentage of time in which each function's cores were not idle."""
    idle = (_columns(values, "core0_idle") + _columns(values, "core1_idle")) / 2
    return np.asarray(np.log1p(np.maximum(100 * (1 - idle), 0)), np.float32)


def _most_affected(values: Float32Array, load: Float32Array) -> Float32Array:
    """(T, 3) maxima over the functions: load, interface down, memory state."""
    figures = [load, _columns(values, "down"), _columns(values, "memory_state")]
    return np.stack([figure.max(axis=1) for figure in figures], axis=1)


def _residuals(octets: Float32Array, normal: BoolArray) -> Float32Array:
    """(T, 6) each count of octets minus its prediction from the other five."""
    return np.stack([_residual(octets[:, i], np.delete(octets, i, axis=1), normal) for i in range(6)], axis=1)


def _residual(figure: Float32Array, others: Float32Array, normal: BoolArray) -> Float32Array:
    """(T,) `figure` minus its least-squares prediction from `others` (T, K), fitted on normal rows."""
    inputs = np.column_stack([others, np.ones(len(others), np.float32)])
    slope = np.linalg.lstsq(inputs[normal], figure[normal], rcond=None)[0]
    return np.asarray(figure - inputs @ slope, np.float32)


def _scaled(figures: Float32Array, normal: BoolArray) -> Float32Array:
    """Deviations in standard deviations, on a logarithmic scale; the mean of normal rows is 0."""
    normal_rows = figures[normal]
    deviation = (figures - normal_rows.mean(axis=0)) / (normal_rows.std(axis=0) + np.float32(_MIN_SPREAD))
    level = np.copysign(np.log1p(np.abs(deviation)), deviation)
    return np.asarray(level - level[normal].mean(axis=0), np.float32)
