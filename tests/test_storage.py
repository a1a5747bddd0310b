"""A table is written and read as its schema says, or refused with one sentence."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from faultprint import storage
from faultprint.errors import TableError
from faultprint.tables import LABELS, MINUTES, TABLES, TRANSACTIONS, VERDICTS, Table

MOMENT = datetime(2026, 1, 5, tzinfo=UTC)


def labels(**changes: object) -> pl.DataFrame:
    row: dict[str, object] = {
        "node": "a",
        "start": MOMENT,
        "end": MOMENT,
        "condition": "normal",
        "severity": None,
    } | changes
    return pl.DataFrame([row], schema=storage.schema(LABELS))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_an_empty_table_of_each_kind_survives_a_round_trip(table: Table, tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    storage.write(pl.DataFrame(schema=storage.schema(table)), table, path, {"a": "b"})
    assert storage.read(path, table).schema == storage.schema(table)
    assert storage.metadata(path)["a"] == "b"


def test_rows_survive_a_round_trip(tmp_path: Path) -> None:
    storage.write(labels(severity=0.5), LABELS, tmp_path / "l.parquet")
    assert storage.read(tmp_path / "l.parquet", LABELS).equals(labels(severity=0.5))


@pytest.mark.parametrize(
    ("frame", "table", "sentence"),
    [
        (labels().drop("end"), LABELS, "labels is not a labels table: column 'end' is missing"),
        (
            labels().with_columns(pl.lit(1).alias("more")),
            LABELS,
            "column 'more' is Int32, but in a labels table it must be absent",
        ),
        (labels().cast({"start": pl.Datetime("ms", "UTC")}), LABELS, "column 'start' is Datetime"),
        (labels(condition=None), LABELS, "column 'condition' lacks a value in 1 rows"),
        (
            pl.DataFrame(schema=storage.schema(MINUTES) | {"x": pl.Float64()}),
            MINUTES,
            "must be a feature's Float32",
        ),
    ],
)
def test_a_table_that_breaks_its_schema_is_not_written(
    frame: pl.DataFrame, table: Table, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(TableError, match=sentence.replace("(", r"\(")):
        storage.write(frame, table, tmp_path / "x.parquet")
    assert not list(tmp_path.iterdir())


def test_a_string_that_the_column_does_not_allow_is_named(tmp_path: Path) -> None:
    row: dict[str, object] = dict.fromkeys(TRANSACTIONS.names) | {
        "node": "a",
        "network": "n",
        "interface": "Gm",
        "direction": "sideways",
        "protocol": "SIP",
        "method": "BYE",
        "start": MOMENT,
        "retransmissions": 0,
        "response_retransmissions": 0,
        "messages": 1,
        "bytes": 1,
    }
    with pytest.raises(TableError, match="'direction' holds 'sideways', which is none of in, out"):
        storage.write(pl.DataFrame([row], schema=storage.schema(TRANSACTIONS)), TRANSACTIONS, tmp_path / "x.parquet")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all" * 100])
def test_a_file_that_is_not_parquet_is_refused_with_one_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(content)
    with pytest.raises(TableError, match=r"cannot be read as a Parquet file .*; give a verdicts file\.$"):
        storage.scan(path, VERDICTS)
