"""A monitor's state in one SQLite file (WAL)."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

from faultprint.errors import StateError, UsageError
from faultprint.monitor.state.database import plain
from faultprint.monitor.state.lock import Lock
from faultprint.monitor.state.schema import APPLICATION_ID, READABLE_VERSIONS, SCHEMA_VERSION, added, statements
from faultprint.sqlite_file import columns_of, damage, foreign_part, restrict

_SERIAL: Final = "INTEGER PRIMARY KEY AUTOINCREMENT"
_WAIT_S: Final = 60
"""Longest wait for a lock of the file, seconds."""
_AGAIN_S: Final = 0.01
_CHECK_S: Final = 10.0
"""Longest check of a file at the start, seconds: about 5 GB."""
_LONGEST: Final = 500_000_000
"""Longest value in the file, bytes: a minute of 10,000 nodes has some 40 MB."""


class SqliteDatabase:
    """A connection to a state file; see `database.Database`."""

    def __init__(self, path: Path) -> None:
        """Open the file, or create an empty one. Raises UsageError for a file that is not a state."""
        self._path = path
        self._lock: Lock | None = None
        try:
            self.connection = sqlite3.connect(path, isolation_level=None, timeout=_WAIT_S, check_same_thread=False)
            restrict(self.connection, _LONGEST)
            _write_ahead(self.connection)
            self.connection.execute("PRAGMA synchronous = NORMAL")
            self.connection.execute("BEGIN")  # one snapshot: another process may be creating the state now
            identity, version = (self._pragma(name) for name in ("application_id", "user_version"))
            self.connection.execute("COMMIT")
            known = (identity, version) in ((0, 0), *((APPLICATION_ID, one) for one in READABLE_VERSIONS))
            status = path.stat()
            self._file = status.st_dev, status.st_ino
            part = foreign_part(self.connection, _expected(), optional=("alarm",)) if known and identity else None
        except (sqlite3.Error, UnicodeDecodeError, OSError) as error:
            raise UsageError(
                f"{path} cannot be opened as a monitor's state ({error}); name another state file."
            ) from None
        if not known:
            self.close()
            raise UsageError(f"{path} is not a monitor state of this version; name another state file.")
        if part:
            self.close()
            raise UsageError(
                f"{path} is not a monitor state as Faultprint makes it: it has {part}; name another state file."
            )

    def prepare(self) -> None:
        if found := damage(self.connection, _CHECK_S):
            raise self._damaged(found)
        with self.transaction():
            schema = statements(integer="INTEGER", blob="BLOB", serial=_SERIAL, after=" STRICT")
            if self.made():
                if not self.execute("SELECT 1 FROM sqlite_master WHERE name = 'alarm'"):
                    for statement in added(schema):
                        self.execute(statement)
                # Versions before this one cannot read what is written from now on.
                self.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                return
            if self.execute("SELECT 1 FROM sqlite_master"):
                raise UsageError(f"{self._path} is a database of another program; name another state file.")
            for statement in schema:
                self.execute(statement)
            self.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def made(self) -> bool:
        return self._pragma("application_id") == APPLICATION_ID

    def copy(self, path: Path) -> None:
        try:
            self.execute("VACUUM INTO ?", (str(path),))
        except StateError as error:
            raise StateError(f"{path} cannot be written ({error.__cause__}); free some disk space.") from error

    def claim(self) -> None:
        self._lock = Lock(self._path)

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> list[tuple[Any, ...]]:
        with self._told():
            return self.connection.execute(statement, plain(values)).fetchall()

    def many(self, statement: str, rows: Iterable[Sequence[Any]], /) -> None:
        with self._told():
            self.connection.executemany(statement, map(plain, rows))

    def stream(self, statement: str, values: Sequence[Any] = (), /) -> Iterator[tuple[Any, ...]]:
        with self._told():
            yield from self.connection.execute(statement, plain(values))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._check_present()
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:  # SQLite rolls back by itself when the disk is full
                self.execute("ROLLBACK")
            raise

    def close(self) -> None:
        self.connection.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StateError(
                f"{self._path} cannot be read or written ({error}); check its disk, or name another state."
            ) from error
        except (sqlite3.DatabaseError, UnicodeDecodeError, OverflowError) as error:
            raise self._damaged(str(error)) from error

    def _check_present(self) -> None:
        """Raises UsageError if the file is no longer at its path: SQLite would write into a file without a name."""
        try:
            status = self._path.stat()
        except OSError:
            status = None
        if status is None or (status.st_dev, status.st_ino) != self._file:
            raise UsageError(
                f"{self._path} was removed or replaced under a running monitor; restore the file, or start the monitor again "
                "with a new state."
            )

    def _damaged(self, detail: str) -> UsageError:
        return UsageError(
            f"{self._path} is damaged ({detail}); restore it from a copy, or move it away with `mv {self._path} "
            f"{self._path}.damaged` and start again."
        )

    def _pragma(self, name: str) -> int:
        return int(self.connection.execute(f"PRAGMA {name}").fetchone()[0])


@cache
def _expected() -> dict[str, list[tuple[str, str]]]:
    """The columns of each table."""
    return columns_of(statements(integer="INTEGER", blob="BLOB", serial=_SERIAL, after=" STRICT"))


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Set the journal mode. SQLite ignores the time-out for this statement while another connection sets it, so retry."""
    end = time.monotonic() + _WAIT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
        time.sleep(_AGAIN_S)
