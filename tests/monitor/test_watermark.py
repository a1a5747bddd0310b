"""Event time: refused rows, idle sources, and clocks that jump."""

from __future__ import annotations

from random import Random
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from faultprint.monitor.base.interfaces import Batch
from faultprint.monitor.ingest.watermark import REFUSAL_REASONS, FinishedMinute, WatermarkBuffer
from faultprint.storage import schema
from faultprint.tables import MINUTES

MINUTE = 60_000_000
BASE = 1_000
NOW = (BASE + 500) * MINUTE


def rows(*cells: tuple[str, int], network: str = "net", observed: float = 1.0, shift_us: int = 0) -> pl.DataFrame:
    """A MINUTES table without features: (node, number of the minute after BASE) each."""
    return pl.DataFrame(
        {
            "node": [node for node, _ in cells],
            "network": [network] * len(cells),
            "minute": [(BASE + number) * MINUTE + shift_us for _, number in cells],
            "observed": [observed] * len(cells),
        },
        schema={**schema(MINUTES), "minute": pl.Int64()},
    ).cast({"minute": pl.Datetime("us", "UTC")})


def watermark_buffer(**changes: Any) -> WatermarkBuffer:
    defaults = {"lateness_us": MINUTE, "ahead_us": 5 * MINUTE, "idle_timeout_us": 2 * MINUTE, "max_nodes": 100}
    return WatermarkBuffer(interval_us=MINUTE, **{**defaults, **changes})


def end(number: int) -> int:
    """The end of minute BASE + number."""
    return (BASE + number + 1) * MINUTE


def minutes_of(finished: list[FinishedMinute]) -> list[tuple[int, list[str]]]:
    return [(minute.number - BASE, [] if minute.rows is None else minute.rows["node"].to_list()) for minute in finished]


def test_a_minute_is_final_when_the_watermark_reaches_its_end() -> None:
    buffer = watermark_buffer()
    buffer.add("s", Batch(rows(("a", 0), ("b", 0)), end(0)), NOW)
    assert minutes_of(list(buffer.finished(NOW))) == []
    buffer.add("s", Batch(rows(("a", 1)), end(1)), NOW)
    assert minutes_of(list(buffer.finished(NOW))) == [(0, ["a", "b"])]
    assert minutes_of(list(buffer.drain())) == [(1, ["a"])]
    assert buffer.closed == BASE + 1


def test_without_a_watermark_the_newest_row_counts() -> None:
    buffer = watermark_buffer()
    for number in range(3):
        buffer.add("s", Batch(rows(("a", number)), None), NOW)
    assert minutes_of(list(buffer.finished(NOW))) == [(0, ["a"]), (1, ["a"])]


def test_each_refusal_is_counted_by_its_reason() -> None:
    buffer = watermark_buffer(max_nodes=2)
    buffer.add("s", Batch(rows(("a", 0), ("b", 0), ("a", 0)), end(0)), NOW)
    buffer.add("s", Batch(rows(("a", 0)), end(2)), NOW)
    assert minutes_of(list(buffer.finished(NOW))) == [(0, ["a", "b"]), (1, [])]
    for table in (
        rows(("a", 1)),
        rows(("a", 600)),
        rows(("a", 3), shift_us=1),
        rows(("a", 3), network="another"),
        rows(("c", 3)),
        rows(("a", 3), observed=0.4),
        rows(("a", 3), observed=float("nan")),
    ):
        buffer.add("s", Batch(table, None), NOW)
    counted = {reason: buffer.refused["s", reason] for reason in REFUSAL_REASONS}
    assert counted == {"invalid": 2, "too_early": 1, "late": 1, "node_limit": 1, "duplicate": 2, "partial": 2}
    assert minutes_of(list(buffer.drain())) == []


def test_a_row_far_in_the_future_closes_no_minute() -> None:
    buffer = watermark_buffer()
    buffer.add("s", Batch(rows(("a", 498), ("a", 499)), None), NOW)
    buffer.add("s", Batch(rows(("a", 100_000)), None), NOW)
    assert minutes_of(list(buffer.finished(NOW))) == [
        (498, ["a"])
    ]  # one minute of lateness before the newest accepted row


def test_a_watermark_far_in_the_future_is_limited_by_the_clock() -> None:
    buffer = watermark_buffer()
    buffer.add("s", Batch(rows(("a", 490)), end(100_000)), NOW)
    list(buffer.finished(NOW))
    assert buffer.closed - BASE == 498  # the clock, less one minute of lateness


def test_a_clock_that_moves_back_changes_nothing() -> None:
    buffer = watermark_buffer()
    buffer.add("s", Batch(rows(("a", 498)), None), NOW)
    buffer.add("s", Batch(rows(("a", 499)), None), NOW - 3600 * 1_000_000)
    assert minutes_of(list(buffer.finished(0))) == [(498, ["a"])]
    assert not buffer.refused


def test_a_slow_source_delays_the_others_until_the_idle_timeout() -> None:
    buffer = watermark_buffer()
    buffer.add("slow", Batch(rows(("a", 0)), end(0)), end(0))
    for number in (0, 1):
        buffer.add("quick", Batch(rows(("b", number)), end(number)), end(number))
    assert minutes_of(list(buffer.finished(end(1)))) == []
    for number in (2, 3):
        buffer.add("quick", Batch(rows(("b", number)), end(number)), end(number))
    assert minutes_of(list(buffer.finished(end(3)))) == [(0, ["a", "b"]), (1, ["b"]), (2, ["b"])]
    buffer.remove_source("quick")
    buffer.add("slow", Batch(rows(("a", 1), ("a", 3)), end(3)), end(3))
    assert buffer.refused["slow", "late"] == 1


def test_without_any_source_minutes_close_by_the_clock() -> None:
    buffer = watermark_buffer()
    buffer.add("s", Batch(rows(("a", 0)), end(0)), end(0))
    assert minutes_of(list(buffer.finished(end(1)))) == []
    assert minutes_of(list(buffer.finished(end(6)))) == [(0, ["a"]), (3, [])]


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.integers(0, 4), st.integers(1, 5))
def test_rows_out_of_order_within_the_lateness_change_nothing(seed: int, lateness: int, nodes: int) -> None:
    """Each row is up to `lateness` minutes late; the newest row is the watermark."""
    random = Random(seed)
    wanted = [(f"n{node}", number) for number in range(20) for node in range(nodes) if random.random() < 0.8]
    arriving = sorted(wanted, key=lambda row: row[1] + random.random() * lateness)
    buffer = watermark_buffer(lateness_us=(lateness + 1) * MINUTE)
    finished: list[FinishedMinute] = []
    for row in arriving:
        buffer.add("s", Batch(rows(row), None), NOW)
        finished += buffer.finished(NOW)
    finished += buffer.drain()
    assert not buffer.refused
    assert [minute.number for minute in finished] == sorted({minute.number for minute in finished})
    got = [(node, number) for number, members in minutes_of(finished) for node in sorted(members)]
    assert got == sorted(wanted, key=lambda row: (row[1], row[0]))
