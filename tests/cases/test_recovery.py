"""A fault is over once the short windows have been normal often enough, whatever the long window holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultprint.cases.decision import VerdictCode
from faultprint.cases.recovery import active

CODES = {"n": 0, "a": 1, "b": 2, "?": VerdictCode.UNKNOWN, "w": VerdictCode.WARMING_UP}


@pytest.mark.parametrize(
    ("verdicts", "recovered", "expected"),
    [
        ("nnaaaaaann", "..........", "..++++++.."),  # the verdict begins and ends it
        ("naaaaaaaan", "...qqqqqqq", ".++++....."),  # over after three normal minutes
        ("naaaaaaaan", "...qq.qqqq", ".+++++++.."),  # two are not enough
        ("naaaaaaaaaaan", "..qqq.q...q.q", ".+++.....+++."),  # active again after three that are not
        ("naaaaaa", "qqqqqqq", ".+++..."),  # normal from the start: active all the same
        ("naaabbbb", "..qqqqqq", ".+++...."),  # another name does not make it active again
        ("n????nn", "...qqqq", ".++++.."),
        ("waaawaa", "..qqqqq", ".+++.++"),
    ],
)
def test_a_fault_is_active_until_the_short_windows_are_normal(verdicts: str, recovered: str, expected: str) -> None:
    codes = np.array([CODES[word] for word in verdicts])
    result = active(codes, np.array([mark == "q" for mark in recovered]), 3)
    assert "".join("+" if flag else "." for flag in result) == expected


@given(
    minutes=st.lists(st.tuples(st.sampled_from(sorted(CODES.values())), st.booleans()), max_size=60),
    persistence=st.integers(1, 4),
)
def test_only_faults_are_active_and_each_from_its_first_verdict(
    minutes: list[tuple[int, bool]], persistence: int
) -> None:
    codes = np.array([code for code, _ in minutes], np.int64)
    fault = (codes != 0) & (codes != VerdictCode.WARMING_UP)
    result = active(codes, np.array([recovered for _, recovered in minutes], np.bool_), persistence)
    assert not (result & ~fault).any()
    begins = fault & ~np.concatenate([[False], fault[:-1]])[: len(fault)]
    # Even with a persistence of one, the minute of the first verdict cannot end it.
    assert result[begins].all()
