"""What lies on the topic of minutes: rows of the MINUTES table as JSON objects, keyed by node, and marks among them.

    record                                            means
    {"node": …, "network": …, "minute": …,            one row: `minute` in µs since 1970, UTC; a feature without a value
     "observed": …, FEATURE: …, …}                    is null or left out
    {"complete": …}                                   a mark: all that its sender has to say of what happened before this
                                                      moment (µs) lies before it on this partition

The record's header `origin` says who sent it. A sender's mark goes to every partition of the topic. Without marks a sender is
taken to be complete up to its newest row. Anything else is unreadable: counted, skipped, and told of once.
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
from faultprint.features.checks import check_figures, check_grid
from faultprint.publish.text import clean
from faultprint.tables import MINUTES

LONGEST: Final = 65_536
"""Bytes of a record, at most; a row of the SIP catalogue has some 3,000 to 6,000."""
NAME: Final = 256
"""Characters of a node's or network's name, at most."""
ORIGIN: Final = "origin"
_COMPLETE: Final = "complete"
_LATEST_US: Final = 2**62
_FIXED: Final = frozenset(MINUTES.names)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class WatermarkRecord:
    """Its sender is complete up to this moment (µs)."""

    complete_us: int


def decode(value: str | bytes | None, features: frozenset[str]) -> Row | WatermarkRecord:
    """A row, its words and types checked but not yet its values, or a mark. Raises TableError for what is neither."""
    found = load(value)
    if isinstance(found, WatermarkRecord):
        return found
    for name, given in found.items():
        if name in features:
            found[name] = None if given is None else _number(name, given)
        elif name not in _FIXED:
            raise TableError(clean(f"a row has {name!r}, which is no feature of the catalogue"))
    for name in ("node", "network"):
        name_of(found, name)
    found["minute"] = check_time(found, "minute")
    found["observed"] = _number("observed", found.get("observed"))
    return found


def load(value: str | bytes | None) -> Row | WatermarkRecord:
    """The object in a record, or the mark that it is. Raises TableError."""
    if value is None or len(value) > LONGEST:
        raise TableError(f"a record has {'no value' if value is None else f'{len(value)} bytes'}")
    try:
        found = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise TableError(clean(f"a record is no JSON ({error})")) from None
    if not isinstance(found, dict):
        raise TableError(f"a record is a {type(found).__name__}, not an object")
    return WatermarkRecord(check_time(found, _COMPLETE)) if found.keys() == {_COMPLETE} else found


def name_of(found: Row, name: str) -> str:
    """The name that the object gives. Raises TableError."""
    text = found.get(name)
    if not isinstance(text, str) or not 0 < len(text) <= NAME or not text.isprintable():
        raise TableError(f"a record's {name!r} is no printable text of 1 to {NAME} characters")
    return text


def check_time(found: Row, name: str) -> int:
    """The time that the object gives, µs. Raises TableError."""
    value = found.get(name)
    if type(value) is not int or not 0 <= value < _LATEST_US:
        raise TableError(f"a record's {name!r} is no whole number of µs since 1970")
    return value


def encode(row: Row) -> bytes:
    """What `decode` reads back equal; `row` as `rows` gives it."""
    return json.dumps(row, separators=(",", ":")).encode()


def encode_mark(complete_us: int) -> bytes:
    """What `decode` reads back as a mark."""
    return json.dumps({_COMPLETE: complete_us}).encode()


def rows(minutes: pl.DataFrame) -> Iterator[Row]:
    """The rows of a MINUTES table; what has no value is left out."""
    plain = minutes.with_columns(pl.col("minute").to_physical(), pl.col("node", "network").cast(pl.String))
    for row in plain.iter_rows(named=True):
        yield {name: _short(value) for name, value in row.items() if value is not None}


def frame(found: Sequence[Row], catalogue: Catalogue) -> pl.DataFrame:
    """A MINUTES table of decoded rows."""
    schema = storage.schema(MINUTES) | dict.fromkeys(catalogue.names, pl.Float32())
    plain = {name: pl.Int64() if name == "minute" else kind for name, kind in schema.items()}
    columns = {name: pl.Series([row.get(name) for row in found], dtype=kind) for name, kind in plain.items()}
    return pl.DataFrame(columns).cast({"minute": schema["minute"]})


def sound(found: Sequence[Row], catalogue: Catalogue, interval_us: int) -> tuple[pl.DataFrame, list[str]]:
    """The rows whose values an interval can have, and why the others have not."""
    table = frame(found, catalogue)
    try:
        _check(table, catalogue, interval_us)
    except TableError:
        reasons = [_reason(table[index], catalogue, interval_us) for index in range(len(table))]
        return table.filter(pl.Series([not reason for reason in reasons])), [reason for reason in reasons if reason]
    return table, []


def origin(headers: Iterable[tuple[str, str | bytes | None]] | None) -> str:
    """Who sent a record; empty: it does not say."""
    for name, value in headers or ():
        if name == ORIGIN and isinstance(value, bytes):
            return clean(value[:NAME].decode("utf-8", "replace"), 64)
    return ""


def _short(value: object) -> object:
    """A float32 in as few digits as bring it back."""
    return float(f"{value:.9g}") if isinstance(value, float) else value


def _reason(row: pl.DataFrame, catalogue: Catalogue, interval_us: int) -> str:
    try:
        _check(row, catalogue, interval_us)
    except TableError as error:
        return clean(str(error))
    return ""


def _number(name: str, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            return float(value)
    raise TableError(clean(f"a row's {name!r} is no number"))


def _check(rows: pl.DataFrame, catalogue: Catalogue, interval_us: int) -> None:
    check_grid(rows, "a row", interval_us)
    check_figures(rows, "a row", catalogue)
