"""Whether a fault is still there, which its window cannot say: it holds the fault for an hour after the end.

While a node's verdict is a fault, the last minutes are judged by themselves (`embedding.recent`), against the same
references by the same rule. The fault is over once they have been normal `persistence` minutes in a row, and back once
they have not been normal as often.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faultprint.cases.decision import WARMING_CODE, Rule, claims
from faultprint.cases.matching import NORMAL_INDEX, Matcher
from faultprint.embedding.model import Model
from faultprint.embedding.recent import MINUTES, recent
from faultprint.windows.profile import Profile
from faultprint.windows.series import Series


def faulty(codes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N,) which verdict codes (`cases.decision`) are of a fault, a known or an unknown one."""
    fault: NDArray[np.bool_] = (codes != NORMAL_INDEX) & (codes != WARMING_CODE)
    return fault


def quiet(
    series: Series,
    normal: NDArray[np.bool_],
    own: Profile,
    model: Model,
    matcher: Matcher,
    rule: Rule,
    ends: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """(N,) whether the last minutes up to `ends` (ascending indices) claim to be normal; no, where too few were observed,
    and where the model's encoder reads whole windows only.

    `normal` (T,) bool are the minutes that `own` is the profile of.
    """
    if model.manifest.encoder != "pooled":
        return np.zeros(len(ends), np.bool_)
    history = np.convolve(normal & series.observed, np.ones(MINUTES, np.int64))[: len(series)]
    usual = recent(model, series, own, np.flatnonzero(history == MINUTES))
    if not len(usual) or not len(ends):
        return np.zeros(len(ends), np.bool_)
    vectors = recent(model, series, own, ends)
    known = ~np.isnan(vectors[:, 0])
    calm: NDArray[np.bool_] = claims(matcher.match(vectors - usual.mean(axis=0)), known, rule) == NORMAL_INDEX
    return calm


def ongoing(codes: NDArray[np.int64], quiet: NDArray[np.bool_], persistence: int) -> NDArray[np.bool_]:
    """(N,) whether a fault is there, minute by minute, from the verdict codes and the recent minutes of one node.

    A fault's first verdict raises it; from then on only the recent minutes lower it and raise it again, until the verdict
    leaves the fault itself.
    """
    result = np.zeros(len(codes), np.bool_)
    raised = there = False
    against = 0
    for index, (fault, calm) in enumerate(zip(faulty(codes).tolist(), quiet.tolist(), strict=True)):
        if not fault:
            raised = there = False
        elif not raised:
            raised = there = True
            against = 0
        elif calm is not there:
            against = 0
        else:
            against += 1
            if against >= persistence:
                there, against = not there, 0
        result[index] = there
    return result
