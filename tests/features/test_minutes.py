from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from faultprint import storage
from faultprint.errors import TableError, UsageError
from faultprint.features import partitions
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.features.coverage import CoverageInterval
from faultprint.features.minutes import compute_minutes, compute_minutes_with_report
from faultprint.tables import MINUTES

from . import reference
from .strategies import INTERVAL, NODES, SPAN, coverages, crowd, row, table, transactions

Coverage = list[tuple[str, int, int]]
EVERYWHERE = [(node, 0, SPAN + 4 * INTERVAL) for node in NODES]


def covered(coverage: Coverage) -> list[CoverageInterval]:
    return [CoverageInterval(node, "net", start, end) for node, start, end in coverage]


def computed(frame: pl.DataFrame | pl.LazyFrame, coverage: Coverage = EVERYWHERE) -> pl.DataFrame:
    return compute_minutes(frame.lazy(), covered(coverage), interval_us=INTERVAL)


def bits(value: float | np.float32 | None) -> int | None:
    return None if value is None else int(np.float32(value).view(np.uint32))


def assert_equals_reference(rows: list[dict[str, Any]], coverage: Coverage) -> None:
    expected = reference.minutes(rows, coverage, INTERVAL)
    result = computed(table(rows), coverage)
    storage.check_schema(result.schema, MINUTES, "result")
    assert result.columns == [*MINUTES.names, *SIP_CATALOGUE.names]
    assert list(zip(result["node"], result["minute"].to_physical(), strict=True)) == sorted(expected)
    for given_row in result.with_columns(pl.col("minute").to_physical()).iter_rows(named=True):
        wanted = expected[given_row["node"], given_row["minute"]]
        differing = {
            name: (given_row[name], wanted[name])
            for name in ("observed", *SIP_CATALOGUE.names)
            if bits(given_row[name]) != bits(wanted[name])
        }
        assert not differing, (given_row["node"], given_row["minute"])


@settings(max_examples=60)
@given(rows=transactions(), coverage=coverages())
def test_batch_equals_the_slow_reference_bit_for_bit(rows: list[dict[str, Any]], coverage: Coverage) -> None:
    assert_equals_reference(rows, coverage)


@pytest.mark.parametrize("seed", range(3))
def test_many_transactions_equal_the_slow_reference_bit_for_bit(seed: int) -> None:
    middle = SPAN // 2 + 300
    coverage = [("a", 0, SPAN), ("b", 250, middle), ("b", middle + 200, 2 * SPAN), ("c", 0, 2 * SPAN)]
    assert_equals_reference(crowd(4_000, seed), coverage)


@settings(max_examples=25)
@given(rows=transactions(), coverage=coverages(), random=st.randoms(use_true_random=False), most=st.integers(1, 20))
def test_order_of_rows_and_size_of_partitions_change_nothing(
    rows: list[dict[str, Any]], coverage: Coverage, random: Random, most: int
) -> None:
    whole, report = compute_minutes_with_report(table(rows).lazy(), covered(coverage), interval_us=INTERVAL)
    random.shuffle(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partitions, "MAX_TRANSACTIONS", most)
        patch.setattr(partitions, "MAX_ROWS", 3 * most)
        for ordered in (rows, sorted(rows, key=lambda r: r["node"]), sorted(rows, key=lambda r: r["start"])):
            parts, again = compute_minutes_with_report(table(ordered).lazy(), covered(coverage), interval_us=INTERVAL)
            assert_frame_equal(parts, whole, check_exact=True)
            assert again == report
    assert report.rows == len(rows)


@pytest.mark.parametrize(
    "kind", [pl.String(), pl.Categorical(), pl.Enum(["c", "b", "a"])], ids=["string", "categorical", "enum"]
)
def test_number_of_files_and_types_of_text_change_nothing(
    tmp_path: Path, kind: pl.DataType, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = table(crowd(400, 1))
    whole = computed(frame)
    text = [name for name in ("network", "direction", "protocol", "method") if not isinstance(kind, pl.Enum)]
    for part in range(4):
        chosen = frame.sort("node", "start")[part * 100 : part * 100 + 100]
        chosen.with_columns(pl.col("node", *text).cast(kind)).write_parquet(
            tmp_path / f"{part}.parquet", row_group_size=17
        )
    monkeypatch.setattr(partitions, "MAX_TRANSACTIONS", 30)
    assert_frame_equal(computed(pl.scan_parquet(sorted(tmp_path.glob("*.parquet")))), whole, check_exact=True)


@pytest.mark.parametrize("most", [40, 300])
def test_many_partitions_equal_one(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    edges = [row(node=node, start=t, completion=t + INTERVAL) for node in NODES for t in range(0, SPAN, INTERVAL)]
    frame = table([*crowd(1_500, 7), *edges])
    whole, report = compute_minutes_with_report(frame.lazy(), covered(EVERYWHERE), interval_us=INTERVAL)
    monkeypatch.setattr(partitions, "MAX_TRANSACTIONS", most)
    for ordered in (frame, frame.sort("node", "start"), frame.sort("start")):
        parts, again = compute_minutes_with_report(ordered.lazy(), covered(EVERYWHERE), interval_us=INTERVAL)
        assert_frame_equal(parts, whole, check_exact=True)
        assert again == report


def test_a_request_counts_where_it_starts_and_its_outcome_where_it_completes() -> None:
    result = computed(table([row(start=INTERVAL - 1, completion=INTERVAL, status=200)]), [("a", 0, 3 * INTERVAL)])
    assert result["in.bye.attempts"].to_list() == [1, 0, 0]
    assert result["in.bye.success_share"].to_list() == [None, 1, None]
    assert result["node.open"].to_list() == [1, 0, 0]


def test_an_interval_without_traffic_is_a_row_and_one_outside_the_coverage_is_not() -> None:
    result = computed(table([]), [("a", 0, INTERVAL), ("a", 2 * INTERVAL + INTERVAL // 4, 3 * INTERVAL)])
    assert result["minute"].to_physical().to_list() == [0, 2 * INTERVAL]
    assert result["observed"].to_list() == [1.0, 0.75]
    kinds = {feature.name: feature.kind for feature in SIP_CATALOGUE.features}
    for name, kind in kinds.items():
        assert result[name].to_list() == ([0, 0] if kind == "count" else [None, None]), name


def test_open_requests_do_not_count_after_their_coverage_interval() -> None:
    coverage = [("a", 0, 2 * INTERVAL + 10), ("a", 2 * INTERVAL + 20, 4 * INTERVAL)]
    rows = [row(start=5, completion=None), row(start=2 * INTERVAL + 30, completion=3 * INTERVAL + 1)]
    result = computed(table(rows), coverage)
    assert result["node.open"].to_list() == [1, 1, 1, 0]


def test_a_median_is_the_lower_of_two_and_a_95th_percentile_of_twenty_the_nineteenth() -> None:
    rows = [row(start=0, completion=delay, status=200) for delay in range(1, 21)]
    result = computed(table(rows), [("a", 0, INTERVAL)])
    assert result["in.bye.delay_median"].to_list() == [pytest.approx(10e-6)]
    assert result["in.bye.delay_p95"].to_list() == [pytest.approx(19e-6)]


def test_delays_and_sums_beyond_float_precision_are_exact() -> None:
    century = 100 * 365 * 86_400 * 10**6
    rows = [row(start=0, completion=century + late, status=200, bytes=2**32 - 1) for late in (1, 2, 3)]
    result = compute_minutes(
        table(rows).lazy(), [CoverageInterval("a", "net", century, century + 10)], interval_us=INTERVAL
    )
    assert result["node.bytes"].to_list() == [0.0]
    result = compute_minutes(
        table(rows).lazy(),
        [CoverageInterval("a", "net", 0, 10), CoverageInterval("a", "net", century, century + 10)],
        interval_us=INTERVAL,
    )
    assert result["node.bytes"].to_list() == [0.0, float(np.float32(3 * (2**32 - 1)))]
    assert result["in.bye.delay_median"].to_list() == [None, float(np.float32((century + 2) / 1e6))]


def test_every_dropped_row_is_counted_once_with_its_reason() -> None:
    rows = [
        row(),
        row(protocol="Diameter", method="AAR", completion=-5),
        row(method="UAR"),
        row(start=SPAN * 99, completion=None),
        row(node="elsewhere"),
        row(start=50, completion=49),
        row(start=50, completion=None, ringing=20),
        row(status=199),
        row(session_us=-1),
        row(start=1, completion=SPAN * 99),
    ]
    _, report = compute_minutes_with_report(table(rows).lazy(), covered(EVERYWHERE), interval_us=INTERVAL)
    assert report.rows == len(rows)
    assert report.dropped == {
        "not_sip": 1,
        "no_sip_method": 1,
        "outside_coverage": 2,
        "completed_before_start": 2,
        "impossible_status": 1,
        "impossible_session": 1,
    }
    assert report.unplaced_outcomes == 1


def test_diameter_rows_change_no_feature() -> None:
    """A probe writes them together with SIP rows. The catalogue ignores them, for every method and status."""
    sip = crowd(500, 5)
    diameter = [
        {**entry, "protocol": "Diameter", "interface": "Rx", "method": method, "status": status}
        for entry, method, status in zip(
            crowd(300, 6), ["AAR", "STR", "BYE"] * 100, [2001, 5003, 200, None] * 75, strict=True
        )
    ]
    mixed = [entry for pair in zip(sip, diameter, strict=False) for entry in pair] + sip[len(diameter) :]
    result, report = compute_minutes_with_report(table(mixed).lazy(), covered(EVERYWHERE), interval_us=INTERVAL)
    assert_frame_equal(result, computed(table(sip)))
    assert report.dropped["not_sip"] == len(diameter)


def test_progress_reaches_the_number_of_transactions_read() -> None:
    seen: list[tuple[int, int]] = []
    compute_minutes_with_report(
        table(crowd(50, 1)).lazy(), covered(EVERYWHERE), interval_us=INTERVAL, progress=lambda *step: seen.append(step)
    )
    assert seen[-1] == (50, 50)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"network": "other"}, "'a' is in network 'other' by its transactions, but in 'net' by its coverage"),
        ({"method": "FAX"}, "'FAX', which is none of"),
        ({"direction": "sideways"}, "'sideways', which is none of in, out"),
        ({"direction": None}, "'direction' lacks a value in 1 rows"),
        ({"start": None}, "lack a start in some rows"),
        ({"node": None}, "lack a node in some rows"),
        ({"bytes": None}, "'bytes' lacks a value"),
    ],
)
def test_values_outside_the_schema_are_refused_with_one_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TableError, match=sentence):
        computed(table([row(), row(**change)]))


@pytest.mark.parametrize("interval", [(-1, 5), (0, 2**62), (0, 2_000_000 * INTERVAL)])
def test_impossible_coverage_is_refused_before_it_fills_the_memory(interval: tuple[int, int]) -> None:
    with pytest.raises(TableError, match="correct the time stamps"):
        computed(table([]), [("a", *interval)])


def test_an_interval_must_be_above_zero() -> None:
    with pytest.raises(UsageError, match="0 µs is impossible"):
        compute_minutes(table([]).lazy(), [], interval_us=0)
