"""A fault is over when the last minutes have been normal often enough, whatever its window still holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultprint.cases.decision import UNKNOWN_CODE, WARMING_CODE
from faultprint.cases.recovery import active

CODES = {"n": 0, "a": 1, "b": 2, "?": UNKNOWN_CODE, "w": WARMING_CODE}


@pytest.mark.parametrize(
    ("verdicts", "quiet", "there"),
    [
        ("nnaaaaaann", "..........", "..++++++.."),  # the verdict raises and lowers
        ("naaaaaaaan", "...qqqqqqq", ".++++....."),  # lowered after three quiet minutes
        ("naaaaaaaan", "...qq.qqqq", ".+++++++.."),  # two are not enough, and are forgotten
        ("naaaaaaaaaaan", "..qqq.q...q.q", ".+++.....+++."),  # raised again after three that are not
        ("naaaaaa", "qqqqqqq", ".+++..."),  # quiet from the start: raised all the same
        ("naaabbbb", "..qqqqqq", ".+++...."),  # what the hour holds may change its name without coming back
        ("n????nn", "...qqqq", ".++++.."),
        ("waaawaa", "..qqqqq", ".+++.++"),
    ],
)
def test_a_fault_is_there_until_the_recent_minutes_say_otherwise(verdicts: str, quiet: str, there: str) -> None:
    codes = np.array([CODES[word] for word in verdicts])
    said = active(codes, np.array([mark == "q" for mark in quiet]), 3)
    assert "".join("+" if one else "." for one in said) == there


@given(
    minutes=st.lists(st.tuples(st.sampled_from(sorted(CODES.values())), st.booleans()), max_size=60),
    persistence=st.integers(1, 4),
)
def test_only_faults_are_there_and_each_from_its_first_verdict(
    minutes: list[tuple[int, bool]], persistence: int
) -> None:
    codes = np.array([code for code, _ in minutes], np.int64)
    fault = (codes != 0) & (codes != WARMING_CODE)
    said = active(codes, np.array([calm for _, calm in minutes], np.bool_), persistence)
    assert not (said & ~fault).any()
    begins = fault & ~np.concatenate([[False], fault[:-1]])[: len(fault)]
    # With a persistence of one, the first verdict's own minute cannot lower it yet either.
    assert said[begins].all()
