"""How probable each condition of the library is, from the distances of a window.

Likelihoods fall with the squared distance. One number, the sharpness, is calibrated on labelled windows: with it, of the
windows whose condition has a probability of 0.8, about 80 of 100 have that condition. The probabilities hold among the
conditions of the library; a fault that it lacks is a matter of `decision.Rule`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from faultprint.arrays import Float32Array, Float64Array, IntArray
from faultprint.cases.matching import Matches

_CANDIDATES: Final = np.geomspace(0.05, 50, 61)
_LEAST: Final = 1e-6
"""Probability below which a wrong window costs no more."""


def probabilities(matches: Matches, sharpness: float) -> Float64Array:
    """(N, C) the probability of each condition; NaN in a row without distances."""
    return _softmax(_exponents(matches), sharpness)


def probability_of(matches: Matches, codes: IntArray, sharpness: float) -> Float32Array:
    """(N,) the probability of each window's condition `codes` (N,); NaN for a negative code."""
    chosen = probabilities(matches, sharpness)[np.arange(len(codes)), np.maximum(codes, 0)]
    return np.where(codes >= 0, chosen, np.nan).astype(np.float32)


def fit_sharpness(labelled: Sequence[tuple[Matches, IntArray]]) -> float:
    """The sharpness under which the true conditions are most probable; 1 without a labelled window.

    labelled  matches of N windows and the index of each one's true condition (N,), -1 if it is not known

    Every condition has the same weight, however many windows it has.
    """
    exponents, truth = [], []
    for matches, codes in labelled:
        known = codes >= 0
        exponents.append(_exponents(matches)[known])
        truth.append(codes[known])
    if not sum(map(len, truth)):
        return 1.0
    exponent, code = np.concatenate(exponents), np.concatenate(truth)
    weight = 1.0 / np.bincount(code)[code]
    rows = np.arange(len(code))

    def score(sharpness: float) -> float:
        return float(weight @ np.log(np.maximum(_softmax(exponent, sharpness)[rows, code], _LEAST)))

    return float(max(_CANDIDATES, key=score))


def _exponents(matches: Matches) -> Float64Array:
    """(N, C) how much further each condition is than the nearest, in squared distances of `scale`; at most 0."""
    squares = matches.distances.astype(np.float64) ** 2
    exponents: Float64Array = (squares.min(axis=1, keepdims=True) - squares) / matches.scale
    return exponents


def _softmax(exponents: Float64Array, sharpness: float) -> Float64Array:
    likelihood = np.exp(exponents * sharpness)
    probability: Float64Array = likelihood / likelihood.sum(axis=1, keepdims=True)
    return probability
