"""Where a monitor's state is: a file (SQLite), or a database that a URL names (PostgreSQL)."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from faultprint.errors import UsageError
from faultprint.files import check_folder
from faultprint.monitor.state.database import Database
from faultprint.monitor.state.sqlite import SqliteDatabase

_URL: Final = re.compile(r"postgres(ql)?://")
_PASSWORD: Final = re.compile(r"(?<=[?&])(ssl)?password=[^&]*&?|(?<=://)([^:/?@]*):.*(?=@)")


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """`postgresql://user@host/database`, with whatever parameters libpq knows. Its password is never shown.

    `suffix`: comes behind the name of the schema that the URL leads to.
    """

    url: str = field(repr=False)
    suffix: str = ""

    def __str__(self) -> str:
        shown = _PASSWORD.sub(r"\2", self.url)
        return f"{shown} (schema …{self.suffix})" if self.suffix else shown


State = Path | PostgresUrl


def parse(text: str, folder: Path) -> State:
    """What a person has written; a path is relative to `folder`."""
    return PostgresUrl(text) if _URL.match(text) else folder / text


def beside(state: State, name: str) -> State:
    """A state of its own next to this one: a file, or a schema in the same database, with the name behind that of the other."""
    if isinstance(state, Path):
        return state.with_name(f"{state.name}.{name}")
    return replace(state, suffix=f"{state.suffix}_{name}")


def exists(state: State) -> bool:
    """Whether a monitor has ever begun there. Raises UsageError or StateError."""
    if isinstance(state, Path) and not state.exists():
        return False
    with closing(connect(state)) as database:
        return database.made()


def connect(state: State) -> Database:
    """A connection to a state; one to a database is made when it is first used. Raises UsageError."""
    if isinstance(state, Path):
        check_folder(state)
        return SqliteDatabase(state)
    try:
        from faultprint.monitor.state.postgres import PostgresDatabase
    except ImportError:
        raise UsageError("A state in PostgreSQL needs psycopg; install faultprint[postgres].") from None
    return PostgresDatabase(state)
