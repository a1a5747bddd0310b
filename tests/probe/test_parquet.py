"""The Parquet writer against two other readers."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultprint import storage
from faultprint.probe.output import parquet, thrift
from faultprint.probe.output.parquet import PAGE_ROWS, ParquetWriter
from faultprint.tables import TRANSACTIONS, Column

RANGES = {
    "timestamp": (-(2**50), 2**50),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
    "uint32": (0, 2**32 - 1),
    "uint16": (0, 2**16 - 1),
}


def values(column: Column) -> st.SearchStrategy[object]:
    if column.kind == "string":
        one: st.SearchStrategy[object] = st.sampled_from(column.values) if column.values else st.text(max_size=8)
    elif column.kind == "float32":
        one = st.floats(width=32, allow_nan=False)
    else:
        one = st.integers(*RANGES[column.kind])
    return st.none() | one if column.nullable else one


KINDS = ("string", "timestamp", "int64", "uint64", "uint32", "uint16", "float32")
COLUMNS = tuple(
    Column(f"{kind}{'?' if nullable else ''}", kind, "", "", nullable=nullable)  # type: ignore[arg-type]
    for kind in KINDS
    for nullable in (False, True)
)
ROWS = st.lists(st.tuples(*map(values, COLUMNS)), max_size=40)


def written(rows: list[tuple[object, ...]], columns: tuple[Column, ...], **metadata: str) -> bytes:
    file = io.BytesIO()
    with ParquetWriter(file, columns, metadata) as writer:
        for row in rows:
            writer.append(row)  # type: ignore[arg-type]
    assert writer.rows == len(rows)
    return file.getvalue()


def plain(rows: list[tuple[object, ...]], columns: tuple[Column, ...]) -> list[tuple[object, ...]]:
    """Time stamps as the numbers they were."""

    def number(value: object) -> object:
        if not isinstance(value, datetime):
            return value
        return (value - datetime(1970, 1, 1, tzinfo=UTC)) // (datetime(1970, 1, 1, 0, 0, 0, 1) - datetime(1970, 1, 1))

    return [tuple(map(number, row)) for row in rows]


@given(ROWS)
def test_round_trip(rows: list[tuple[object, ...]]) -> None:
    data = written(rows, COLUMNS, key="välue")
    frame = pl.read_parquet(io.BytesIO(data))
    assert plain(frame.rows(), COLUMNS) == rows
    assert frame.columns == [column.name for column in COLUMNS]
    table = pq.read_table(io.BytesIO(data))
    assert plain(list(zip(*(column.to_pylist() for column in table.columns), strict=True)), COLUMNS) == rows
    assert table.schema.metadata[b"key"] == "välue".encode()


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, PAGE_ROWS - 1, PAGE_ROWS, PAGE_ROWS + 1, 3 * PAGE_ROWS + 5])
def test_sizes(count: int) -> None:
    columns = COLUMNS[:4]
    rows = [(f"w{n % 700}", None if n % 3 else f"v{n}", n, None if n % 5 else -n) for n in range(count)]
    frame = pl.read_parquet(io.BytesIO(written(rows, columns)))
    assert plain(frame.rows(), columns) == rows


def test_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "PAGE_ROWS", 10)
    monkeypatch.setattr(parquet, "GROUP_ROWS", 30)
    columns = COLUMNS[:4]
    rows = [(f"w{n % 7}", None, n, n) for n in range(1001)]
    data = written(rows, columns)
    assert plain(pl.read_parquet(io.BytesIO(data)).rows(), columns) == rows
    file = pq.ParquetFile(io.BytesIO(data))
    assert file.metadata.num_row_groups == 34
    assert file.metadata.num_rows == 1001
    assert file.read().column(2).to_pylist()[-1] is not None


def test_schema_is_the_tables(tmp_path: Path) -> None:
    path = tmp_path / "empty.parquet"
    path.write_bytes(written([], TRANSACTIONS.columns))
    frame = storage.read(path, TRANSACTIONS)
    assert frame.schema == pl.Schema(storage.schema(TRANSACTIONS))
    schema = pq.read_schema(path)
    assert [field.name for field in schema if not field.nullable] == [
        c.name for c in TRANSACTIONS.columns if not c.nullable
    ]


def test_a_failed_block_writes_no_footer() -> None:
    file = io.BytesIO()
    with pytest.raises(RuntimeError), ParquetWriter(file, COLUMNS):
        raise RuntimeError
    assert file.getvalue() == b"PAR1"


@given(st.integers(0, 2**70))
def test_varint(value: int) -> None:
    encoded = thrift.varint(value)
    assert sum((byte & 0x7F) << 7 * place for place, byte in enumerate(encoded)) == value
    assert all(byte & 0x80 for byte in encoded[:-1])
    assert not encoded[-1] & 0x80


def test_zigzag() -> None:
    assert [thrift.zigzag(value)[0] for value in (0, -1, 1, -2, 2)] == [0, 1, 2, 3, 4]


def test_wide_gaps_between_field_numbers() -> None:
    assert thrift.struct(thrift.i32(1, 0), thrift.i32(20, 0)) == bytes([0x15, 0, 5, 40, 0, 0])
