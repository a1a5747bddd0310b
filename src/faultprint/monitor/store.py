"""The monitor's state on disk: one SQLite file (WAL), one transaction a finished minute.

A minute's rings, verdicts, incidents and outgoing messages are written together or not at all, so that a monitor that was
killed goes on from the last minute that it finished: nothing twice, nothing lost. Another connection (`outbox.Outbox`)
takes messages out as sinks receive them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from faultprint.errors import UsageError
from faultprint.files import check_folder
from faultprint.monitor.verdicts import Packed
from faultprint.publish import stored
from faultprint.publish.incident import Incident
from faultprint.publish.message import Message

SCHEMA_VERSION: Final = 1
APPLICATION_ID: Final = 0x46504D4E  # "FPMN"
_SCHEMA: Final = """
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE node (id INTEGER PRIMARY KEY, name TEXT NOT NULL, network TEXT NOT NULL, normal BLOB) STRICT;
CREATE TABLE counter (name TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE frame (
    kind TEXT NOT NULL, minute INTEGER NOT NULL, nodes BLOB NOT NULL, data BLOB NOT NULL, PRIMARY KEY (kind, minute)
) STRICT;
CREATE TABLE verdicts (
    minute INTEGER PRIMARY KEY, data BLOB NOT NULL, conditions TEXT NOT NULL, evidence TEXT NOT NULL
) STRICT;
CREATE TABLE incident (
    identity TEXT PRIMARY KEY, node TEXT NOT NULL, open INTEGER NOT NULL, changed INTEGER NOT NULL, document TEXT NOT NULL
) STRICT;
CREATE INDEX incident_open ON incident (open, changed);
CREATE TABLE instruction (
    number INTEGER PRIMARY KEY AUTOINCREMENT, identity TEXT NOT NULL, deed TEXT NOT NULL, user TEXT NOT NULL,
    system TEXT NOT NULL, time INTEGER NOT NULL, text TEXT NOT NULL
) STRICT;
CREATE TABLE message (
    number INTEGER PRIMARY KEY AUTOINCREMENT, sink TEXT NOT NULL, id TEXT NOT NULL, path TEXT NOT NULL, key TEXT NOT NULL,
    body BLOB NOT NULL, content_type TEXT NOT NULL, headers TEXT NOT NULL, UNIQUE (sink, id)
) STRICT;
CREATE TABLE aside (
    number INTEGER PRIMARY KEY AUTOINCREMENT, sink TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL,
    reason TEXT NOT NULL, time INTEGER NOT NULL
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Frame:
    """Rows of some nodes in one minute: `nodes` int32 and `data` as raw little-endian bytes."""

    kind: str
    minute: int
    nodes: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class MinuteRecord:
    """All that one finished minute leaves behind.

    `nodes`: (id, name, network) of those seen first; `normals`: id → bytes of those that became ready; `counters`: columns
    of all nodes as bytes; `forget`: kind of frame → first minute to keep; `keep_verdicts_from`: number of a minute.
    """

    facts: Mapping[str, str]
    nodes: Sequence[tuple[int, str, str]]
    normals: Mapping[int, bytes]
    counters: Mapping[str, bytes]
    frames: Sequence[Frame]
    forget: Mapping[str, int]
    verdicts: Packed | None
    keep_verdicts_from: int
    incidents: Sequence[Incident]
    forget_incidents_us: int
    messages: Sequence[tuple[str, Message]]


def connect(path: Path) -> sqlite3.Connection:
    """A connection to a state file. Raises UsageError for what is none."""
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=60, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        identity, version = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
    except sqlite3.Error as error:
        raise UsageError(f"{path} cannot be opened as a monitor's state ({error}); name another state file.") from None
    if (identity, version) not in ((0, 0), (APPLICATION_ID, SCHEMA_VERSION)):
        connection.close()
        raise UsageError(f"{path} is no state of a monitor of this version; name another state file, or remove it.")
    return connection


class Store:
    """The state file, as the monitor writes it. Use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises UsageError."""
        check_folder(path)
        self.path = path
        self._connection = connect(path)
        with self._transaction():
            if self._connection.execute("PRAGMA application_id").fetchone()[0] == 0:
                if self._connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                    raise UsageError(f"{path} is another program's database; name another state file.")
                for statement in _SCHEMA.split(";"):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def keep(self, record: MinuteRecord) -> None:
        """Write a minute, whole or not at all."""
        do, many = self._connection.execute, self._connection.executemany
        with self._transaction():
            many("INSERT OR REPLACE INTO fact VALUES (?, ?)", record.facts.items())
            many("INSERT INTO node VALUES (?, ?, ?, NULL)", record.nodes)
            many("UPDATE node SET normal = ? WHERE id = ?", ((data, node) for node, data in record.normals.items()))
            many("INSERT OR REPLACE INTO counter VALUES (?, ?)", record.counters.items())
            many("INSERT INTO frame VALUES (?, ?, ?, ?)", ((f.kind, f.minute, f.nodes, f.data) for f in record.frames))
            many("DELETE FROM frame WHERE kind = ? AND minute < ?", record.forget.items())
            if found := record.verdicts:
                values = (found.minute, found.rows, found.conditions, found.evidence)
                do("INSERT INTO verdicts VALUES (?, ?, ?, ?)", values)
            do("DELETE FROM verdicts WHERE minute < ?", (record.keep_verdicts_from,))
            do("DELETE FROM incident WHERE open = 0 AND changed < ?", (record.forget_incidents_us,))
            self._write(record.incidents, record.messages)

    def change(self, incidents: Iterable[Incident], messages: Iterable[tuple[str, Message]], done: int) -> None:
        """Write what instructions up to number `done` changed, and take these away, whole or not at all."""
        with self._transaction():
            self._write(incidents, messages)
            self._connection.execute("DELETE FROM instruction WHERE number <= ?", (done,))

    def note(self, facts: Mapping[str, str]) -> None:
        """Write facts between minutes."""
        with self._transaction():
            self._connection.executemany("INSERT OR REPLACE INTO fact VALUES (?, ?)", facts.items())

    def copy(self, path: Path) -> None:
        """Write the state as it is now into a new file. Raises UsageError."""
        try:
            self._connection.execute("VACUUM INTO ?", (str(path),))
        except sqlite3.Error as error:
            raise UsageError(f"{path} cannot be written ({error}); make room there.") from None

    def facts(self) -> dict[str, str]:
        """What the last minute left."""
        return dict(self._connection.execute("SELECT name, value FROM fact"))

    def nodes(self) -> Iterator[tuple[int, str, str, bytes | None]]:
        """Every node: id, name, network, and its normal if it has one; by id."""
        yield from self._connection.execute("SELECT id, name, network, normal FROM node ORDER BY id")

    def counters(self) -> dict[str, bytes]:
        """Columns of all nodes."""
        return dict(self._connection.execute("SELECT name, data FROM counter"))

    def frames(self, kind: str) -> Iterator[Frame]:
        """The frames of a kind, oldest first."""
        yield from (
            Frame(*row)
            for row in self._connection.execute(
                "SELECT kind, minute, nodes, data FROM frame WHERE kind = ? ORDER BY minute", (kind,)
            )
        )

    def verdicts(self) -> Iterator[Packed]:
        """The verdicts kept, oldest minute first."""
        rows = self._connection.execute("SELECT minute, data, conditions, evidence FROM verdicts ORDER BY minute")
        yield from (Packed(*row) for row in rows)

    def incidents(self, since_us: int = 0) -> Iterator[Incident]:
        """The open incidents, and those that changed since; by the time of their last change."""
        rows = self._connection.execute(
            "SELECT document FROM incident WHERE open = 1 OR changed >= ? ORDER BY changed, identity", (since_us,)
        )
        yield from (stored.load(row[0]) for row in rows)

    def incident(self, identity: str) -> Incident | None:
        """The incident of this identity, if it is kept."""
        row = self._connection.execute("SELECT document FROM incident WHERE identity = ?", (identity,)).fetchone()
        return stored.load(row[0]) if row else None

    def instructions(self) -> list[tuple[int, str, str, str, str, int, str]]:
        """What people want: number, identity, deed, user, system, time in µs, text."""
        return self._connection.execute(
            "SELECT number, identity, deed, user, system, time, text FROM instruction ORDER BY number LIMIT 1000"
        ).fetchall()

    def _write(self, incidents: Iterable[Incident], messages: Iterable[tuple[str, Message]]) -> None:
        self._connection.executemany(
            "INSERT OR REPLACE INTO incident VALUES (?, ?, ?, ?, ?)",
            ((str(i.identity), _plain(i.node), i.cleared_us is None, i.changed_us, stored.dump(i)) for i in incidents),
        )
        self._connection.executemany(
            "INSERT OR IGNORE INTO message (sink, id, path, key, body, content_type, headers) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                (sink, m.id, m.path, _plain(m.key), m.body, m.content_type, json.dumps(dict(m.headers)))
                for sink, m in messages
            ),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # SQLite itself has rolled back what a full disk interrupted
                self._connection.execute("ROLLBACK")
            raise


def _plain(text: str) -> str:
    """Text that SQLite can hold: lone surrogates go."""
    return text.encode("utf-8", "replace").decode("utf-8")
