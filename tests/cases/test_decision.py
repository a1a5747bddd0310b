"""From distances to verdicts: the rule, and the state machine against its table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultprint.cases.decision import (
    UNKNOWN_CODE,
    WARMING_CODE,
    DebounceState,
    Rule,
    debounce,
    raw_verdicts,
    step,
    step_all,
)
from faultprint.cases.matching import Matcher, Matches
from faultprint.errors import UsageError

A, B = 1, 2


def matches(*rows: tuple[float, float, float], doubt: float = 0) -> Matches:
    distances = np.array(rows, np.float32)
    ranked = np.argsort(distances, axis=1)
    return Matches(("normal", "a", "b"), distances, ranked[:, 0], ranked[:, 1], np.full(len(rows), doubt, np.float32))


def say(rule: Rule, *rows: tuple[float, float, float]) -> list[int]:
    return raw_verdicts(matches(*rows), np.ones(len(rows), bool), rule).tolist()


def test_without_thresholds_the_nearest_reference_wins() -> None:
    assert say(Rule(), (1, 2, 3), (2, 1, 3), (3, 2, 1)) == [0, A, B]


def test_leaving_normal_takes_distance_and_a_nearer_fault() -> None:
    assert say(Rule(normal_radius=1.5), (1.4, 0.1, 3), (1.6, 0.1, 3)) == [0, A]
    assert say(Rule(max_distance_ratio=0.5), (2, 1.1, 3), (2, 0.9, 3)) == [0, A]
    assert say(Rule(max_distance_ratio=2.0), (2, 3.9, 9), (2, 4.1, 9)) == [A, 0]


def test_far_from_everything_is_unknown_unless_still_normal() -> None:
    rule = Rule(normal_radius=1, unknown_radius=2)
    assert say(rule, (3, 2.5, 9), (3, 1.9, 9), (0.5, 9, 9), (1.5, 9, 9)) == [UNKNOWN_CODE, A, 0, 0]


def test_a_fault_named_with_doubt_is_unknown_and_normal_never() -> None:
    rule, rows = Rule(max_uncertainty={"normal": 0, "a": 0.5}), ((1, 2, 3), (2, 1, 3), (3, 2, 1))
    for doubt, said in ((0.5, [0, A, B]), (0.51, [0, UNKNOWN_CODE, B])):
        found = raw_verdicts(matches(*rows, doubt=doubt), np.ones(3, bool), rule)
        assert found.tolist() == said


def test_without_a_window_there_is_no_claim() -> None:
    ready = np.array([False, True])
    assert raw_verdicts(matches((1, 2, 3), (1, 2, 3)), ready, Rule()).tolist() == [WARMING_CODE, 0]


def test_without_references_all_is_normal_or_unknown() -> None:
    found = Matcher(np.zeros((0, 2), np.float32), []).match(np.array([[1, 0], [5, 0]], np.float32))
    rule = Rule(normal_radius=2, unknown_radius=3)
    assert raw_verdicts(found, np.ones(2, bool), rule).tolist() == [0, UNKNOWN_CODE]


@pytest.mark.parametrize(
    "changes",
    [
        {"persistence": 0},
        {"closer": float("nan")},
        {"closer": -0.5},
        {"leave_normal": float("nan")},
        {"unknown_beyond": -0.1},
        {"unknown_doubt": {"a": float("nan")}},
    ],
)
def test_a_rule_that_cannot_be_kept_is_refused(changes: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Rule(**changes)


@pytest.mark.parametrize(
    ("claimed", "persistence", "verdicts"),
    [
        ([0, A, A, A, 0, 0, 0], 3, [0, 0, 0, A, A, A, 0]),
        ([0, A, A, 0, A, A, A], 3, [0, 0, 0, 0, 0, 0, A]),
        ([0, A, B, A, A, A], 3, [0, 0, 0, 0, 0, A]),
        ([0, A, 0, B], 1, [0, A, 0, B]),
        ([WARMING_CODE, A, A, A], 2, [WARMING_CODE, WARMING_CODE, A, A]),
        ([WARMING_CODE, 0, A, A], 2, [WARMING_CODE, 0, 0, A]),
        ([A, A, WARMING_CODE, A, A], 2, [WARMING_CODE, A, WARMING_CODE, WARMING_CODE, A]),
        ([0, UNKNOWN_CODE, UNKNOWN_CODE, A, A], 2, [0, 0, UNKNOWN_CODE, UNKNOWN_CODE, A]),
    ],
)
def test_persistence(claimed: list[int], persistence: int, verdicts: list[int]) -> None:
    assert debounce(np.array(claimed), persistence)[0].tolist() == verdicts


codes = st.lists(st.sampled_from([WARMING_CODE, UNKNOWN_CODE, 0, A, B]), max_size=60)


@given(codes, st.integers(1, 5), st.integers(0, 60))
def test_live_equals_batch(claimed: list[int], persistence: int, cut: int) -> None:
    whole, last = debounce(np.array(claimed, np.int64), persistence)
    first, standing = debounce(np.array(claimed[:cut], np.int64), persistence)
    rest, end = debounce(np.array(claimed[cut:], np.int64), persistence, standing)
    assert [*first.tolist(), *rest.tolist()] == whole.tolist()
    assert end == last


@given(codes, st.integers(1, 5))
def test_a_verdict_was_claimed_often_enough(claimed: list[int], persistence: int) -> None:
    verdicts, _ = debounce(np.array(claimed, np.int64), persistence)
    previous = WARMING_CODE
    for index, verdict in enumerate(verdicts.tolist()):
        if verdict not in (previous, WARMING_CODE) and not (previous == WARMING_CODE and verdict == 0):
            assert index + 1 >= persistence
            assert set(claimed[index + 1 - persistence : index + 1]) == {verdict}
        previous = verdict


def test_a_standing_verdict_forgets_its_rival() -> None:
    assert step(DebounceState(0, A, 2), 0, 3) == DebounceState(0)


@given(st.lists(st.lists(st.integers(-2, 3), min_size=12, max_size=12), min_size=1, max_size=6), st.integers(1, 4))
def test_many_nodes_at_once_equal_each_by_itself(claimed: list[list[int]], persistence: int) -> None:
    table = np.array(claimed)
    standings = tuple(np.full(len(table), start) for start in (WARMING_CODE, WARMING_CODE, 0))
    verdicts = []
    for minute in table.T:
        standings = step_all(standings, minute, persistence)
        verdicts.append(standings[0])
    alone = [debounce(row, persistence) for row in table]
    assert np.array_equal(np.array(verdicts).T, [found for found, _ in alone])
    ends = [(standing.verdict, standing.rival, standing.count) for _, standing in alone]
    assert list(zip(*(column.tolist() for column in standings), strict=True)) == ends
