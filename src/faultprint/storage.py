"""Tables as Parquet files: checked on reading, written to a temporary file and then renamed.

Every stage reads its input with `read` or `scan` and writes its output with `write`. So a table that breaks its schema in
`faultprint.tables` is refused with one sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from faultprint.errors import TableError
from faultprint.files import replacing
from faultprint.tables import ColumnKind, Table

_DTYPES: Mapping[ColumnKind, pl.DataType] = {
    "string": pl.String(),
    "timestamp": pl.Datetime("us", "UTC"),
    "int64": pl.Int64(),
    "uint64": pl.UInt64(),
    "uint32": pl.UInt32(),
    "uint16": pl.UInt16(),
    "float32": pl.Float32(),
    "bool": pl.Boolean(),
    "strings": pl.List(pl.String()),
}


def schema(table: Table) -> dict[str, pl.DataType]:
    """The table's fixed columns as Polars types. A string column may also be Categorical or Enum."""
    return {column.name: _DTYPES[column.kind] for column in table.columns}


def check_schema(columns: Mapping[str, pl.DataType], table: Table, source: str) -> None:
    """Raise TableError unless `columns` are the table's, in any order; an open-ended table may have more float32 columns."""
    wanted = schema(table)
    missing = [name for name in wanted if name not in columns]
    if missing:
        raise TableError(
            f"{source} is not a {table.name} table: column {missing[0]!r} is missing; "
            f"use the file of the stage that writes {table.name}."
        )
    for name, dtype in columns.items():
        if name in wanted:
            good = dtype == wanted[name] or (
                wanted[name] == pl.String() and isinstance(dtype, pl.Categorical | pl.Enum)
            )
            expected = str(wanted[name])
        else:
            good, expected = (
                table.open_ended and dtype == pl.Float32(),
                "a feature's Float32" if table.open_ended else "absent",
            )
        if not good:
            raise TableError(
                f"{source}: column {name!r} is {dtype}, but in a {table.name} table it must be {expected}; convert or remove it."
            )


def check_values(frame: pl.DataFrame, table: Table, source: str) -> None:
    """Raise TableError for a null in a required column, or a string that the column does not allow."""
    for column in table.columns:
        values = frame.get_column(column.name)
        if not column.nullable and (nulls := values.null_count()):
            raise TableError(
                f"{source}: column {column.name!r} lacks a value in {nulls} rows, but every {table.name} row needs one; "
                "correct these rows."
            )
        if column.values:
            invalid = [word for word in values.unique().cast(pl.String).to_list() if word not in column.values]
            if invalid:
                raise TableError(
                    f"{source}: column {column.name!r} holds {invalid[0]!r}, which is none of {', '.join(column.values)}; "
                    "correct the value."
                )


def scan(path: Path, table: Table) -> pl.LazyFrame:
    """The table in `path`. Checks its schema but reads no rows yet. Raises TableError."""
    try:
        frame = pl.scan_parquet(path)
        columns = frame.collect_schema()
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise TableError(f"{path} cannot be read as a Parquet file ({reason}); give a {table.name} file.") from error
    check_schema(columns, table, str(path))
    return frame


def read(path: Path, table: Table) -> pl.DataFrame:
    """The table in `path`. Checks its schema and values. Raises TableError."""
    try:
        frame = scan(path, table).collect()
    except pl.exceptions.PolarsError as error:
        raise TableError(damaged(path, error)) from error
    check_values(frame, table, str(path))
    return frame


def metadata(path: Path) -> dict[str, str]:
    """The key-value metadata of a Parquet file. Raises TableError."""
    try:
        return dict(pl.read_parquet_metadata(path))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise TableError(damaged(path, error)) from error


def damaged(path: Path, error: Exception) -> str:
    """The sentence for a Parquet file whose content cannot be read."""
    return f"{path} is damaged ({str(error).splitlines()[0][:120]}); make it again."


def write(frame: pl.DataFrame, table: Table, path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Check `frame` against the table and write it to `path`, all or nothing. Raises TableError."""
    check_schema(frame.schema, table, table.name)
    check_values(frame, table, table.name)
    extra = [name for name in frame.columns if name not in table.names]
    with replacing(path) as temporary:
        frame.select(*table.names, *extra).write_parquet(temporary, compression="zstd", metadata=dict(metadata or {}))
