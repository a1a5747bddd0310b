"""The case library: references in one SQLite file, which can be read while it is written (WAL)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np

from faultprint.cases.decision import Rule
from faultprint.cases.reference import Reference, check
from faultprint.errors import LibraryError
from faultprint.units import microseconds, moment

SCHEMA_VERSION: Final = 2
APPLICATION_ID: Final = 0x46505254  # "FPRT": tells the file from any other SQLite database

_SCHEMA: Final = """
CREATE TABLE reference (
    id TEXT PRIMARY KEY,
    condition TEXT NOT NULL,
    vector BLOB NOT NULL,
    model TEXT NOT NULL,
    node TEXT NOT NULL,
    network TEXT NOT NULL,
    start INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    windows INTEGER NOT NULL,
    created INTEGER NOT NULL,
    comment TEXT NOT NULL
) STRICT;
CREATE TABLE rule (
    model TEXT NOT NULL,
    persistence INTEGER NOT NULL,
    leave_normal REAL NOT NULL,
    closer REAL NOT NULL,
    unknown_beyond REAL NOT NULL,
    unknown_doubt TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (model, persistence)
) STRICT;
CREATE INDEX reference_of_model ON reference (model, condition);
"""
_UPGRADE: Final = "ALTER TABLE rule ADD COLUMN unknown_doubt TEXT NOT NULL DEFAULT '{}'"
"""From version 1, whose rules had no limit of uncertainty."""
_COLUMNS: Final = 'id, condition, vector, model, node, network, start, "end", windows, created, comment'


class Library:
    """A case library on disk, or in memory for `:memory:`. Use it as a context manager.

    Every change is one transaction: it is complete or not made at all, also if the process dies.
    """

    def __init__(self, connection: sqlite3.Connection, source: str) -> None:
        self._connection = connection
        self._source = source

    @classmethod
    def open(cls, path: Path | str, *, create: bool = False) -> Self:
        """Open the library at `path`; `create`: make an empty one if there is none. Raises LibraryError."""
        source = str(path)
        in_memory = source == ":memory:"
        if not in_memory and not Path(path).exists():
            if not create:
                raise LibraryError(f"There is no case library at {source}; make one with `faultprint cases enrol`.")
            if not Path(path).parent.is_dir():
                raise LibraryError(
                    f"{source} cannot be made: the folder {Path(path).parent} does not exist; create it first."
                )
        try:
            connection = sqlite3.connect(source, isolation_level=None, timeout=30)
        except sqlite3.Error as error:
            raise LibraryError(
                f"{source} cannot be opened as a case library ({error}); give the library's file."
            ) from error
        library = cls(connection, source)
        try:
            library._prepare()
        except BaseException:
            connection.close()
            raise
        return library

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def add(self, references: Iterable[Reference]) -> list[str]:
        """Add references, all or none, and return the ids that are new.

        References that the library already holds stay unchanged. Raises LibraryError for a reference that breaks a rule, or
        whose dimension differs from the others of its model.
        """
        checked = [check(reference) for reference in references]
        with self._transaction():
            dimensions = self._dimensions()
            for reference in checked:
                wanted = dimensions.setdefault(reference.model, reference.vector.size)
                if reference.vector.size != wanted:
                    raise LibraryError(
                        f"The reference {reference.condition!r} has {reference.vector.size} dimensions, but others of "
                        f"its model {reference.model} in {self._source} have {wanted}; enrol it again with that model."
                    )
            added = []
            for reference in checked:
                cursor = self._connection.execute(
                    f"INSERT OR IGNORE INTO reference ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    _to_row(reference),
                )
                if cursor.rowcount:
                    added.append(reference.id)
        return added

    def references(self, model: str | None = None) -> list[Reference]:
        """The references by condition and then age, of all models or of the one with the id `model`."""
        where, arguments = ("WHERE model = ?", (model,)) if model is not None else ("", ())
        with self._readable():
            rows = self._connection.execute(
                f"SELECT {_COLUMNS} FROM reference {where} ORDER BY condition, created, id", arguments
            ).fetchall()
        return [self._from_row(row) for row in rows]

    def find(self, id: str) -> Reference:
        """The reference whose id begins with `id`. Raises LibraryError unless there is exactly one."""
        with self._readable():
            rows = self._connection.execute(
                f"SELECT {_COLUMNS} FROM reference WHERE substr(id, 1, ?) = ?", (len(id), id)
            ).fetchall()
        if not id or len(rows) != 1:
            number = f"{len(rows)} references" if rows else "no reference"
            raise LibraryError(f"{number} in {self._source} has the id {id!r}; take one from `faultprint cases list`.")
        return self._from_row(rows[0])

    def remove(self, ids: Sequence[str]) -> list[Reference]:
        """Remove references by the beginning of their ids, all or none; return them. Raises LibraryError."""
        with self._transaction():
            removed = [self.find(id) for id in dict.fromkeys(ids)]
            self._connection.executemany(
                "DELETE FROM reference WHERE id = ?", [(reference.id,) for reference in removed]
            )
        return removed

    def for_model(self, model: str, dimensions: int) -> list[Reference]:
        """The references that fit a model of that id and dimension. Raises LibraryError if there are none."""
        references = self.references(model)
        if not references:
            others = sorted({reference.model for reference in self.references()})
            if others:
                raise LibraryError(
                    f"{self._source} holds references of the model {', '.join(others)}, but the model in use is "
                    f"{model}; vectors of different models cannot be compared: enrol the cases again with this model."
                )
            raise LibraryError(f"{self._source} holds no reference; add one with `faultprint cases enrol`.")
        if (stored := references[0].vector.size) != dimensions:
            raise LibraryError(
                f"{self._source} holds vectors of {stored} dimensions for the model {model}, which makes {dimensions}; "
                "enrol the cases again."
            )
        return references

    def set_rules(self, model: str, rules: Iterable[Rule]) -> None:
        """Store the rules calibrated with a model's references, one for each persistence, instead of earlier ones."""
        rows = [
            (
                model,
                rule.persistence,
                rule.normal_radius,
                rule.max_distance_ratio,
                rule.unknown_radius,
                json.dumps(dict(rule.max_uncertainty)),
            )
            for rule in rules
        ]
        with self._transaction():
            self._connection.execute("DELETE FROM rule WHERE model = ?", (model,))
            self._connection.executemany(
                "INSERT INTO rule (model, persistence, leave_normal, closer, unknown_beyond, unknown_doubt) VALUES "
                "(?, ?, ?, ?, ?, ?)",
                rows,
            )

    def rule(self, model: str, persistence: int) -> Rule | None:
        """The rule stored for a model, or None: the one calibrated for the longest persistence up to `persistence`.

        A longer persistence with the same thresholds can only lower the number of alarms. Raises LibraryError.
        """
        with self._readable():
            row = self._connection.execute(
                "SELECT leave_normal, closer, unknown_beyond, unknown_doubt FROM rule WHERE model = ? AND persistence <= ? "
                "ORDER BY persistence DESC LIMIT 1",
                (model, persistence),
            ).fetchone()
        if row is None:
            return None
        normal_radius, max_distance_ratio, unknown_radius, max_uncertainty = row
        return Rule(normal_radius, max_distance_ratio, unknown_radius, persistence, json.loads(max_uncertainty))

    def _dimensions(self) -> dict[str, int]:
        return dict(
            self._connection.execute("SELECT model, max(length(vector)) / 4 FROM reference GROUP BY model").fetchall()
        )

    def _prepare(self) -> None:
        with self._readable():
            self._connection.execute("PRAGMA busy_timeout = 30000")
            application = self._pragma("application_id")
            version = self._pragma("user_version")
            tables = self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if application == APPLICATION_ID and version == SCHEMA_VERSION:
            return
        if application == APPLICATION_ID and version == 1:
            self._upgrade()
            return
        if application == APPLICATION_ID:
            raise LibraryError(
                f"{self._source} is a case library of version {version}, but this Faultprint reads version "
                f"{SCHEMA_VERSION}; export it with the Faultprint that made it and import the file here."
            )
        if tables or application:
            raise LibraryError(f"{self._source} is a database, but not a case library; give the library's file.")
        self._connection.execute("PRAGMA journal_mode = WAL")
        # Two processes may open the same empty file: the first to lock it makes the schema, the other finds it.
        with self._transaction():
            if self._pragma("application_id") == APPLICATION_ID:
                return
            for statement in filter(str.strip, _SCHEMA.split(";")):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _upgrade(self) -> None:
        with self._transaction():
            if self._pragma("user_version") == 1:  # no other process was faster
                self._connection.execute(_UPGRADE)
                self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])

    def _from_row(self, row: tuple[str, str, bytes, str, str, str, int, int, int, int, str]) -> Reference:
        id, condition, blob, model, node, network, start, end, windows, created, comment = row
        vector = np.frombuffer(blob, dtype="<f4").astype(np.float32) if len(blob) % 4 == 0 else np.empty(0, np.float32)
        try:
            return check(
                Reference(
                    condition,
                    vector,
                    model,
                    node,
                    network,
                    moment(start),
                    moment(end),
                    windows,
                    moment(created),
                    comment,
                )
            )
        except (LibraryError, OverflowError) as error:
            raise LibraryError(f"{self._source}, reference {id}: {error} Remove it, or restore the file.") from error

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LibraryError(
                f"{self._source} cannot be read as a case library ({error}); give the library's file."
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise LibraryError(f"{self._source} cannot be changed ({error}); check the file and its folder.") from error


def _to_row(reference: Reference) -> tuple[str, str, bytes, str, str, str, int, int, int, int, str]:
    return (
        reference.id,
        reference.condition,
        np.ascontiguousarray(reference.vector, dtype="<f4").tobytes(),
        reference.model,
        reference.node,
        reference.network,
        microseconds(reference.start),
        microseconds(reference.end),
        reference.windows,
        microseconds(reference.created),
        reference.comment,
    )
