"""Records of a topic of minutes: decoding inverts encoding, and no record can do harm."""

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
from faultprint.units import MINUTE_US

FEATURES = frozenset(SIP_CATALOGUE.names)
KEYS = st.sampled_from([*MINUTES.names, "complete", *SIP_CATALOGUE.names[:5], "other"])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.sampled_from(["a", 0, MINUTE_US, 2**63, 10**400, 1.0, 1e39, "\ud800", "\x00"]),
)


def test_rows_survive_encoding_and_decoding() -> None:
    frame = minutes("a-1", 30).with_columns(
        pl.when(pl.col("observed") > 2).then(1.0).cast(pl.Float32).alias("node.ser")
    )
    assert frame["node.ser"].null_count() == 30
    decoded = [records.decode(records.encode(row), FEATURES) for row in records.rows(frame)]
    table, reasons = records.valid_rows(
        [row for row in decoded if not isinstance(row, WatermarkRecord)], SIP_CATALOGUE, MINUTE_US
    )
    assert table.equals(frame) and not reasons
    storage.check_schema(table.schema, MINUTES, "rows")


def test_a_watermark_survives_encoding_and_decoding() -> None:
    assert records.decode(records.encode_watermark(17), FEATURES) == WatermarkRecord(17)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(st.binary(max_size=60), st.dictionaries(KEYS, VALUES).map(lambda document: json.dumps(document).encode()))
)
def test_any_record_is_a_row_a_watermark_or_refused(value: bytes) -> None:
    try:
        record = records.decode(value, FEATURES)
    except TableError as error:
        assert len(str(error)) < 600 and str(error).isprintable()
        return
    if not isinstance(record, WatermarkRecord):
        table, reasons = records.valid_rows([record], SIP_CATALOGUE, MINUTE_US)
        assert len(table) + len(reasons) == 1


def test_one_bad_row_does_not_affect_others() -> None:
    rows = list(records.rows(minutes("a-1", 5)))
    rows[2]["observed"] = 7.0
    table, reasons = records.valid_rows(rows, SIP_CATALOGUE, MINUTE_US)
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
def test_a_sender_name_is_short_and_printable(headers: list[tuple[str, bytes | None]] | None, name: str | None) -> None:
    sender = records.sender_of(headers)
    assert len(sender) <= 64 and (not sender or sender.isprintable())
    assert name is None or sender == name
