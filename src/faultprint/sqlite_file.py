"""SQLite files that others may have written: bounded lengths, no code in the schema, and only the tables expected."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterable
from typing import Final

_LIMITS: Final = {
    sqlite3.SQLITE_LIMIT_ATTACHED: 1,  # VACUUM INTO needs one
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 100,
}
_STEPS: Final = 100_000
"""Steps of SQLite's machine between two looks at the clock."""


def restrict(connection: sqlite3.Connection, longest: int) -> None:
    """Let a connection use no function of the file's own schema, and read no value longer than `longest` bytes."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, longest)
    for limit, value in _LIMITS.items():
        connection.setlimit(limit, value)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")


def columns_of(statements: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
    """Name and type of the columns that each table of these CREATE statements has, by table."""
    connection = sqlite3.connect(":memory:")
    try:
        for statement in statements:
            connection.execute(statement)
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: _columns(connection, name) for name in names if not name.startswith("sqlite_")}
    finally:
        connection.close()


def foreign_part(
    connection: sqlite3.Connection, expected: dict[str, list[tuple[str, str]]], optional: Collection[str] = ()
) -> str | None:
    """What a file's schema has apart from the expected tables, or lacks of them, in words; None: nothing.

    `optional`: tables that an old file may lack.

    Raises sqlite3.Error.
    """
    found = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema").fetchall()
    tables = set()
    for kind, name, table, sql in found:
        ours = table in expected or str(name).startswith("sqlite_")
        if kind not in ("table", "index") or not ours or "VIRTUAL" in str(sql).upper().split("(")[0]:
            return f"the {kind} {name!r}"[:100]
        tables.add(table)
    for table, columns in expected.items():
        if table not in tables and table in optional:
            continue
        if table not in tables or _columns(connection, table) != columns:
            return f"no table {table!r} as it should be"
    return None


def damage(connection: sqlite3.Connection, seconds: float) -> str | None:
    """What `PRAGMA quick_check` finds first, in words, in at most `seconds`; None: nothing until then."""
    end = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
    try:
        found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
        return None if found == "ok" else " ".join(found.split())[:200]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return None
        return str(error)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        return str(error)
    finally:
        connection.set_progress_handler(None, 0)


def _columns(connection: sqlite3.Connection, table: str) -> list[tuple[str, str]]:
    """Generated and hidden columns count as another type."""
    rows = connection.execute("SELECT name, type, hidden FROM pragma_table_xinfo(?)", (table,)).fetchall()
    return [(name, f"{type} hidden" if hidden else type) for name, type, hidden in rows]
