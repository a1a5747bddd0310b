"""Whether a fault is still there, which its window cannot say: it holds the fault for an hour after the end.

While a node's verdict is a fault, the last minutes are judged by themselves (`embedding.recent`), against the same
references by the same rule. The fault is over once they have been normal `persistence` minutes in a row, and back once
they have not been normal as often.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faultprint.cases.decision import Rule, claims, faulty
from faultprint.cases.matching import NORMAL_INDEX, Matcher
from faultprint.embedding.model import Model, Normal
from faultprint.embedding.short_window import recent
from faultprint.windows.series import Series


def quiet(
    series: Series, normal: Normal, model: Model, matcher: Matcher, rule: Rule, ends: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """(N,) whether the last minutes up to `ends` (ascending indices) claim to be normal; no, where they cannot be judged."""
    if normal.recent is None or not len(ends):
        return np.zeros(len(ends), np.bool_)
    return calm(recent(model, series, normal.profile, ends) - normal.recent, matcher, rule)


def calm(vectors: NDArray[np.float32], matcher: Matcher, rule: Rule) -> NDArray[np.bool_]:
    """(N,) whether recent minutes' vectors (N, D), minus their node's normal, claim to be normal; NaN does not."""
    claimed = claims(matcher.match(vectors), ~np.isnan(vectors[:, 0]), rule)
    found: NDArray[np.bool_] = claimed == NORMAL_INDEX
    return found


Standings = tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int64]]
"""Of each node whether its verdict was a fault, whether that is there, and for how many minutes in a row the recent ones
have said otherwise; (N,) each."""


def step_all(standings: Standings, fault: NDArray[np.bool_], quiet: NDArray[np.bool_], persistence: int) -> Standings:
    """The standings after one more minute: `fault` (N,) whose verdict is one, `quiet` (N,) whose recent minutes are normal."""
    raised, there, against = standings
    contrary = fault & raised & (quiet == there)
    against = np.where(contrary, against + 1, 0)
    turned = against >= persistence
    there = fault & (~raised | (there ^ turned))
    return fault, there, np.where(turned, 0, against)


def ongoing(codes: NDArray[np.int64], quiet: NDArray[np.bool_], persistence: int) -> NDArray[np.bool_]:
    """(N,) whether a fault is there, minute by minute, from the verdict codes and the recent minutes of one node.

    A fault's first verdict raises it; from then on only the recent minutes lower it and raise it again, until the verdict
    leaves the fault itself.
    """
    fault, result = faulty(codes), np.zeros(len(codes), np.bool_)
    no = np.zeros(1, np.bool_)
    before: Standings = no, no, np.zeros(1, np.int64)
    standings = before
    for index in np.flatnonzero(fault):
        if index and not fault[index - 1]:
            standings = before
        standings = step_all(standings, fault[index : index + 1], quiet[index : index + 1], persistence)
        result[index] = standings[1][0]
    return result
