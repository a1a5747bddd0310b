"""The rule for windows, and the condition of a minute that a label covers in part."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultprint.errors import LabelError
from faultprint.storage import schema
from faultprint.tables import LABELS
from faultprint.units import MINUTE_US
from faultprint.windows.labelling import (
    UNLABELLED,
    UNSCORED,
    MinuteConditions,
    check_label_nodes,
    fault_names,
    label_minutes,
    label_windows,
)
from faultprint.windows.series import Series

START = datetime(2026, 1, 5, tzinfo=UTC)
CONDITIONS = ("normal", "recovery", "maintenance", "a", "b")


def grid(minutes: int) -> Series:
    values = np.zeros((minutes, 1), dtype=np.float32)
    first = int(START.timestamp() * 1e6)
    return Series("n1", "net", first, MINUTE_US, ("x",), values, np.ones(minutes, dtype=np.bool_))


def labels(*rows: tuple[float, float, str]) -> pl.DataFrame:
    """Rows of (first minute, minute after the last, condition); fractions of a minute allowed."""
    at = [(START + timedelta(minutes=a), START + timedelta(minutes=b), name) for a, b, name in rows]
    return pl.DataFrame([("n1", a, b, name, None) for a, b, name in at], schema=schema(LABELS), orient="row")


def codes(*rows: tuple[float, float, str], minutes: int = 10) -> list[str]:
    table = labels(*rows)
    result = label_minutes(table, grid(minutes), fault_names(table))
    return ["-" if code == UNLABELLED else result.conditions[code] for code in result.code]


def test_a_minute_partly_in_a_fault_belongs_to_the_fault() -> None:
    conditions = codes((0, 3.5, "normal"), (3.5, 5.1, "link down"), (5.1, 6.5, "recovery"), (6.5, 10, "normal"))
    assert conditions == ["normal"] * 3 + ["link down"] * 3 + ["recovery"] + ["normal"] * 3


def test_a_minute_partly_unlabelled_is_unlabelled_unless_a_fault_touches_it() -> None:
    assert codes((0.5, 2, "normal"), (4.9, 5.1, "x")) == ["-", "normal", "-", "-", "x", "x", "-", "-", "-", "-"]


def test_adjacent_labels_of_one_condition_are_joined() -> None:
    assert codes((0, 2.5, "normal"), (2.5, 10, "normal")) == ["normal"] * 10


def test_of_two_faults_in_a_minute_the_later_counts() -> None:
    assert codes((0, 2.2, "b"), (2.2, 4, "a"))[2] == "a"


def test_labels_beyond_the_minutes_are_cut_off() -> None:
    assert codes((-5, 2, "x"), (2, 500, "normal")) == ["x"] * 2 + ["normal"] * 8


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([(0, 5, "normal"), (4, 6, "x")], "overlap"),
        ([(5, 5, "x")], "not after its start"),
        ([(6, 5, "x")], "not after its start"),
    ],
)
def test_contradictory_labels(rows: list[tuple[float, float, str]], sentence: str) -> None:
    with pytest.raises(LabelError, match=sentence):
        codes(*rows)


def test_labels_of_a_node_without_minutes() -> None:
    with pytest.raises(LabelError, match="'n1', which has no minutes"):
        check_label_nodes(labels((0, 1, "x")), ["n2"])


def test_a_reserved_word_cannot_name_a_fault() -> None:
    with pytest.raises(LabelError, match="'unknown'"):
        fault_names(labels((0, 1, "unknown")))


def slow_rule(window: list[int]) -> tuple[int, int]:
    """The rule in plain code, for one window of minute codes."""
    fault_minutes = sum(code >= 3 for code in window)
    if any(code in (UNLABELLED, 2) for code in window):
        return UNSCORED, fault_minutes
    if all(code == 0 for code in window):
        return 0, 0
    present = {code for code in window if code >= 3}
    if not present:
        return UNSCORED, 0
    last = {code: max(i for i, c in enumerate(window) if c == code) for code in present}
    return max(present, key=lambda code: (window.count(code), last[code])), fault_minutes


@given(st.lists(st.sampled_from([-1, 0, 0, 0, 0, 1, 2, 3, 3, 4, 4]), max_size=60), st.integers(1, 12))
def test_windows_follow_the_rule(code: list[int], window: int) -> None:
    result = label_windows(MinuteConditions(CONDITIONS, np.array(code, dtype=np.int16)), window)
    expected = [slow_rule(code[i : i + window]) for i in range(len(code) - window + 1)]
    assert list(zip(result.code.tolist(), result.fault_minutes.tolist(), strict=True)) == expected
    assert result.last_minute.tolist() == list(range(window - 1, window - 1 + len(expected)))


def test_one_faulty_minute_of_sixty_makes_the_window_faulty() -> None:
    code = np.zeros(61, dtype=np.int16)
    code[60] = 3
    result = label_windows(MinuteConditions(CONDITIONS, code), 60)
    assert result.code.tolist() == [0, 3]
    assert result.fault_minutes.tolist() == [0, 1]
