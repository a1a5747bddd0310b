"""Records of a topic whose payload is transactions: JSON objects with the node as key, and watermarks.

    record                                            meaning
    {"node": …, …, "start": …, …}                     a transaction with the columns of its table; times in µs since 1970, UTC
    {"node": …, …, "start": …, …, "open": true}       a transaction that may still change, as it is at the next watermark;
                                                      it is sent again later
    {"node": …, "network": …, "since": …,             the node was covered from `since` to `until` (µs); this sender's records
     "from": …, "until": …}                           of the node are complete from `from` on
    {"complete": …}                                   a watermark, as in `records`

A node has exactly one sender. The rows of minutes are built by the same rules as in the live probe.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from faultprint import storage
from faultprint.errors import TableError
from faultprint.features.coverage import CoverageInterval
from faultprint.monitor.kafka.records import Row, WatermarkRecord, parse_name, parse_object, parse_time
from faultprint.publish.text import clean
from faultprint.tables import TRANSACTIONS, Column

_OPEN: Final = "open"
_COVERAGE_FIELDS: Final = frozenset({"node", "network", "since", "from", "until"})
_COLUMNS: Final[Mapping[str, Column]] = {column.name: column for column in TRANSACTIONS.columns}
_SCHEMA: Final = storage.schema(TRANSACTIONS)
_ENCODED_SCHEMA: Final = {name: pl.Int64() if isinstance(kind, pl.Datetime) else kind for name, kind in _SCHEMA.items()}
_BITS: Final[Mapping[str, int]] = {"uint16": 16, "uint32": 32, "uint64": 64, "int64": 63}


@dataclass(frozen=True, slots=True)
class TransactionRecord:
    """A transaction: `row` holds the columns of the table; `open`: it may still change."""

    row: Row
    open: bool


@dataclass(frozen=True, slots=True)
class CoverageRecord:
    """A coverage interval so far; `from_us`: the topic holds its transactions from this time on."""

    interval: CoverageInterval
    from_us: int


def decode(value: str | bytes | None) -> TransactionRecord | CoverageRecord | WatermarkRecord:
    """Parse a record. Raises TableError if it is none of the three kinds."""
    document = parse_object(value)
    if isinstance(document, WatermarkRecord):
        return document
    if document.keys() == _COVERAGE_FIELDS:
        since_us, from_us, until_us = (parse_time(document, name) for name in ("since", "from", "until"))
        if not since_us <= from_us <= until_us:
            raise TableError("a coverage record needs since <= from <= until")
        names = parse_name(document, "node"), parse_name(document, "network")
        return CoverageRecord(CoverageInterval(*names, since_us, until_us), from_us)
    is_open = document.pop(_OPEN, False)
    if type(is_open) is not bool:
        raise TableError(f"a transaction's {_OPEN!r} must be true or false")
    for name in document:
        if name not in _COLUMNS:
            raise TableError(clean(f"a transaction has the field {name!r}, which its table does not have"))
    return TransactionRecord({name: _parse_column(document, column) for name, column in _COLUMNS.items()}, is_open)


def rows(transactions: pl.DataFrame, *, is_open: bool) -> Iterator[Row]:
    """The records of a TRANSACTIONS table, before JSON."""
    times = [name for name, kind in _SCHEMA.items() if isinstance(kind, pl.Datetime)]
    strings = [name for name, kind in _SCHEMA.items() if kind == pl.String()]
    plain = transactions.with_columns(pl.col(times).to_physical(), pl.col(strings).cast(pl.String))
    for row in plain.iter_rows(named=True):
        yield {name: value for name, value in row.items() if value is not None} | ({_OPEN: True} if is_open else {})


def coverage_row(interval: CoverageInterval, begin_us: int) -> Row:
    """The record of a coverage interval, before JSON; earlier records cover the time before `begin_us`."""
    since_us, until_us = interval.start_us, interval.end_us
    from_us = min(max(begin_us, since_us), until_us)
    return {"node": interval.node, "network": interval.network, "since": since_us, "from": from_us, "until": until_us}


def transactions_frame(rows: Sequence[Row]) -> pl.DataFrame:
    """A TRANSACTIONS table of decoded rows."""
    columns = {name: pl.Series([row[name] for row in rows], dtype=kind) for name, kind in _ENCODED_SCHEMA.items()}
    return pl.DataFrame(columns).cast(_SCHEMA)  # type: ignore[arg-type]


def _parse_column(document: Row, column: Column) -> Any:
    value = document.get(column.name)
    if value is None:
        if column.nullable:
            return None
        raise TableError(f"a transaction has no {column.name!r}")
    if column.kind == "timestamp":
        return parse_time(document, column.name)
    if column.kind == "string":
        if column.values and value not in column.values:
            raise TableError(clean(f"a transaction's {column.name!r} is {value!r}, which is not one of its values"))
        return parse_name(document, column.name)
    if type(value) is not int or not 0 <= value < 2 ** _BITS[column.kind]:
        raise TableError(f"a transaction's {column.name!r} is not a number of type {column.kind}")
    return value
