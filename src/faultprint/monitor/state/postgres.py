"""A monitor's state in a schema of a PostgreSQL database.

A broken connection is replaced at its next use. PostgreSQL rolls back what was open on it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from faultprint.errors import StateError, UsageError
from faultprint.monitor.base.location import PostgresUrl
from faultprint.monitor.state.database import plain
from faultprint.monitor.state.schema import APPLICATION_ID, READABLE_VERSIONS, SCHEMA_VERSION, TABLES, added, statements
from faultprint.monitor.state.sqlite import SqliteDatabase

_DEFAULTS: Final[Mapping[str, Any]] = {
    "connect_timeout": 10,
    # Both sides detect a dead peer within a minute, so that the lock of a dead monitor is released.
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
LOCK_TIMEOUT_S: Final = 5.0
"""How long to wait for the lock: the session of a killed monitor ends only after its current statement."""
_SUFFIXED: Final = "SELECT set_config('search_path', quote_ident(current_schema() || %s), false)"
_READABLE: Final = [[(str(version),)] for version in READABLE_VERSIONS]
_AWAY: Final = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)
"""Server or connection lost, disk full, shutdown, or read-only after a failover."""


class PostgresDatabase:
    """A connection to a database; see `database.Database`."""

    def __init__(self, url: PostgresUrl) -> None:
        """Raises UsageError for a URL that libpq cannot parse."""
        try:
            given = conninfo_to_dict(url.url)
        except psycopg.Error:  # its text may contain the password
            raise UsageError(
                f"{url} is not a PostgreSQL URL; write postgresql://user@host:port/database and escape special characters."
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
                f"{self._url} cannot be used as a monitor's state ({_line(error)}); use a user who may create tables in a "
                "schema of its own."
            ) from None

    def _prepare(self) -> None:
        self.execute("SELECT pg_advisory_xact_lock(?)", (APPLICATION_ID,))  # two monitors may start at the same time
        if self.execute("SHOW server_encoding") != [("UTF8",)]:
            raise UsageError(f"{self._url} does not store text as UTF8; create a database with ENCODING 'UTF8'.")
        if self._url.suffix:
            ((schema,),) = self.execute("SHOW search_path")
            self.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        serial = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
        schema = statements(integer="BIGINT", blob="BYTEA", serial=serial, text='TEXT COLLATE "C"')
        if self.made():
            if self.execute("SELECT value FROM fact WHERE name = 'schema'") not in _READABLE:
                raise UsageError(f"{self._url} is not a monitor state of this version; name another database.")
            self.execute("UPDATE fact SET value = ? WHERE name = 'schema'", (str(SCHEMA_VERSION),))
            if not self.execute("SELECT to_regclass('alarm')")[0][0]:
                for statement in added(schema):
                    self.execute(statement)
            return
        for statement in schema:
            self.execute(statement)
        # Embeddings in single precision hardly compress, so PostgreSQL need not try.
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
            if self._connection is not None:  # otherwise the server has rolled it back
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
                f"{self._url} does not let its user do that ({_line(error)}); use the owner of the tables."
            ) from None
        except _AWAY as error:
            self.close()
            raise StateError(
                f"{self._url} cannot be read or written ({_line(error)}); check that the server is reachable."
            ) from error

    def _live(self) -> psycopg.Connection:
        """The connection. A new one takes the lock again if this object held it, or raises UsageError."""
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
        """Take an advisory lock on the table `fact`; it ends with the connection."""
        number = f"({APPLICATION_ID}::bigint << 32) + 'fact'::regclass::oid::bigint"
        limit = time.monotonic() + LOCK_TIMEOUT_S
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
