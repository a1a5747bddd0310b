"""From distances to verdicts: the rule, and debouncing against its table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultprint.cases.decision import (
    DebounceState,
    Rule,
    VerdictCode,
    debounce,
    raw_verdicts,
    verdict_names,
)
from faultprint.cases.matching import Matcher, Matches
from faultprint.errors import UsageError

A, B = 1, 2
UNKNOWN, WARMING = VerdictCode.UNKNOWN, VerdictCode.WARMING_UP


def matches(*rows: tuple[float, float, float], uncertainty: float = 0) -> Matches:
    distances = np.array(rows, np.float32)
    ranked = np.argsort(distances, axis=1)
    return Matches(
        ("normal", "a", "b"), distances, ranked[:, 0], ranked[:, 1], np.full(len(rows), uncertainty, np.float32)
    )


def codes_of(rule: Rule, *rows: tuple[float, float, float]) -> list[int]:
    return raw_verdicts(matches(*rows), np.ones(len(rows), bool), rule).tolist()


def test_without_thresholds_the_nearest_reference_wins() -> None:
    assert codes_of(Rule(), (1, 2, 3), (2, 1, 3), (3, 2, 1)) == [0, A, B]


def test_leaving_normal_takes_distance_and_a_nearer_fault() -> None:
    assert codes_of(Rule(normal_radius=1.5), (1.4, 0.1, 3), (1.6, 0.1, 3)) == [0, A]
    assert codes_of(Rule(max_distance_ratio=0.5), (2, 1.1, 3), (2, 0.9, 3)) == [0, A]
    assert codes_of(Rule(max_distance_ratio=2.0), (2, 3.9, 9), (2, 4.1, 9)) == [A, 0]


def test_far_from_everything_is_unknown_unless_still_normal() -> None:
    rule = Rule(normal_radius=1, unknown_radius=2)
    assert codes_of(rule, (3, 2.5, 9), (3, 1.9, 9), (0.5, 9, 9), (1.5, 9, 9)) == [UNKNOWN, A, 0, 0]


def test_an_uncertain_fault_is_unknown_and_normal_never() -> None:
    rule, rows = Rule(max_uncertainty={"normal": 0, "a": 0.5}), ((1, 2, 3), (2, 1, 3), (3, 2, 1))
    for uncertainty, expected in ((0.5, [0, A, B]), (0.51, [0, UNKNOWN, B])):
        codes = raw_verdicts(matches(*rows, uncertainty=uncertainty), np.ones(3, bool), rule)
        assert codes.tolist() == expected


def test_without_a_window_a_node_is_warming_up() -> None:
    ready = np.array([False, True])
    assert raw_verdicts(matches((1, 2, 3), (1, 2, 3)), ready, Rule()).tolist() == [WARMING, 0]


def test_without_references_all_is_normal_or_unknown() -> None:
    found = Matcher(np.zeros((0, 2), np.float32), []).match(np.array([[1, 0], [5, 0]], np.float32))
    rule = Rule(normal_radius=2, unknown_radius=3)
    assert raw_verdicts(found, np.ones(2, bool), rule).tolist() == [0, UNKNOWN]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"persistence": 0}, "in 0 minutes; give 1 or more"),
        ({"max_distance_ratio": float("nan")}, "max_distance_ratio is nan"),
        ({"max_distance_ratio": -0.5}, "max_distance_ratio is -0.5, but must be 0 or more"),
        ({"normal_radius": float("nan")}, "normal_radius is nan"),
        ({"unknown_radius": -0.1}, "unknown_radius is -0.1"),
        ({"max_uncertainty": {"a": float("nan")}}, "max_uncertainty of 'a' is nan"),
    ],
)
def test_a_rule_with_bad_thresholds_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Rule(**changes)


def test_codes_have_names() -> None:
    codes = np.array([0, A, UNKNOWN, WARMING, B])
    assert verdict_names(codes, ("normal", "a", "b")) == ["normal", "a", "unknown", "warming-up", "b"]


def debounced(raw: list[int], persistence: int) -> list[int]:
    return debounce(np.array([raw], np.int64), persistence)[0][0].tolist()


@pytest.mark.parametrize(
    ("raw", "persistence", "verdicts"),
    [
        ([0, A, A, A, 0, 0, 0], 3, [0, 0, 0, A, A, A, 0]),
        ([0, A, A, 0, A, A, A], 3, [0, 0, 0, 0, 0, 0, A]),
        ([0, A, B, A, A, A], 3, [0, 0, 0, 0, 0, A]),
        ([0, A, 0, B], 1, [0, A, 0, B]),
        ([WARMING, A, A, A], 2, [WARMING, WARMING, A, A]),
        ([WARMING, 0, A, A], 2, [WARMING, 0, 0, A]),
        ([A, A, WARMING, A, A], 2, [WARMING, A, WARMING, WARMING, A]),
        ([0, UNKNOWN, UNKNOWN, A, A], 2, [0, 0, UNKNOWN, UNKNOWN, A]),
    ],
)
def test_a_verdict_changes_after_persistence(raw: list[int], persistence: int, verdicts: list[int]) -> None:
    assert debounced(raw, persistence) == verdicts


def by_table(raw: list[int], persistence: int) -> tuple[list[int], tuple[int, int, int]]:
    """The table of `cases.decision`, one minute after another: verdicts, and the last verdict, candidate and count."""
    verdict, candidate, count = int(WARMING), int(WARMING), 0
    verdicts = []
    for code in raw:
        count = count + 1 if code == candidate else 1
        at_once = code == WARMING or (verdict == WARMING and code == 0)
        if code == verdict or at_once or count >= persistence:
            verdict, candidate, count = code, int(WARMING), 0
        else:
            candidate = code
        verdicts.append(verdict)
    return verdicts, (verdict, candidate, count)


raw_codes = st.lists(st.sampled_from([int(WARMING), int(UNKNOWN), 0, A, B]), max_size=60)


def state_of(state: DebounceState, node: int = 0) -> tuple[int, int, int]:
    return int(state.verdict[node]), int(state.candidate[node]), int(state.count[node])


@given(raw_codes, st.integers(1, 5))
def test_all_minutes_at_once_equal_the_table(raw: list[int], persistence: int) -> None:
    verdicts, state = debounce(np.array([raw], np.int64), persistence)
    assert (verdicts[0].tolist(), state_of(state)) == by_table(raw, persistence)


@given(raw_codes, st.integers(1, 5), st.integers(0, 60))
def test_live_equals_batch(raw: list[int], persistence: int, cut: int) -> None:
    whole, last = debounce(np.array([raw], np.int64), persistence)
    first, state = debounce(np.array([raw[:cut]], np.int64), persistence)
    rest, end = debounce(np.array([raw[cut:]], np.int64), persistence, state)
    assert [*first[0].tolist(), *rest[0].tolist()] == whole[0].tolist()
    assert state_of(end) == state_of(last)


@given(raw_codes, st.integers(1, 5))
def test_a_verdict_was_confirmed_often_enough(raw: list[int], persistence: int) -> None:
    previous = WARMING
    for index, verdict in enumerate(debounced(raw, persistence)):
        if verdict not in (previous, WARMING) and not (previous == WARMING and verdict == 0):
            assert index + 1 >= persistence
            assert set(raw[index + 1 - persistence : index + 1]) == {verdict}
        previous = verdict


def test_a_confirmed_verdict_forgets_its_candidate() -> None:
    state = DebounceState(*(np.array([number]) for number in (0, A, 2)))
    assert state_of(debounce(np.array([[0]]), 3, state)[1]) == (0, WARMING, 0)


@given(st.lists(st.lists(st.integers(-2, 3), min_size=12, max_size=12), min_size=1, max_size=6), st.integers(1, 4))
def test_many_nodes_at_once_equal_each_by_itself(raw: list[list[int]], persistence: int) -> None:
    table = np.array(raw)
    state, verdicts = DebounceState.initial(len(table)), []
    for minute in table.T:
        verdict, state = debounce(minute[:, None], persistence, state)
        verdicts.append(verdict[:, 0])
    alone = [debounce(row[None], persistence) for row in table]
    assert np.array_equal(np.array(verdicts).T, [verdict[0] for verdict, _ in alone])
    assert [state_of(state, node) for node in range(len(table))] == [state_of(end) for _, end in alone]
