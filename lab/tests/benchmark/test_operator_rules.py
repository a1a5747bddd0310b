from __future__ import annotations

import numpy as np
import pytest
from tests.synthetic import minutes

from faultprint.cases.scope import EvaluationScope
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.windows.series import series
from faultprint_lab.benchmark.competitors.operator_rules import RULES, Clause, Ruled, Threshold
from faultprint_lab.simulate.faults.table import FAULTS

SHARE = "in.bye.timeout_share"


def ground(values: list[float], feature: str = SHARE, attempts: float = 60) -> EvaluationScope:
    frame = minutes("a-1", 100)
    one = series(frame, SIP_CATALOGUE.names)[0]
    one.values[:, SIP_CATALOGUE.index("in.bye.attempts")] = attempts
    one.values[-len(values) :, SIP_CATALOGUE.index(feature)] = values
    normal = np.zeros(100, np.bool_)
    normal[:60] = True
    return EvaluationScope(one, normal, np.arange(99, 100), 60)


def distance(place: EvaluationScope, rule: Threshold) -> float:
    matches = Ruled(SIP_CATALOGUE, [rule]).match(place)
    assert matches.conditions == ("normal", "fault") and matches.distances[0, 0] == 1
    return float(matches.distances[0, 1])


def test_every_rule_speaks_of_features_that_there_are_and_every_simulated_fault_has_one() -> None:
    assert {clause.feature for rule in RULES for clause in rule.clauses} <= set(SIP_CATALOGUE.names)
    assert set(FAULTS) <= {rule.condition for rule in RULES}


def test_the_weakest_minute_of_the_duration_counts() -> None:
    rule = Threshold("fault", (Clause(SHARE, 0.2),), minutes=3)
    assert distance(ground([0.4, 0.4, 0.4]), rule) == pytest.approx(0.5)
    assert distance(ground([0.8, 0.4, 0.1]), rule) == pytest.approx(2)
    assert distance(ground([0.1, 0.4, 0.4, 0.4]), rule) == pytest.approx(0.5)


def test_all_clauses_must_hold_and_few_events_say_nothing() -> None:
    both = Threshold("fault", (Clause(SHARE, 0.2), Clause("in.bye.delay_median", 100)), minutes=1)
    assert distance(ground([0.8]), both) > 100
    one = Threshold("fault", (Clause(SHARE, 0.2, least=5),), minutes=1)
    assert distance(ground([0.8], attempts=4), one) > 1e5
    assert distance(ground([float("nan")]), one) > 1e5


def test_bounds_may_be_lacks_and_multiples_of_normal() -> None:
    lack = Threshold("fault", (Clause(SHARE, 0.5, lack=True),), minutes=1)
    assert distance(ground([0.25]), lack) == pytest.approx(0.5 / 0.75)
    less = Threshold("fault", (Clause("node.messages", 0.5, times_normal=True, below=True),), minutes=1)
    place = ground([10.0], "node.messages")
    usual = float(np.median(place.series.values[:60, SIP_CATALOGUE.index("node.messages")]))
    assert distance(place, less) == pytest.approx(10 / (0.5 * usual))
