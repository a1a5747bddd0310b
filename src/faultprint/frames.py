"""Tables of other libraries as Polars frames: pandas, Arrow, DuckDB and all that speak the Arrow PyCapsule interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import polars as pl

from faultprint.arguments import shown
from faultprint.errors import TableError, UsageError
from faultprint.storage import check_values, schema
from faultprint.tables import Table


class ArrowTable(Protocol):
    """A table with the Arrow PyCapsule interface: a frame of Polars or pandas, a table of Arrow, and others."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


def as_table(value: Any, table: Table, name: str, features: Sequence[str] = ()) -> pl.DataFrame:
    """The argument `name` as a Polars frame with the columns of `table`, and of the `features` if some are named.

    value  a Polars frame, or an object with `__arrow_c_stream__`: a frame of pandas, a table of Arrow, and others

    Times without a zone are UTC; times of another unit or zone are converted. Text stays categorical where it is. A column
    that may be empty may also be absent.
    Raises UsageError for an object that is no table, TableError for a table that lacks a column or has one of another type.
    """
    hint = f"pass a frame of Polars or pandas, or a table of Arrow, such as fp.read_{table.name} returns"
    frame = as_frame(value, name, hint)
    fixed, columns = schema(table), frame.schema
    wanted = [column.name for column in table.columns if column.name in columns or not column.nullable or column.values]
    if missing := [column for column in (*wanted, *features) if column not in columns]:
        raise TableError(
            f"{name} lacks column {missing[0]!r} of a {table.name} table; pass a table with {', '.join(wanted)}."
        )
    changes = [_converted(column, columns[column], fixed[column], name, table) for column in wanted]
    changes += [_number(column, columns[column], name, table) for column in features]
    absent = [pl.lit(None, fixed[column]).alias(column) for column in fixed if column not in wanted]
    changed = [change for change in (*changes, *absent) if change is not None]
    try:
        frame = frame.with_columns(changed) if changed else frame
    except pl.exceptions.PolarsError as error:
        raise TableError(
            f"{name} holds a value that no {table.name} table can hold ({str(error).splitlines()[0][:120]}); correct it."
        ) from None
    check_values(frame, table, name)
    return frame


def as_frame(value: Any, name: str, hint: str) -> pl.DataFrame:
    """The argument `name` as a Polars frame with whatever columns it has; `hint` says what to pass instead.

    Raises UsageError for an object that is no table, TableError for a table that cannot be read.
    """
    try:
        if isinstance(value, pl.LazyFrame):
            return value.collect()
        if isinstance(value, pl.DataFrame):
            return value
        if hasattr(value, "__arrow_c_stream__") and not isinstance(value, type | pl.Series):
            return pl.DataFrame(value)
    except Exception as error:  # what another library raises for a table that it cannot export has no common class
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise TableError(f"{name} cannot be read as a table ({reason}); {hint}.") from error
    raise UsageError(f"{name} is {shown(value)}, but must be a table; {hint}.")


def _converted(column: str, dtype: pl.DataType, wanted: pl.DataType, name: str, table: Table) -> pl.Expr | None:
    """What turns the column into the type of the table; None if it has that type."""
    if dtype == wanted:
        return None
    if wanted == pl.String() and isinstance(dtype, pl.Categorical | pl.Enum):
        return None
    if isinstance(wanted, pl.Datetime) and isinstance(dtype, pl.Datetime):
        moment = pl.col(column)
        zoned = moment.dt.convert_time_zone("UTC") if dtype.time_zone else moment.dt.replace_time_zone("UTC")
        return zoned.cast(wanted)
    if wanted.is_float() and (dtype.is_numeric() or dtype == pl.Null()):
        return pl.col(column).cast(wanted)
    if dtype == pl.Null():
        return pl.col(column).cast(wanted)
    raise TableError(
        f"{name}: column {column!r} is {dtype}, but in a {table.name} table it must be {wanted}; convert it."
    )


def _number(column: str, dtype: pl.DataType, name: str, table: Table) -> pl.Expr | None:
    """What turns a feature without any value into one of numbers; None if it has numbers."""
    if dtype.is_numeric():
        return None
    if dtype == pl.Null():
        return pl.col(column).cast(pl.Float32)
    raise TableError(
        f"{name}: column {column!r} is {dtype}, but a feature of a {table.name} table is a number; convert it."
    )
