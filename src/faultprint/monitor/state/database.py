"""What the monitor's state asks of a database: statements that SQLite and PostgreSQL understand alike, `?` for a value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol


class Database(Protocol):
    """One connection, for one thread at a time. Every method but `close` may raise errors.StateError."""

    def prepare(self) -> None:
        """Make the tables where there are none. Raises UsageError for a database that is something else."""

    def made(self) -> bool:
        """Whether a monitor's tables are there."""

    def copy(self, path: Path) -> None:
        """Put all that is in it at this moment into a new state file."""

    def claim(self) -> None:
        """Keep all others from claiming it while this connection lives. Raises UsageError where another one has."""

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> list[tuple[Any, ...]]:
        """Do it; its rows, if it gives any."""

    def many(self, statement: str, rows: Iterable[Sequence[Any]], /) -> None:
        """Do it once for each row of values."""

    def stream(self, statement: str, values: Sequence[Any] = (), /) -> Iterator[tuple[Any, ...]]:
        """Its rows, one after the other, for results that should not be in memory at once; read to the end."""

    def transaction(self) -> AbstractContextManager[None]:
        """What is done in the block is done whole or not at all."""

    def close(self) -> None:
        """Let go of it."""


def plain(values: Iterable[Any]) -> tuple[Any, ...]:
    """Values that both databases can hold: in text, lone surrogates and NULs are replaced."""
    return tuple(_clean(value) if isinstance(value, str) else value for value in values)


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
