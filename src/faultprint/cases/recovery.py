"""Whether a fault is still active.

A window holds a fault for an hour after its end. So while a node's verdict is a fault, its last few minutes are judged
by themselves (`embedding.short_window`), with the same references and the same rule. The fault is over once they were
normal `persistence` minutes in a row, and active again once they were not normal as often.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.cases.decision import Rule, VerdictCode, is_fault, raw_verdicts
from faultprint.cases.matching import Matcher
from faultprint.embedding.model import Model, NodeBaseline
from faultprint.windows.series import Series


def is_recovered(
    series: Series, baseline: NodeBaseline, model: Model, matcher: Matcher, rule: Rule, last_minutes: IntArray
) -> BoolArray:
    """(N,) whether the short windows that end at `last_minutes` (ascending indices) are normal by themselves.

    False if the model or the node's baseline cannot judge short windows.
    """
    if baseline.short_mean is None or not len(last_minutes):
        return np.zeros(len(last_minutes), np.bool_)
    vectors = model.embed_short_windows(series, baseline.profile, last_minutes) - baseline.short_mean
    return recovered_minutes(vectors, matcher, rule)


def recovered_minutes(vectors: Float32Array, matcher: Matcher, rule: Rule) -> BoolArray:
    """(N,) whether short windows are normal: their vectors (N, D), minus the node's short mean. NaN is not normal."""
    recovered: BoolArray = raw_verdicts(matcher.match(vectors), ~np.isnan(vectors[:, 0]), rule) == VerdictCode.NORMAL
    return recovered


@dataclass(frozen=True, slots=True)
class ActiveState:
    """Of N nodes, (N,) each.

    fault   the last verdict was a fault
    active  that fault is active
    count   minutes in a row in which the short windows contradicted `active`
    """

    fault: BoolArray
    active: BoolArray
    count: IntArray

    @classmethod
    def initial(cls, nodes: int) -> Self:
        """Nodes without a fault."""
        return cls(np.zeros(nodes, np.bool_), np.zeros(nodes, np.bool_), np.zeros(nodes, np.int64))


def next_state(state: ActiveState, fault: BoolArray, recovered: BoolArray, persistence: int) -> ActiveState:
    """The state one minute later: `fault` (N,) the verdict is a fault, `recovered` (N,) the short window is normal."""
    contradicted = fault & state.fault & (recovered == state.active)
    count = np.where(contradicted, state.count + 1, 0)
    turned = count >= persistence
    active = fault & (~state.fault | (state.active ^ turned))
    return ActiveState(fault, active, np.where(turned, 0, count))


def active(codes: IntArray, recovered: BoolArray, persistence: int) -> BoolArray:
    """(N,) whether a fault is active in each minute of one node: from its verdict codes and recovered minutes (N,).

    The first verdict of a fault activates it. After that only the short windows end it and activate it again, until
    the verdict is no fault. A node without traffic has an active fault, whatever the short windows say.
    """
    fault, result = is_fault(codes), np.zeros(len(codes), np.bool_)
    recovered = recovered & (codes != VerdictCode.NO_TRAFFIC)
    state = ActiveState.initial(1)
    for index in np.flatnonzero(fault):
        if index and not fault[index - 1]:
            state = ActiveState.initial(1)
        state = next_state(state, fault[index : index + 1], recovered[index : index + 1], persistence)
        result[index] = state.active[0]
    return result
