"""Systems that differ by node."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from faultprint.arrays import BoolArray, IntArray
from faultprint.cases.decision import Rule
from faultprint.cases.matching import Matches
from faultprint.cases.scope import EvaluationScope
from faultprint.windows.series import Series
from faultprint_lab.baselines.systems import matches_of
from faultprint_lab.benchmark.competitors.competitor import PerNodeSystem

EPOCH_US = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1e6)


class Constant:
    """Puts every window at one distance from normal."""

    name, max_ratio = "constant", 1.0

    def __init__(self, distance: float) -> None:
        self.distance = distance

    def match(self, scope: EvaluationScope) -> Matches:
        return matches_of(("normal",), np.full((len(scope.last_minutes), 1), self.distance, np.float32))


class Recovered(Constant):
    """Its last minutes are always normal."""

    def is_recovered(self, scope: EvaluationScope, rule: Rule, ends: IntArray) -> BoolArray:
        return np.ones(len(ends), np.bool_)


def scope_of_node(node: str) -> EvaluationScope:
    values = np.zeros((3, 1), np.float32)
    series = Series(node, "n", EPOCH_US, 60_000_000, ("x",), values, np.ones(3, np.bool_))
    return EvaluationScope(series, np.zeros(3, np.bool_), np.arange(3), 0)


def test_each_node_has_its_own_system() -> None:
    systems = PerNodeSystem({"a": Recovered(1), "b": Constant(2)}, Constant(3))
    for node, distance, recovered in (("a", 1, True), ("b", 2, False), ("c", 3, False)):
        scope = scope_of_node(node)
        assert systems.match(scope).distances.tolist() == [[distance]] * 3
        assert systems.is_recovered(scope, Rule(), np.arange(2)).tolist() == [recovered] * 2
