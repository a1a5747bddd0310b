"""Systems that differ by node."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from faultprint.arrays import BoolArray, IntArray
from faultprint.cases.decision import Rule
from faultprint.cases.matching import Matches
from faultprint.cases.scope import EvaluationScope
from faultprint.windows.series import Series
from faultprint_lab.baselines.systems import ranked
from faultprint_lab.benchmark.competitors.competitor import Own

EPOCH_US = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1e6)


class Constant:
    """Puts every window at one distance from normal."""

    name, loosest = "constant", 1.0

    def __init__(self, distance: float) -> None:
        self.distance = distance

    def match(self, place: EvaluationScope) -> Matches:
        return ranked(("normal",), np.full((len(place.last_minutes), 1), self.distance, np.float32))


class Calm(Constant):
    """Whose last minutes are always normal."""

    def quiet(self, place: EvaluationScope, rule: Rule, ends: IntArray) -> BoolArray:
        return np.ones(len(ends), np.bool_)


def ground(node: str) -> EvaluationScope:
    values = np.zeros((3, 1), np.float32)
    series = Series(node, "n", EPOCH_US, 60_000_000, ("x",), values, np.ones(3, np.bool_))
    return EvaluationScope(series, np.zeros(3, np.bool_), np.arange(3), 0)


def test_each_node_is_asked_of_its_own_system() -> None:
    own = Own({"a": Calm(1), "b": Constant(2)}, Constant(3))
    for node, distance, calm in (("a", 1, True), ("b", 2, False), ("c", 3, False)):
        place = ground(node)
        assert own.match(place).distances.tolist() == [[distance]] * 3
        assert own.quiet(place, Rule(), np.arange(2)).tolist() == [calm] * 2
