"""Records of a topic whose payload is minutes: rows of the MINUTES table as JSON with the node as key, and watermarks.

    record                                            meaning
    {"node": …, "network": …, "minute": …,            one row: `minute` in µs since 1970, UTC; a feature without a value is null
     "observed": …, FEATURE: …, …}                    or absent
    {"complete": …}                                   a watermark: all data of this sender from before this time (µs) stands
                                                      earlier in this partition

The record header `origin` names the sender. A sender writes its watermarks to every partition of the topic. Without watermarks, a
sender counts as complete up to its newest row. Any other record is unreadable: it is counted and skipped, and the first one is
logged.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from faultprint import storage
from faultprint.errors import TableError
from faultprint.features.catalogue import Catalogue
from faultprint.features.checks import check_feature_values, check_grid
from faultprint.publish.text import clean
from faultprint.tables import MINUTES

MAX_RECORD_BYTES: Final = 65_536
"""Maximum size of a record; a row of the SIP catalogue has 3,000 to 6,000 bytes."""
MAX_NAME_LENGTH: Final = 256
"""Maximum length of the name of a node or network, in characters."""
SENDER_HEADER: Final = "origin"
_WATERMARK: Final = "complete"
_MAX_TIME_US: Final = 2**62
_FIXED_COLUMNS: Final = frozenset(MINUTES.names)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class WatermarkRecord:
    """The sender has sent all data from before this time (µs)."""

    watermark_us: int


def decode(value: str | bytes | None, features: frozenset[str]) -> Row | WatermarkRecord:
    """Parse a record: names and types are checked, values are not (see `valid_rows`). Raises TableError."""
    row = parse_object(value)
    if isinstance(row, WatermarkRecord):
        return row
    for name, field in row.items():
        if name in features:
            row[name] = None if field is None else _parse_number(name, field)
        elif name not in _FIXED_COLUMNS:
            raise TableError(clean(f"a row has the field {name!r}, which is not a feature of the catalogue"))
    for name in ("node", "network"):
        parse_name(row, name)
    row["minute"] = parse_time(row, "minute")
    row["observed"] = _parse_number("observed", row.get("observed"))
    return row


def parse_object(value: str | bytes | None) -> Row | WatermarkRecord:
    """The JSON object of a record, or the watermark that it is. Raises TableError."""
    if value is None or len(value) > MAX_RECORD_BYTES:
        raise TableError(f"a record has {'no value' if value is None else f'{len(value)} bytes'}")
    try:
        document = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise TableError(clean(f"a record is not JSON ({error})")) from None
    if not isinstance(document, dict):
        raise TableError(f"a record is a {type(document).__name__}, not an object")
    return WatermarkRecord(parse_time(document, _WATERMARK)) if document.keys() == {_WATERMARK} else document


def parse_name(document: Row, field: str) -> str:
    """The name in a field of the object. Raises TableError."""
    text = document.get(field)
    if not isinstance(text, str) or not 0 < len(text) <= MAX_NAME_LENGTH or not text.isprintable():
        raise TableError(f"a record's {field!r} is not a printable text of 1 to {MAX_NAME_LENGTH} characters")
    return text


def parse_time(document: Row, field: str) -> int:
    """The time in a field of the object, in µs. Raises TableError."""
    value = document.get(field)
    if type(value) is not int or not 0 <= value < _MAX_TIME_US:
        raise TableError(f"a record's {field!r} is not a whole number of µs since 1970")
    return value


def encode(row: Row) -> bytes:
    """The record of a row from `rows`; `decode` returns an equal row."""
    return json.dumps(row, separators=(",", ":")).encode()


def encode_watermark(watermark_us: int) -> bytes:
    """The record of a watermark."""
    return json.dumps({_WATERMARK: watermark_us}).encode()


def rows(minutes: pl.DataFrame) -> Iterator[Row]:
    """The rows of a MINUTES table, without the columns that have no value."""
    plain = minutes.with_columns(pl.col("minute").to_physical(), pl.col("node", "network").cast(pl.String))
    for row in plain.iter_rows(named=True):
        yield {name: _shorten(value) for name, value in row.items() if value is not None}


def minutes_frame(rows: Sequence[Row], catalogue: Catalogue) -> pl.DataFrame:
    """A MINUTES table of decoded rows."""
    schema = storage.schema(MINUTES) | dict.fromkeys(catalogue.names, pl.Float32())
    plain = {name: pl.Int64() if name == "minute" else kind for name, kind in schema.items()}
    columns = {name: pl.Series([row.get(name) for row in rows], dtype=kind) for name, kind in plain.items()}
    return pl.DataFrame(columns).cast({"minute": schema["minute"]})


def valid_rows(rows: Sequence[Row], catalogue: Catalogue, interval_us: int) -> tuple[pl.DataFrame, list[str]]:
    """The rows whose values are possible, and for each other row the reason why it is not."""
    table = minutes_frame(rows, catalogue)
    try:
        _check(table, catalogue, interval_us)
    except TableError:
        reasons = [_rejection_reason(table[index], catalogue, interval_us) for index in range(len(table))]
        return table.filter(pl.Series([not reason for reason in reasons])), [reason for reason in reasons if reason]
    return table, []


def sender_of(headers: Iterable[tuple[str, str | bytes | None]] | None) -> str:
    """The sender of a record by its headers; empty if they do not name one."""
    for name, value in headers or ():
        if name == SENDER_HEADER and isinstance(value, bytes):
            return clean(value[:MAX_NAME_LENGTH].decode("utf-8", "replace"), 64)
    return ""


def _shorten(value: object) -> object:
    """A float32 with the fewest digits that give the same float32 again."""
    return float(f"{value:.9g}") if isinstance(value, float) else value


def _rejection_reason(row: pl.DataFrame, catalogue: Catalogue, interval_us: int) -> str:
    try:
        _check(row, catalogue, interval_us)
    except TableError as error:
        return clean(str(error))
    return ""


def _parse_number(name: str, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            return float(value)
    raise TableError(clean(f"a row's {name!r} is not a number"))


def _check(rows: pl.DataFrame, catalogue: Catalogue, interval_us: int) -> None:
    check_grid(rows, "a row", interval_us)
    check_feature_values(rows, "a row", catalogue)
