"""Connections to a state: a SQLite file, or a PostgreSQL database."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from faultprint.errors import UsageError
from faultprint.files import check_folder
from faultprint.monitor.base.location import StateLocation
from faultprint.monitor.state.database import Database
from faultprint.monitor.state.sqlite import SqliteDatabase


def state_exists(state: StateLocation) -> bool:
    """Whether there is a state of a monitor. Raises UsageError or StateError."""
    if isinstance(state, Path) and not state.exists():
        return False
    with closing(connect(state)) as database:
        return database.made()


def connect(state: StateLocation) -> Database:
    """A connection to a state. PostgreSQL is connected at first use. Raises UsageError."""
    if isinstance(state, Path):
        check_folder(state)
        return SqliteDatabase(state)
    try:
        from faultprint.monitor.state.postgres import PostgresDatabase
    except ImportError:
        raise UsageError("A state in PostgreSQL needs psycopg; install faultprint[postgres].") from None
    return PostgresDatabase(state)
