"""The case library: references in one SQLite file, which can be read while it is written (WAL)."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np

from faultprint.cases.decision import Rule
from faultprint.cases.reference import Reference, check
from faultprint.errors import LibraryError, UsageError
from faultprint.sqlite_file import columns_of, foreign_part, restrict
from faultprint.units import microseconds, moment

SCHEMA_VERSION: Final = 3
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
    sharpness REAL NOT NULL DEFAULT 1.0,
    PRIMARY KEY (model, persistence)
) STRICT;
CREATE INDEX reference_of_model ON reference (model, condition);
"""
_LATER_COLUMNS: Final = {2: ("unknown_doubt", "TEXT", "'{}'"), 3: ("sharpness", "REAL", "1.0")}
"""Version → the column of a rule that it brought: name, type and default. An older file gets it with its next rules."""
MAX_REFERENCES: Final = 50_000
"""Largest number of references in one library."""
LOCK_WAIT_S: Final = 30.0
"""Default of the longest wait while another process writes, seconds."""
_LONGEST: Final = 1_000_000
"""Longest value in the file, bytes."""
_COLUMNS: Final = 'id, condition, vector, model, node, network, start, "end", windows, created, comment'


_UNREADABLE: Final = (sqlite3.Error, UnicodeDecodeError, OverflowError)
"""What Python's sqlite3 raises for a damaged file."""
_TYPES: Final = [str, str, bytes, str, str, str, int, int, int, int, str]
"""Types of the values of a row, by _COLUMNS."""


@cache
def _expected(version: int) -> dict[str, list[tuple[str, str]]]:
    """The columns of each table of that version."""
    lacking = [
        f"ALTER TABLE rule DROP COLUMN {name}" for later, (name, _, _) in _LATER_COLUMNS.items() if later > version
    ]
    return columns_of([*filter(str.strip, _SCHEMA.split(";")), *lacking])


class Library:
    """A case library on disk, or in memory for `:memory:`. Use it as a context manager.

    Every change is one transaction: it is complete or not made at all, also if the process dies.
    """

    def __init__(self, connection: sqlite3.Connection, source: str) -> None:
        self._connection = connection
        self._source = source

    @classmethod
    def open(cls, path: Path | str, *, create: bool = False, wait_s: float = LOCK_WAIT_S) -> Self:
        """Open the library at `path`; `create`: make an empty one if there is none. Raises LibraryError.

        `wait_s`: longest wait while another process writes.
        """
        source = str(path)
        in_memory = source == ":memory:"
        if not in_memory and not Path(path).exists():
            if not create:
                raise LibraryError(f"There is no case library at {source}; make one with `faultprint cases enrol`.")
            if not Path(path).parent.is_dir():
                raise LibraryError(
                    f"{source} cannot be made: the folder {Path(path).parent} does not exist; create it first."
                )
        if not in_memory and Path(path).exists() and not Path(path).is_file():
            raise LibraryError(f"{source} is not a file; give the library's file.")
        if not in_memory and not create and not Path(path).stat().st_size:
            raise LibraryError(
                f"{source} is empty; restore it from a copy, or make a library with `faultprint cases enrol`."
            )
        try:
            plain = in_memory or create
            address = source if plain else _address(Path(path))
            connection = sqlite3.connect(address, isolation_level=None, timeout=wait_s, uri=not plain)
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
        """Add references, all or none, and return the ids that are new. A library holds at most MAX_REFERENCES.

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
            if self._connection.execute("SELECT count(*) FROM reference").fetchone()[0] > MAX_REFERENCES:
                raise LibraryError(
                    f"{self._source} would hold more than {MAX_REFERENCES} references; remove some with "
                    "`faultprint cases remove`, or use another library."
                )
        return added

    def references(self, model: str | None = None) -> list[Reference]:
        """The references by condition and then age, of all models or of the one with the id `model`."""
        where, arguments = ("WHERE model = ?", (model,)) if model is not None else ("", ())
        with self._readable():
            rows = self._connection.execute(
                f"SELECT {_COLUMNS} FROM reference {where} ORDER BY condition, created, id LIMIT {MAX_REFERENCES + 1}",
                arguments,
            ).fetchall()
        if len(rows) > MAX_REFERENCES:
            raise LibraryError(
                f"{self._source} holds more than {MAX_REFERENCES} references; give a library with fewer of them."
            )
        return [self._from_row(row) for row in rows]

    def find(self, id: str) -> Reference:
        """The reference whose id begins with `id`. Raises LibraryError unless there is exactly one."""
        return self._find(id)[1]

    def _find(self, id: str) -> tuple[str, Reference]:
        """The stored id and the reference. The two ids differ where a name was stored in another spelling."""
        with self._readable():
            rows = self._connection.execute(
                f"SELECT {_COLUMNS} FROM reference WHERE substr(id, 1, ?) = ? LIMIT 2", (len(id), id)
            ).fetchall()
            if id and not rows:
                everything = self._connection.execute(f"SELECT {_COLUMNS} FROM reference LIMIT {MAX_REFERENCES}")
                rows = [row for row in everything if self._from_row(row).id.startswith(id)]
        if not id or len(rows) != 1:
            number = "more than one reference" if rows else "no reference"
            raise LibraryError(f"{number} in {self._source} has the id {id!r}; take one from `faultprint cases list`.")
        return rows[0][0], self._from_row(rows[0])

    def remove(self, ids: Sequence[str]) -> list[Reference]:
        """Remove references by the beginning of their ids, all or none; return them. Raises LibraryError."""
        with self._transaction():
            removed = dict(self._find(id) for id in dict.fromkeys(ids))
            self._connection.executemany("DELETE FROM reference WHERE id = ?", [(id,) for id in removed])
        return list(removed.values())

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
                rule.sharpness,
            )
            for rule in rules
        ]
        with self._transaction():
            self._upgrade()
            self._connection.execute("DELETE FROM rule WHERE model = ?", (model,))
            self._connection.executemany(
                "INSERT INTO rule (model, persistence, leave_normal, closer, unknown_beyond, unknown_doubt, sharpness) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
            )

    def rule(self, model: str, persistence: int) -> Rule | None:
        """The rule stored for a model, or None: the one calibrated for the longest persistence up to `persistence`.

        A longer persistence with the same thresholds can only lower the number of alarms. Raises LibraryError.
        """
        with self._readable():
            version = self._pragma("user_version")
            later = ", ".join(
                name if since <= version else default for since, (name, _, default) in _LATER_COLUMNS.items()
            )
            row = self._connection.execute(
                f"SELECT leave_normal, closer, unknown_beyond, {later} FROM rule "
                "WHERE model = ? AND persistence <= ? ORDER BY persistence DESC LIMIT 1",
                (model, persistence),
            ).fetchone()
        if row is None:
            return None
        normal_radius, max_distance_ratio, unknown_radius, max_uncertainty, sharpness = row
        try:
            limits = {str(name): float(limit) for name, limit in json.loads(max_uncertainty).items()}
            thresholds = (float(normal_radius), float(max_distance_ratio), float(unknown_radius))
            return Rule(*thresholds, persistence, limits, float(sharpness))
        except (ValueError, TypeError, AttributeError, RecursionError, UsageError) as error:
            raise LibraryError(
                f"{self._source} has a rule that cannot be used ({error}); calibrate it again with "
                "`faultprint cases calibrate`, or restore the file."
            ) from error

    def _dimensions(self) -> dict[str, int]:
        return dict(
            self._connection.execute("SELECT model, max(length(vector)) / 4 FROM reference GROUP BY model").fetchall()
        )

    def _prepare(self) -> None:
        with self._readable():
            restrict(self._connection, _LONGEST)
            application = self._pragma("application_id")
            version = self._pragma("user_version")
            tables = self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if application == APPLICATION_ID and 1 <= version <= SCHEMA_VERSION:
            with self._readable():
                if part := foreign_part(self._connection, _expected(version)):
                    raise LibraryError(
                        f"{self._source} is not a case library as Faultprint makes it: it has {part}; restore the file "
                        "from a copy."
                    )
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
        """Within a transaction: add the columns that an older file lacks."""
        version = self._pragma("user_version")
        for since, (name, kind, default) in _LATER_COLUMNS.items():
            if since > version:
                self._connection.execute(f"ALTER TABLE rule ADD COLUMN {name} {kind} NOT NULL DEFAULT {default}")
        self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])

    def _from_row(self, row: tuple[str, str, bytes, str, str, str, int, int, int, int, str]) -> Reference:
        id, condition, blob, model, node, network, start, end, windows, created, comment = row
        if [type(value) for value in row] != _TYPES:
            raise LibraryError(
                f"{self._source} has a row with values of other types than it should; restore the file from a copy."
            )
        vector = np.frombuffer(blob, dtype="<f4").astype(np.float32) if len(blob) % 4 == 0 else np.empty(0, np.float32)
        try:
            interval = (moment(start), moment(end))
            reference = Reference(condition, vector, model, node, network, *interval, windows, moment(created), comment)
            checked = check(reference)
        except (LibraryError, OverflowError) as error:
            raise LibraryError(f"{self._source}, reference {id}: {error} Restore the file from a copy.") from error
        if reference.id != id:
            raise LibraryError(
                f"{self._source}, reference {id}: its content was changed, because it makes the id {reference.id}; restore "
                "the file from a copy."
            )
        return checked

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except _UNREADABLE as error:
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
        except _UNREADABLE as error:
            raise LibraryError(f"{self._source} cannot be changed ({error}); check the file and its folder.") from error


def _address(path: Path) -> str:
    """URI of a library that exists. One that this user cannot change is opened to read only."""
    uri = path.resolve().as_uri()
    if os.access(path, os.W_OK) and os.access(path.resolve().parent, os.W_OK):
        return f"{uri}?mode=rw"
    # Without a log (WAL) SQLite would want to make one; no process is writing then, so the file needs no lock.
    logged = path.resolve().with_name(path.resolve().name + "-wal").exists()
    return f"{uri}?mode=ro" if logged else f"{uri}?mode=ro&immutable=1"


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
