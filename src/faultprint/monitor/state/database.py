"""Interface of the state's database. Statements must be valid in SQLite and in PostgreSQL; `?` is a value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol


class Database(Protocol):
    """One connection, for one thread at a time. Every method but `close` may raise errors.StateError."""

    def prepare(self) -> None:
        """Create the tables if they do not exist. Raises UsageError for a database of another program."""

    def made(self) -> bool:
        """Whether the tables of a monitor exist."""

    def copy(self, path: Path) -> None:
        """Copy its present content into a new state file."""

    def claim(self) -> None:
        """Lock it for this connection until it closes. Raises UsageError if another connection holds the lock."""

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> list[tuple[Any, ...]]:
        """Execute a statement; returns its rows, if any."""

    def many(self, statement: str, rows: Iterable[Sequence[Any]], /) -> None:
        """Execute a statement once for each row of values."""

    def stream(self, statement: str, values: Sequence[Any] = (), /) -> Iterator[tuple[Any, ...]]:
        """Rows one by one, for large results. Read it to the end."""

    def transaction(self) -> AbstractContextManager[None]:
        """Commit the block as a whole, or roll it back."""

    def close(self) -> None:
        """Close the connection."""


def plain(values: Iterable[Any]) -> tuple[Any, ...]:
    """Values that both databases can store: lone surrogates and NULs in text are replaced."""
    return tuple(_clean(value) if isinstance(value, str) else value for value in values)


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
