"""Records of the topic of minutes: what is written reads back equal, and nothing that comes in does harm."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.synthetic import minutes

from faultprint import storage
from faultprint.errors import TableError
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.monitor.kafka import records
from faultprint.monitor.kafka.records import WatermarkRecord
from faultprint.tables import MINUTES

FEATURES = frozenset(SIP_CATALOGUE.names)
MINUTE = 60_000_000
KEYS = st.sampled_from([*MINUTES.names, "complete", *SIP_CATALOGUE.names[:5], "other"])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.sampled_from(["a", 0, MINUTE, 2**63, 10**400, 1.0, 1e39, "\ud800", "\x00"]),
)


def test_rows_read_back_equal() -> None:
    frame = minutes("a-1", 30).with_columns(
        pl.when(pl.col("observed") > 2).then(1.0).cast(pl.Float32).alias("node.ser")
    )
    assert frame["node.ser"].null_count() == 30
    found = [records.decode(records.encode(row), FEATURES) for row in records.rows(frame)]
    table, reasons = records.sound(
        [row for row in found if not isinstance(row, WatermarkRecord)], SIP_CATALOGUE, MINUTE
    )
    assert table.equals(frame) and not reasons
    storage.check_schema(table.schema, MINUTES, "rows")


def test_a_mark_reads_back() -> None:
    assert records.decode(records.encode_mark(17), FEATURES) == WatermarkRecord(17)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.binary(max_size=60), st.dictionaries(KEYS, VALUES).map(lambda found: json.dumps(found).encode())))
def test_whatever_comes_is_a_row_a_mark_or_refused(value: bytes) -> None:
    try:
        found = records.decode(value, FEATURES)
    except TableError as error:
        assert len(str(error)) < 600 and str(error).isprintable()
        return
    if not isinstance(found, WatermarkRecord):
        table, reasons = records.sound([found], SIP_CATALOGUE, MINUTE)
        assert len(table) + len(reasons) == 1


def test_one_bad_row_costs_no_other() -> None:
    rows = list(records.rows(minutes("a-1", 5)))
    rows[2]["observed"] = 7.0
    table, reasons = records.sound(rows, SIP_CATALOGUE, MINUTE)
    assert len(table) == 4 and len(reasons) == 1 and "observed" in reasons[0]


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        (None, ""),
        ([], ""),
        ([("other", b"x")], ""),
        ([("origin", None)], ""),
        ([("origin", b"probe-1")], "probe-1"),
        ([("origin", b"\xff\n" + b"x" * 10_000)], None),
    ],
)
def test_an_origin_is_short_and_printable(headers: list[tuple[str, bytes | None]] | None, name: str | None) -> None:
    found = records.origin(headers)
    assert len(found) <= 64 and (not found or found.isprintable())
    assert name is None or found == name
