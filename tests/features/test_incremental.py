"""Minutes computed in batches equal those computed at once, bit for bit."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from faultprint.features.coverage import CoverageInterval
from faultprint.features.incremental import IncrementalMinutes
from faultprint.features.minutes import compute_minutes

from .strategies import INTERVAL, SPAN, coverages, crowd, table, transactions

Cuts = st.sets(st.integers(1, SPAN // INTERVAL), max_size=6)


def in_batches(frame: pl.DataFrame, coverage: list[CoverageInterval], cuts: set[int]) -> pl.DataFrame:
    incremental, batches, begin = IncrementalMinutes(INTERVAL), [], 0
    for cut in (*sorted(cuts), SPAN // INTERVAL + 1):
        end = cut * INTERVAL
        inside = (pl.col(name).dt.epoch("us").is_between(begin, end, closed="left") for name in ("start", "completion"))
        batches.append(incremental.compute(frame.filter(pl.any_horizontal(inside)), coverage, begin, end))
        begin = end
    return pl.concat(batches).sort("node", "minute")


def assert_same(rows: list[dict[str, Any]], spans: list[tuple[str, int, int]], cuts: set[int]) -> None:
    coverage = [CoverageInterval(node, "net", start, end) for node, start, end in spans]
    frame = table(rows)
    whole = compute_minutes(frame.lazy(), coverage, interval_us=INTERVAL)
    assert in_batches(frame, coverage, cuts).equals(whole)


@settings(max_examples=40)
@given(transactions(), coverages(), Cuts)
def test_batches_equal_the_whole(rows: list[dict[str, Any]], spans: list[tuple[str, int, int]], cuts: set[int]) -> None:
    assert_same(rows, spans, cuts)


@settings(max_examples=5)
@given(st.integers(0, 99), coverages(), Cuts)
def test_batches_of_many_transactions_equal_the_whole(
    seed: int, spans: list[tuple[str, int, int]], cuts: set[int]
) -> None:
    assert_same(crowd(2_000, seed), spans, cuts)
