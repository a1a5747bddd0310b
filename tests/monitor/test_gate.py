"""Event time: late, early, double and strange rows, silent sources, clocks that jump."""

from __future__ import annotations

from random import Random
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from faultprint.monitor.base.interfaces import Batch
from faultprint.monitor.ingest.watermark import REFUSED, FinishedMinute, WatermarkBuffer
from faultprint.storage import schema
from faultprint.tables import MINUTES

MINUTE = 60_000_000
BASE = 1_000
NOW = (BASE + 500) * MINUTE


def rows(*of: tuple[str, int], network: str = "net", observed: float = 1.0, shift_us: int = 0) -> pl.DataFrame:
    """A MINUTES table without features: (node, number of the minute after BASE) each."""
    return pl.DataFrame(
        {
            "node": [node for node, _ in of],
            "network": [network] * len(of),
            "minute": [(BASE + number) * MINUTE + shift_us for _, number in of],
            "observed": [observed] * len(of),
        },
        schema={**schema(MINUTES), "minute": pl.Int64()},
    ).cast({"minute": pl.Datetime("us", "UTC")})


def gate(**changes: Any) -> WatermarkBuffer:
    usual = {"lateness_us": MINUTE, "ahead_us": 5 * MINUTE, "patience_us": 2 * MINUTE, "most_nodes": 100}
    return WatermarkBuffer(interval_us=MINUTE, **{**usual, **changes})


def end(number: int) -> int:
    """The end of minute BASE + number."""
    return (BASE + number + 1) * MINUTE


def found(finished: list[FinishedMinute]) -> list[tuple[int, list[str]]]:
    return [(one.number - BASE, [] if one.rows is None else one.rows["node"].to_list()) for one in finished]


def test_a_minute_is_final_when_the_watermark_reaches_its_end() -> None:
    one = gate()
    one.take("s", Batch(rows(("a", 0), ("b", 0)), end(0)), NOW)
    assert found(list(one.due(NOW))) == []
    one.take("s", Batch(rows(("a", 1)), end(1)), NOW)
    assert found(list(one.due(NOW))) == [(0, ["a", "b"])]
    assert found(list(one.rest())) == [(1, ["a"])]
    assert one.closed == BASE + 1


def test_without_a_promise_the_newest_row_is_one() -> None:
    one = gate()
    for number in range(3):
        one.take("s", Batch(rows(("a", number)), None), NOW)
    assert found(list(one.due(NOW))) == [(0, ["a"]), (1, ["a"])]


def test_each_refusal_is_counted_by_its_reason() -> None:
    one = gate(most_nodes=2)
    one.take("s", Batch(rows(("a", 0), ("b", 0), ("a", 0)), end(0)), NOW)
    one.take("s", Batch(rows(("a", 0)), end(2)), NOW)
    assert found(list(one.due(NOW))) == [(0, ["a", "b"]), (1, [])]
    for table in (
        rows(("a", 1)),
        rows(("a", 600)),
        rows(("a", 3), shift_us=1),
        rows(("a", 3), network="another"),
        rows(("c", 3)),
        rows(("a", 3), observed=0.4),
        rows(("a", 3), observed=float("nan")),
    ):
        one.take("s", Batch(table, None), NOW)
    counted = {reason: one.refused["s", reason] for reason in REFUSED}
    assert counted == {"strange": 2, "early": 1, "late": 1, "crowded": 1, "double": 2, "partial": 2}
    assert found(list(one.rest())) == []


def test_a_row_of_the_far_future_closes_nothing() -> None:
    one = gate()
    one.take("s", Batch(rows(("a", 498), ("a", 499)), None), NOW)
    one.take("s", Batch(rows(("a", 100_000)), None), NOW)
    assert found(list(one.due(NOW))) == [(498, ["a"])]  # one minute of lateness before the newest that is believed


def test_a_promise_of_the_far_future_closes_no_more_than_the_clock_allows() -> None:
    one = gate()
    one.take("s", Batch(rows(("a", 499)), end(100_000)), NOW)
    list(one.due(NOW))
    assert one.closed - BASE == 503  # the clock, five minutes ahead, one minute of lateness


def test_a_clock_put_back_changes_nothing() -> None:
    one = gate()
    one.take("s", Batch(rows(("a", 499)), None), NOW)
    one.take("s", Batch(rows(("a", 500)), None), NOW - 3600 * 1_000_000)
    assert found(list(one.due(0))) == [(499, ["a"])]
    assert not one.refused


def test_a_slow_source_holds_the_others_up_only_so_long() -> None:
    one = gate()
    one.take("slow", Batch(rows(("a", 0)), end(0)), end(0))
    for number in (0, 1):
        one.take("quick", Batch(rows(("b", number)), end(number)), end(number))
    assert found(list(one.due(end(1)))) == []
    for number in (2, 3):
        one.take("quick", Batch(rows(("b", number)), end(number)), end(number))
    assert found(list(one.due(end(3)))) == [(0, ["a", "b"]), (1, ["b"]), (2, ["b"])]
    one.end("quick")
    one.take("slow", Batch(rows(("a", 1), ("a", 3)), end(3)), end(3))
    assert one.refused["slow", "late"] == 1


def test_when_nobody_says_anything_time_goes_on_by_the_clock() -> None:
    one = gate()
    one.take("s", Batch(rows(("a", 0)), end(0)), end(0))
    assert found(list(one.due(end(1)))) == []
    assert found(list(one.due(end(6)))) == [(0, ["a"]), (3, [])]


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.integers(0, 4), st.integers(1, 5))
def test_rows_out_of_order_within_the_lateness_change_nothing(seed: int, lateness: int, nodes: int) -> None:
    """Each row is up to `lateness` minutes late; the newest row of all is the promise."""
    random = Random(seed)
    wanted = [(f"n{node}", number) for number in range(20) for node in range(nodes) if random.random() < 0.8]
    arriving = sorted(wanted, key=lambda row: row[1] + random.random() * lateness)
    one = gate(lateness_us=(lateness + 1) * MINUTE)
    finished: list[FinishedMinute] = []
    for row in arriving:
        one.take("s", Batch(rows(row), None), NOW)
        finished += one.due(NOW)
    finished += one.rest()
    assert not one.refused
    assert [one.number for one in finished] == sorted({one.number for one in finished})
    got = [(node, number) for number, members in found(finished) for node in sorted(members)]
    assert got == sorted(wanted, key=lambda row: (row[1], row[0]))
