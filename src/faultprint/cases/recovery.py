"""Whether a fault is still there, which its window cannot say: it holds the fault for an hour after the end.

While a node's verdict is a fault, the last minutes are judged by themselves (`embedding.recent`), against the same
references by the same rule. The fault is over once they have been normal `persistence` minutes in a row, and back once
they have not been normal as often.
"""

from __future__ import annotations

import numpy as np

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.cases.decision import Rule, faulty, raw_verdicts
from faultprint.cases.matching import NORMAL_INDEX, Matcher
from faultprint.embedding.model import Model, NodeBaseline
from faultprint.embedding.short_window import embed_short_windows
from faultprint.windows.series import Series


def is_recovered(
    series: Series, normal: NodeBaseline, model: Model, matcher: Matcher, rule: Rule, ends: IntArray
) -> BoolArray:
    """(N,) whether the last minutes up to `ends` (ascending indices) claim to be normal; no, where they cannot be judged."""
    if normal.short_mean is None or not len(ends):
        return np.zeros(len(ends), np.bool_)
    return recovered_minutes(
        embed_short_windows(model, series, normal.profile, ends) - normal.short_mean, matcher, rule
    )


def recovered_minutes(vectors: Float32Array, matcher: Matcher, rule: Rule) -> BoolArray:
    """(N,) whether recent minutes' vectors (N, D), minus their node's normal, claim to be normal; NaN does not."""
    claimed = raw_verdicts(matcher.match(vectors), ~np.isnan(vectors[:, 0]), rule)
    found: BoolArray = claimed == NORMAL_INDEX
    return found


ActiveState = tuple[BoolArray, BoolArray, IntArray]
"""Of each node whether its verdict was a fault, whether that is there, and for how many minutes in a row the recent ones
have said otherwise; (N,) each."""


def step_all(standings: ActiveState, fault: BoolArray, quiet: BoolArray, persistence: int) -> ActiveState:
    """The standings after one more minute: `fault` (N,) whose verdict is one, `quiet` (N,) whose recent minutes are normal."""
    raised, there, against = standings
    contrary = fault & raised & (quiet == there)
    against = np.where(contrary, against + 1, 0)
    turned = against >= persistence
    there = fault & (~raised | (there ^ turned))
    return fault, there, np.where(turned, 0, against)


def active(codes: IntArray, quiet: BoolArray, persistence: int) -> BoolArray:
    """(N,) whether a fault is there, minute by minute, from the verdict codes and the recent minutes of one node.

    A fault's first verdict raises it; from then on only the recent minutes lower it and raise it again, until the verdict
    leaves the fault itself.
    """
    fault, result = faulty(codes), np.zeros(len(codes), np.bool_)
    no = np.zeros(1, np.bool_)
    before: ActiveState = no, no, np.zeros(1, np.int64)
    standings = before
    for index in np.flatnonzero(fault):
        if index and not fault[index - 1]:
            standings = before
        standings = step_all(standings, fault[index : index + 1], quiet[index : index + 1], persistence)
        result[index] = standings[1][0]
    return result
