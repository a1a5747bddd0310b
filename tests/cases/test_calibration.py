"""Thresholds: as few false alarms as allowed, stored in the library, never set on networks that gave references."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import numpy as np
import pytest
from tests.synthetic import labels, minutes

from faultprint.cases.calibration import (
    CalibrationSet,
    alarms_per_day,
    calibrate,
    calibrate_library,
    false_alarms,
    max_uncertainty,
)
from faultprint.cases.decision import Rule
from faultprint.cases.enrol import enrol_examples, examples
from faultprint.cases.library import Library
from faultprint.cases.matching import Matches
from faultprint.cases.thresholds import rule_for, unknown_radius
from faultprint.embedding.model import Model
from faultprint.errors import LabelError, LibraryError

NOW = datetime(2026, 2, 1, tzinfo=UTC)
MINUTE = 60_000_000


def node(ratios: list[float]) -> CalibrationSet:
    """Normal windows, each with this ratio of the distances to a fault and to normal."""
    distances = np.array([[5.0, 5.0 * ratio] for ratio in ratios], np.float32)
    nearest = np.argmin(distances, axis=1)
    number = len(ratios)
    return CalibrationSet(
        Matches(("normal", "a"), distances, nearest, 1 - nearest, np.zeros(number, np.float32)),
        np.arange(number) * MINUTE,
        np.ones(number, bool),
        MINUTE,
        np.full(number, -1),
    )


def test_false_alarms_are_runs_that_begin_in_normal_time() -> None:
    verdict = np.array([0, 1, 1, 0, 2, 1, 0, 1])
    quiet = np.array([1, 1, 1, 1, 1, 1, 1, 0], bool)
    assert false_alarms(verdict, verdict > 0, quiet, np.arange(8) * MINUTE, MINUTE) == 3


def test_the_largest_ratio_that_keeps_to_the_allowed_alarms() -> None:
    ratios = [1.5] * 1440
    for at, ratio in ((100, 0.9), (300, 0.7), (500, 0.5), (700, 0.3)):
        ratios[at] = ratio
    nodes = [node(ratios)]
    assert [alarms_per_day(nodes, Rule(max_distance_ratio=c)) for c in (1, 0.8, 0.6, 0.4, 0.2)] == [4, 3, 2, 1, 0]
    for most, above in ((4, 0.9), (3, 0.7), (2, 0.5), (1, 0.3), (0, 0.25)):
        rule = calibrate(nodes, max_alarms_per_day=most)
        assert alarms_per_day(nodes, rule) <= most
        assert above < rule.max_distance_ratio <= 1


def test_one_odd_node_does_not_set_the_rule_for_many() -> None:
    calm, odd = [1.5] * 1440, [1.5, 0.1] * 720
    assert alarms_per_day([node(odd)] + [node(calm)] * 3, Rule()) == 180
    assert calibrate([node(odd)] + [node(calm)] * 3, max_alarms_per_day=0.5).max_distance_ratio == 1
    assert calibrate([node(odd)], max_alarms_per_day=0.5).max_distance_ratio <= 0.1
    assert calibrate([node(odd)] * 3 + [node(calm)], max_alarms_per_day=0.5).max_distance_ratio <= 0.1
    assert calibrate([node(odd)] + [node(calm)] * 3, max_alarms_per_day=0).max_distance_ratio <= 0.1


def test_persistence_allows_a_larger_ratio() -> None:
    ratios = [1.5] * 1440
    ratios[100] = 0.2
    assert calibrate([node(ratios)], persistence=3, max_alarms_per_day=0).max_distance_ratio == 1
    assert 0 < calibrate([node(ratios)], persistence=1, max_alarms_per_day=0).max_distance_ratio <= 0.2


def test_probabilities_may_have_a_ratio_above_1() -> None:
    ratios = np.random.default_rng(0).uniform(2, 9, 1440).tolist()
    rule = calibrate([node(ratios)], persistence=3, max_alarms_per_day=5, max_ratio=float("inf"))
    assert 2 < rule.max_distance_ratio < 9 and alarms_per_day([node(ratios)], rule) <= 5
    assert calibrate([node(ratios)], persistence=3, max_alarms_per_day=5).max_distance_ratio == 1
    assert calibrate([], max_ratio=float("inf")) == Rule()


def test_a_window_at_the_origin_is_normal() -> None:
    assert calibrate([origin()], max_alarms_per_day=0) == Rule()


def origin() -> CalibrationSet:
    """An hour of windows at the origin, in all uncertainty."""
    zeros = np.zeros(60, np.float32)
    matches = Matches(("normal", "a"), np.zeros((60, 2), np.float32), np.zeros(60, int), np.ones(60, int), zeros + 1)
    return CalibrationSet(matches, np.arange(60) * MINUTE, np.ones(60, bool), MINUTE, np.full(60, -1))


def test_uncertainty_is_bounded_by_the_rightly_named_windows() -> None:
    uncertainty = np.linspace(0, 1, 101, dtype=np.float32)
    nearest = np.where(np.arange(101) % 2 == 0, 1, 2)
    matches = Matches(("normal", "a", "b"), np.ones((101, 3), np.float32), nearest, 3 - nearest, uncertainty)
    shown = CalibrationSet(matches, np.arange(101) * MINUTE, np.zeros(101, bool), MINUTE, np.ones(101, int))
    # Only "a" is ever right, and its uncertainty is 0, 0.02, … 1; "b" is enrolled but not in this traffic.
    assert max_uncertainty([shown, origin()]) == {"a": pytest.approx(0.95)}
    surer = dataclasses.replace(shown, matches=dataclasses.replace(matches, uncertainty=uncertainty / 2))
    assert max_uncertainty([shown, surer, surer]) == {"a": pytest.approx(0.95)}
    few = dataclasses.replace(shown, fault=np.where(np.arange(101) < 90, 1, -1))
    assert max_uncertainty([few]) == {}
    assert max_uncertainty([few, surer]) == {"a": pytest.approx(0.475)}
    assert max_uncertainty([]) == {}


def test_without_labelled_traffic_the_nearest_wins() -> None:
    assert calibrate([]) == Rule()


@pytest.fixture(scope="module")
def faults() -> list[tuple[int, int, str]]:
    return [(120, 150, "register-timeouts"), (240, 270, "invite-errors")]


def test_the_library_stores_its_rules(model: Model, faults: list[tuple[int, int, str]]) -> None:
    found = examples(minutes("alpha-1", 400, faults, seed=1), labels("alpha-1", 400, faults), model)
    with Library.open(":memory:") as library:
        library.add(enrol_examples(found, model, created=NOW))
        assert rule_for(model, library, 3) == Rule(persistence=3)  # this model was never calibrated
        others = minutes("beta-1", 600, faults, seed=2), labels("beta-1", 600, faults)
        rules = calibrate_library(*others, model, library, persistences=(1, 3))
        assert [rule.persistence for rule in rules] == [1, 3]
        assert rule_for(model, library, 3) == rules[1]
        assert rule_for(model, library, 2) == dataclasses.replace(rules[0], persistence=2)
        assert rule_for(model, library, 9) == dataclasses.replace(rules[1], persistence=9)


def test_references_do_not_calibrate_on_their_own_network(model: Model, faults: list[tuple[int, int, str]]) -> None:
    known = minutes("alpha-1", 400, faults, seed=1), labels("alpha-1", 400, faults)
    with Library.open(":memory:") as library:
        library.add(enrol_examples(examples(*known, model), model, created=NOW))
        with pytest.raises(LibraryError, match="comes from the networks given"):
            calibrate_library(*known, model, library)


def test_an_hour_of_normal_traffic_is_needed(model: Model, faults: list[tuple[int, int, str]]) -> None:
    with Library.open(":memory:") as library:
        all_faulty = [(0, 400, "invite-errors")]
        with pytest.raises(LabelError, match="labelled normal minutes in a row"):
            calibrate_library(minutes("beta-1", 400), labels("beta-1", 400, all_faulty), model, library)


def calibrated(model: Model, calibration: dict[str, object]) -> Model:
    twin = object.__new__(Model)
    twin.__dict__.update(model.__dict__)
    twin.manifest = dataclasses.replace(model.manifest, calibration=calibration)
    return twin


def test_a_model_brings_its_own_thresholds(model: Model) -> None:
    levels = [0.01, 0.99, 0.999]
    measured = {
        "levels": levels,
        "normal_ratio": {"quantiles": [0.8, 1.5, 2.0], "windows": 9},
        "fault_distance": {"quantiles": [1.0, 7.0, 8.0], "windows": 9},
        "normal_distance": {"quantiles": [1.0, 2.0, 6.0], "windows": 9},
    }
    with Library.open(":memory:") as library:
        rule = rule_for(calibrated(model, measured), library, 2)
    assert rule == Rule(max_distance_ratio=0.8, unknown_radius=7.0, persistence=2)


@pytest.mark.parametrize(
    "damage",
    [
        {"levels": "?"},
        {"fault_distance": None, "normal_distance": 3},
        {"fault_distance": {"quantiles": [1.0]}, "normal_distance": {"quantiles": ["a", "b", "c"]}},
        {"fault_distance": {"quantiles": [1, float("nan"), 3]}, "normal_distance": {}},
    ],
)
def test_damaged_thresholds_are_not_used(model: Model, damage: dict[str, object]) -> None:
    assert unknown_radius(calibrated(model, {"levels": [0.5, 0.99, 0.999], **damage})) == float("inf")


def test_the_rule_of_another_model_is_not_used(model: Model) -> None:
    with Library.open(":memory:") as library:
        library.set_rules("another", [Rule(max_distance_ratio=0.3)])
        assert rule_for(model, library, 1) == Rule()
        library.set_rules("another", [Rule(max_distance_ratio=0.2, persistence=4)])
        assert library.rule("another", 1) is None
