"""What lies on a topic of transactions: JSON objects, keyed by node, and marks among them.

    record                                            means
    {"node": …, …, "start": …, …}                     a transaction, by the columns of its table; times in µs since 1970, UTC
    {"node": …, …, "start": …, …, "open": true}       one that may change yet, as it stands at the next mark; told again later
    {"node": …, "network": …, "since": …,             the node was listened to since then until then (µs); what is told of it
     "from": …, "until": …}                           from now on begins at `from`
    {"complete": …}                                   a mark, as among minutes

A node has one sender. Minutes are made by the same rules as those of the live probe.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from faultprint import storage
from faultprint.errors import TableError
from faultprint.features.coverage import Interval
from faultprint.monitor.kafka.records import Row, WatermarkRecord, check_time, load, name_of
from faultprint.publish.text import clean
from faultprint.tables import TRANSACTIONS, Column

_OPEN: Final = "open"
_STRETCH: Final = frozenset({"node", "network", "since", "from", "until"})
_COLUMNS: Final[Mapping[str, Column]] = {column.name: column for column in TRANSACTIONS.columns}
_SCHEMA: Final = storage.schema(TRANSACTIONS)
_PLAIN: Final = {name: pl.Int64() if isinstance(kind, pl.Datetime) else kind for name, kind in _SCHEMA.items()}
_BITS: Final[Mapping[str, int]] = {"uint16": 16, "uint32": 32, "uint64": 64, "int64": 63}


@dataclass(frozen=True, slots=True)
class TransactionRecord:
    """A transaction: `row` by the table's columns; `open`: it may change yet."""

    row: Row
    open: bool


@dataclass(frozen=True, slots=True)
class Listened:
    """A stretch so far; `from_us`: from when on its transactions are told with this record's mark."""

    stretch: Interval
    from_us: int


def decode(value: str | bytes | None) -> TransactionRecord | Listened | WatermarkRecord:
    """What a record says. Raises TableError for what says none of these."""
    found = load(value)
    if isinstance(found, WatermarkRecord):
        return found
    if found.keys() == _STRETCH:
        since_us, from_us, until_us = (check_time(found, name) for name in ("since", "from", "until"))
        if not since_us <= from_us <= until_us:
            raise TableError("a stretch's since, from and until are not in order")
        return Listened(Interval(name_of(found, "node"), name_of(found, "network"), since_us, until_us), from_us)
    is_open = found.pop(_OPEN, False)
    if type(is_open) is not bool:
        raise TableError(f"a transaction's {_OPEN!r} is neither true nor false")
    for name in found:
        if name not in _COLUMNS:
            raise TableError(clean(f"a transaction has {name!r}, which is no column of its table"))
    return TransactionRecord({name: _checked(found, column) for name, column in _COLUMNS.items()}, is_open)


def rows(transactions: pl.DataFrame, *, standing: bool) -> Iterator[Row]:
    """The rows of a TRANSACTIONS table as they are encoded."""
    times = [name for name, kind in _SCHEMA.items() if isinstance(kind, pl.Datetime)]
    words = [name for name, kind in _SCHEMA.items() if kind == pl.String()]
    plain = transactions.with_columns(pl.col(times).to_physical(), pl.col(words).cast(pl.String))
    for row in plain.iter_rows(named=True):
        yield {name: value for name, value in row.items() if value is not None} | ({_OPEN: True} if standing else {})


def stretch_row(stretch: Interval, begin_us: int) -> Row:
    """A stretch as it is encoded; what went before `begin_us` was told earlier."""
    since_us, until_us = stretch.start_us, stretch.end_us
    from_us = min(max(begin_us, since_us), until_us)
    return {"node": stretch.node, "network": stretch.network, "since": since_us, "from": from_us, "until": until_us}


def frame(found: Sequence[Row]) -> pl.DataFrame:
    """A TRANSACTIONS table of decoded rows."""
    columns = {name: pl.Series([row[name] for row in found], dtype=kind) for name, kind in _PLAIN.items()}
    return pl.DataFrame(columns).cast(_SCHEMA)  # type: ignore[arg-type]


def _checked(found: Row, column: Column) -> Any:
    value = found.get(column.name)
    if value is None:
        if column.nullable:
            return None
        raise TableError(f"a transaction lacks {column.name!r}")
    if column.kind == "timestamp":
        return check_time(found, column.name)
    if column.kind == "string":
        if column.values and value not in column.values:
            raise TableError(clean(f"a transaction's {column.name!r} is {value!r}, which is none of its words"))
        return name_of(found, column.name)
    if type(value) is not int or not 0 <= value < 2 ** _BITS[column.kind]:
        raise TableError(f"a transaction's {column.name!r} is no number of {column.kind}")
    return value
