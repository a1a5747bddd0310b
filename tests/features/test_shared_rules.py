"""Rules that batch and live processing share: quantiles, outcomes, coverage, grid."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultprint.errors import TableError
from faultprint.features import coverage
from faultprint.features.coverage import CoverageInterval
from faultprint.features.grid import NOT_COVERED, Grid
from faultprint.features.outcomes import (
    IMPOSSIBLE,
    NO_STATUS,
    OUTCOME_DESCRIPTIONS,
    OUTCOME_OF_STATUS,
    SHARES,
    TransactionOutcome,
)
from faultprint.features.quantiles import MEDIAN, NO_VALUE, P95, nearest_rank_quantiles

from .strategies import INTERVAL, NODES, SPAN, coverages

values = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 50) | st.integers(0, 2**61)))


@given(values, st.fractions(0, 1).filter(bool))
def test_a_quantile_is_the_nearest_rank(pairs: list[tuple[int, int]], share: Fraction) -> None:
    group = np.array([pair[0] for pair in pairs], dtype=np.int64)
    value = np.array([pair[1] for pair in pairs], dtype=np.int64)
    share = share.limit_denominator(1000) or Fraction(1, 1000)
    for wanted, result in zip(
        (MEDIAN, P95, share), nearest_rank_quantiles(group, value, 5, MEDIAN, P95, share), strict=True
    ):
        for index in range(5):
            group_values = sorted(v for g, v in pairs if g == index)
            assert result[index] == (
                group_values[math.ceil(wanted * len(group_values)) - 1] if group_values else NO_VALUE
            )


def test_every_outcome_is_in_one_share() -> None:
    assert sorted(outcome for classes in SHARES.values() for outcome in classes) == list(TransactionOutcome)


def test_the_descriptions_of_outcomes_match_the_look_up_table() -> None:
    named = {
        int(n): outcome
        for outcome, description in OUTCOME_DESCRIPTIONS.items()
        for n in re.findall(r"\d{3}", description)
    }
    for outcome, description in OUTCOME_DESCRIPTIONS.items():
        for hundred in re.findall(r"(\d)xx", description):
            others = set(range(int(hundred) * 100, int(hundred) * 100 + 100)) - set(named)
            assert {TransactionOutcome(OUTCOME_OF_STATUS[status]) for status in others} == {outcome}
    assert {status: TransactionOutcome(OUTCOME_OF_STATUS[status]) for status in named} == named
    assert OUTCOME_OF_STATUS[NO_STATUS] == TransactionOutcome.NO_ANSWER
    possible = np.flatnonzero(OUTCOME_OF_STATUS[:NO_STATUS] != IMPOSSIBLE)
    assert (possible.min(), possible.max(), len(possible)) == (200, 699, 500)


@given(coverages(), st.lists(st.tuples(st.integers(-1, len(NODES) - 1), st.integers(-INTERVAL, SPAN * 2)), max_size=30))
def test_times_are_located_in_their_coverage_interval_and_row(
    result: list[tuple[str, int, int]], times: list[tuple[int, int]]
) -> None:
    grid = Grid([CoverageInterval(node, "net", start, end) for node, start, end in result], INTERVAL)
    times = [(code, time) for code, time in times if code < len(grid.nodes)]
    node = np.array([code for code, _ in times], dtype=np.int64)
    time = np.array([time for _, time in times], dtype=np.int64)
    located = grid.locate(node, time)
    for code, moment, index in zip(node.tolist(), time.tolist(), located.tolist(), strict=True):
        holding = [
            i
            for i, (n, start, end) in enumerate(result)
            if code >= 0 and n == grid.nodes[code] and start <= moment < end
        ]
        assert holding == ([] if index == NOT_COVERED else [index])
    inside = located != NOT_COVERED
    _, row = grid.place(located[inside], time[inside])
    assert (grid.node_of_row()[row] == node[inside]).all()
    assert (grid.time_of_row()[row] == time[inside] // INTERVAL * INTERVAL).all()


@given(st.lists(st.tuples(st.sampled_from(NODES), st.integers(0, 30), st.integers(0, 9)), max_size=12))
def test_merged_intervals_cover_the_same_moments_without_touching(drawn: list[tuple[str, int, int]]) -> None:
    before = [CoverageInterval(node, "net", start, start + length) for node, start, length in drawn]
    after = coverage.merge_intervals(before)
    assert coverage.parse_coverage(coverage.dump_coverage(after)) == after

    def moments(intervals: list[CoverageInterval] | tuple[CoverageInterval, ...]) -> set[tuple[str, int]]:
        return {(s.node, moment) for s in intervals for moment in range(s.start_us, s.end_us)}

    assert moments(after) == moments(before)
    for interval, following in pairwise(after):
        assert (interval.node, interval.end_us) < (following.node, following.start_us)
    assert not moments(coverage.coverage_gaps(after)) & moments(after)


def test_a_node_in_two_networks_is_refused() -> None:
    with pytest.raises(TableError, match="'a' is in two networks, 'm' and 'n'"):
        coverage.merge_intervals([CoverageInterval("a", "n", 5, 9), CoverageInterval("a", "m", 0, 4)])
