"""A monitor's state in a schema of a PostgreSQL database.

A connection that breaks is made anew with the next use. What was begun on it has come to nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from faultprint.errors import StateError, UsageError
from faultprint.monitor.state.database import plain
from faultprint.monitor.state.schema import APPLICATION_ID, SCHEMA_VERSION, TABLES, statements
from faultprint.monitor.state.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from faultprint.monitor.state.connect import PostgresUrl

_DEFAULTS: Final[Mapping[str, Any]] = {
    "connect_timeout": 10,
    # Either side notices within a minute that the other's machine has gone, and the lock of a dead monitor with it.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
    "client_encoding": "utf8",
    "application_name": "faultprint",
}
_SESSION: Final = (
    "SET tcp_keepalives_idle = 30",
    "SET tcp_keepalives_interval = 10",
    "SET tcp_keepalives_count = 3",
    "SET lock_timeout = '30s'",
)
PATIENCE_S: Final = 5.0
"""A session whose monitor was killed ends with the statement in hand, and its lock only then."""
_SUFFIXED: Final = "SELECT set_config('search_path', quote_ident(current_schema() || %s), false)"
_AWAY: Final = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)
"""Server or connection gone, disk full, shutting down; or read-only after a change of roles."""


class PostgresDatabase:
    """A connection to a database; see `database.Database`."""

    def __init__(self, url: PostgresUrl) -> None:
        """Raises UsageError for what libpq cannot read."""
        try:
            given = conninfo_to_dict(url.url)
        except psycopg.Error:  # what it says may show the password
            raise UsageError(
                f"{url} is no PostgreSQL URL; write postgresql://user@host:port/database and escape special characters."
            ) from None
        self._url, self._parameters = url, {**_DEFAULTS, **given}
        self._connection: psycopg.Connection | None = None
        self._claimed = False

    def prepare(self) -> None:
        try:
            with self.transaction():
                self._prepare()
        except psycopg.Error as error:
            raise UsageError(
                f"{self._url} cannot be used as a monitor's state ({_line(error)}); give a user who may make tables in a "
                "schema that holds nothing else."
            ) from None

    def _prepare(self) -> None:
        self.execute("SELECT pg_advisory_xact_lock(?)", (APPLICATION_ID,))  # two that begin at once
        if self.execute("SHOW server_encoding") != [("UTF8",)]:
            raise UsageError(f"{self._url} does not keep text as UTF8; make a database with ENCODING 'UTF8'.")
        if self._url.suffix:
            ((schema,),) = self.execute("SHOW search_path")
            self.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        if self.made():
            if self.execute("SELECT value FROM fact WHERE name = 'schema'") != [(str(SCHEMA_VERSION),)]:
                raise UsageError(f"{self._url} holds no state of a monitor of this version; name another database.")
            return
        serial = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
        for statement in statements(integer="BIGINT", blob="BYTEA", serial=serial):
            self.execute(statement)
        # Codes are numbers in single precision, which hardly compress: PostgreSQL is not to try.
        self.execute("ALTER TABLE frame ALTER COLUMN data SET STORAGE EXTERNAL")
        self.execute("INSERT INTO fact VALUES ('schema', ?)", (str(SCHEMA_VERSION),))

    def made(self) -> bool:
        return bool(self.execute("SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'fact'"))

    def copy(self, path: Path) -> None:
        with closing(SqliteDatabase(path)) as target, self.transaction():
            self.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            target.prepare()
            with target.transaction():
                for table in TABLES:
                    found = [
                        f'"{name}"' for (name,) in target.execute("SELECT name FROM pragma_table_info(?)", (table,))
                    ]
                    columns, places = ", ".join(found), ", ".join("?" * len(found))
                    rows = self.stream(f"SELECT {columns} FROM {table}")
                    target.many(f"INSERT INTO {table} ({columns}) VALUES ({places})", rows)

    def claim(self) -> None:
        self._lock()
        self._claimed = True

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> list[tuple[Any, ...]]:
        with self._cursor() as cursor:
            cursor.execute(_percent(statement), plain(values))
            return cursor.fetchall() if cursor.description else []

    def many(self, statement: str, rows: Iterable[Sequence[Any]], /) -> None:
        with self._cursor() as cursor:
            cursor.executemany(_percent(statement), map(plain, rows))

    def stream(self, statement: str, values: Sequence[Any] = (), /) -> Iterator[tuple[Any, ...]]:
        with self._cursor() as cursor:
            yield from cursor.stream(_percent(statement), plain(values))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.execute("BEGIN")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            if self._connection is not None:  # else the server has rolled it back
                self.execute("ROLLBACK")
            raise

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _cursor(self) -> Iterator[psycopg.Cursor]:
        try:
            with self._live().cursor(binary=True) as cursor:
                yield cursor
        except psycopg.errors.InsufficientPrivilege as error:
            raise UsageError(
                f"{self._url} does not let its user do that ({_line(error)}); name the one who made the tables."
            ) from None
        except _AWAY as error:
            self.close()
            raise StateError(
                f"{self._url} cannot be read or written ({_line(error)}); see that the server can be reached."
            ) from error

    def _live(self) -> psycopg.Connection:
        """The connection; a new one holds the claim again that the last one held, or raises UsageError."""
        if self._connection is None:
            self._connection = psycopg.connect(**self._parameters, autocommit=True)
            for statement in _SESSION:
                self._connection.execute(statement)
            if self._url.suffix:
                self._connection.execute(_SUFFIXED, (self._url.suffix,))
            if self._claimed:
                self._lock()
        return self._connection

    def _lock(self) -> None:
        """An advisory lock on our table of facts, which ends with the connection."""
        number = f"({APPLICATION_ID}::bigint << 32) + 'fact'::regclass::oid::bigint"
        limit = time.monotonic() + PATIENCE_S
        while self.execute(f"SELECT pg_try_advisory_lock({number})") != [(True,)]:
            if time.monotonic() > limit:
                self.close()
                raise UsageError(f"Another monitor is at work with {self._url}; end it, or name another state.")
            time.sleep(0.1)


@lru_cache
def _percent(statement: str) -> str:
    return statement.replace("?", "%s")


def _line(error: psycopg.Error) -> str:
    return " ".join(str(error).split()) or type(error).__name__
