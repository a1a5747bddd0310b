from __future__ import annotations

import numpy as np
import pytest
from tests.synthetic import minutes

from faultprint.cases.scope import EvaluationScope
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.windows.series import build_series
from faultprint_lab.benchmark.competitors.operator_rules import RULES, Clause, RuleSystem, Threshold
from faultprint_lab.simulate.faults.table import FAULTS

SHARE = "in.bye.timeout_share"


def scope_with(values: list[float], feature: str = SHARE, attempts: float = 60) -> EvaluationScope:
    frame = minutes("a-1", 100)
    node = build_series(frame, SIP_CATALOGUE.names)[0]
    node.values[:, SIP_CATALOGUE.index("in.bye.attempts")] = attempts
    node.values[-len(values) :, SIP_CATALOGUE.index(feature)] = values
    normal = np.zeros(100, np.bool_)
    normal[:60] = True
    return EvaluationScope(node, normal, np.arange(99, 100), 60)


def distance(scope: EvaluationScope, rule: Threshold) -> float:
    matches = RuleSystem(SIP_CATALOGUE, [rule]).match(scope)
    assert matches.conditions == ("normal", "fault") and matches.distances[0, 0] == 1
    return float(matches.distances[0, 1])


def test_every_rule_has_known_features_and_every_simulated_fault_has_a_rule() -> None:
    assert {clause.feature for rule in RULES for clause in rule.clauses} <= set(SIP_CATALOGUE.names)
    assert set(FAULTS) <= {rule.condition for rule in RULES}


def test_the_weakest_minute_of_the_duration_counts() -> None:
    rule = Threshold("fault", (Clause(SHARE, 0.2),), minutes=3)
    assert distance(scope_with([0.4, 0.4, 0.4]), rule) == pytest.approx(0.5)
    assert distance(scope_with([0.8, 0.4, 0.1]), rule) == pytest.approx(2)
    assert distance(scope_with([0.1, 0.4, 0.4, 0.4]), rule) == pytest.approx(0.5)


def test_all_clauses_must_hold_and_need_enough_events() -> None:
    both = Threshold("fault", (Clause(SHARE, 0.2), Clause("in.bye.delay_median", 100)), minutes=1)
    assert distance(scope_with([0.8]), both) > 100
    single = Threshold("fault", (Clause(SHARE, 0.2, min_events=5),), minutes=1)
    assert distance(scope_with([0.8], attempts=4), single) > 1e5
    assert distance(scope_with([float("nan")]), single) > 1e5


def test_bounds_can_be_complements_and_multiples_of_normal() -> None:
    complement = Threshold("fault", (Clause(SHARE, 0.5, complement=True),), minutes=1)
    assert distance(scope_with([0.25]), complement) == pytest.approx(0.5 / 0.75)
    less = Threshold("fault", (Clause("node.messages", 0.5, times_normal=True, below=True),), minutes=1)
    scope = scope_with([10.0], "node.messages")
    median = float(np.median(scope.series.values[:60, SIP_CATALOGUE.index("node.messages")]))
    assert distance(scope, less) == pytest.approx(10 / (0.5 * median))
