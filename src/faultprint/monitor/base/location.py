"""The location of a monitor's state: a file (SQLite), or the URL of a database (PostgreSQL)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

_URL: Final = re.compile(r"postgres(ql)?://")
_PASSWORD: Final = re.compile(r"(?<=[?&])(ssl)?password=[^&]*&?|(?<=://)([^:/?@]*):.*(?=@)")


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """`postgresql://user@host/database`, with any parameters of libpq. Its text form never shows the password.

    `suffix`: appended to the name of the schema that the URL selects.
    """

    url: str = field(repr=False)
    suffix: str = ""

    def __str__(self) -> str:
        shown = _PASSWORD.sub(r"\2", self.url)
        return f"{shown} (schema …{self.suffix})" if self.suffix else shown


StateLocation = Path | PostgresUrl


def parse_location(text: str, folder: Path) -> StateLocation:
    """The location in a configuration or an option. A path is relative to `folder`."""
    return PostgresUrl(text) if _URL.match(text) else folder / text


def sibling(state: StateLocation, name: str) -> StateLocation:
    """Another location next to `state`: the file `STATE.name`, or the schema `SCHEMA_name` of the same database."""
    if isinstance(state, Path):
        return state.with_name(f"{state.name}.{name}")
    return replace(state, suffix=f"{state.suffix}_{name}")
