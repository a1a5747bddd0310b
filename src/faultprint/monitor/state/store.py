"""The monitor's state: one SQLite file or one schema of a PostgreSQL database, one transaction a finished minute.

A minute's rings, verdicts, incidents and outgoing messages are written together or not at all, so that a monitor that was
killed goes on from the last minute that it finished: nothing twice, nothing lost. Another connection (`outbox.Outbox`)
takes messages out as sinks receive them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from faultprint.errors import UsageError
from faultprint.monitor.state.connect import State, connect
from faultprint.monitor.state.verdicts import Packed
from faultprint.publish import stored
from faultprint.publish.incident import Incident
from faultprint.publish.message import Message


@dataclass(frozen=True, slots=True)
class StateFrame:
    """Rows of some nodes in one minute: `nodes` int32 and `data` as raw little-endian bytes."""

    kind: str
    minute: int
    nodes: bytes
    data: bytes | memoryview


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
    frames: Sequence[StateFrame]
    forget: Mapping[str, int]
    verdicts: Packed | None
    keep_verdicts_from: int
    incidents: Sequence[Incident]
    forget_incidents_us: int
    messages: Sequence[tuple[str, Message]]


class Store:
    """The state, as the monitor writes it. Use it as a context manager. Whatever reads or writes may raise StateError."""

    def __init__(self, state: State) -> None:
        """Open it, or make it. Raises UsageError for what is no state."""
        self.state = state
        self._writer: str | None = None
        self._database = connect(state)
        self._database.prepare()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._database.close()

    def claim(self) -> None:
        """Be the one that writes, as long as it is open. Raises UsageError where another monitor does, now or later.

        A connection to a database may break, and the claim be lost for a moment: the mark shows whether somebody else wrote
        meanwhile.
        """
        self._database.claim()
        writer = uuid.uuid4().hex
        with self._database.transaction():
            self._set({"writer": writer})
        self._writer = writer

    def keep(self, record: MinuteRecord) -> None:
        """Write a minute, whole or not at all; one that has been written already is left as it is."""
        do, many = self._database.execute, self._database.many
        with self._transaction():
            if do("SELECT 1 FROM fact WHERE name = 'closed' AND value = ?", (record.facts["closed"],)):
                return  # the answer to the last attempt's commit was lost, not the minute
            self._set(record.facts)
            many("INSERT INTO node VALUES (?, ?, ?, NULL)", record.nodes)
            many("UPDATE node SET normal = ? WHERE id = ?", ((data, node) for node, data in record.normals.items()))
            many(_upsert("counter", "name", "data"), record.counters.items())
            many("INSERT INTO frame VALUES (?, ?, ?, ?)", ((f.kind, f.minute, f.nodes, f.data) for f in record.frames))
            many("DELETE FROM frame WHERE kind = ? AND minute < ?", record.forget.items())
            if found := record.verdicts:
                values = (found.minute, found.rows, found.conditions, found.evidence)
                do("INSERT INTO verdicts VALUES (?, ?, ?, ?)", values)
            do("DELETE FROM verdicts WHERE minute < ?", (record.keep_verdicts_from,))
            do("DELETE FROM incident WHERE open = 0 AND changed < ?", (record.forget_incidents_us,))
            self._write(record.incidents, record.messages)

    def change(
        self, incidents: Iterable[Incident], messages: Iterable[tuple[str, Message]], done: Sequence[int] = ()
    ) -> None:
        """Write what the instructions of these numbers changed, and take them away, whole or not at all.

        No others: one with a lower number may have come later, since people write at the same time.
        """
        with self._transaction():
            if done and not self._database.execute("SELECT 1 FROM instruction WHERE number = ?", done[:1]):
                return  # as in `keep`
            self._write(incidents, messages)
            self._database.many("DELETE FROM instruction WHERE number = ?", ((number,) for number in done))

    def note(self, facts: Mapping[str, str]) -> None:
        """Write facts between minutes."""
        with self._transaction():
            self._set(facts)

    def copy(self, path: Path) -> None:
        """Write the state as it is now into a new file."""
        self._database.copy(path)

    def facts(self) -> dict[str, str]:
        """What the last minute left."""
        return dict(self._database.execute("SELECT name, value FROM fact"))

    def nodes(self) -> Iterator[tuple[int, str, str, bytes | None]]:
        """Every node: id, name, network, and its normal if it has one; by id."""
        yield from self._database.stream("SELECT id, name, network, normal FROM node ORDER BY id")

    def counters(self) -> dict[str, bytes]:
        """Columns of all nodes."""
        return dict(self._database.execute("SELECT name, data FROM counter"))

    def frames(self, kind: str) -> Iterator[StateFrame]:
        """The frames of a kind, oldest first."""
        yield from (
            StateFrame(*row)
            for row in self._database.stream(
                "SELECT kind, minute, nodes, data FROM frame WHERE kind = ? ORDER BY minute", (kind,)
            )
        )

    def verdicts(self) -> Iterator[Packed]:
        """The verdicts kept, oldest minute first."""
        rows = self._database.stream("SELECT minute, data, conditions, evidence FROM verdicts ORDER BY minute")
        yield from (Packed(*row) for row in rows)

    def incidents(self, since_us: int = 0) -> Iterator[Incident]:
        """The open incidents, and those that changed since; by the time of their last change."""
        rows = self._database.stream(
            "SELECT document FROM incident WHERE open = 1 OR changed >= ? ORDER BY changed, identity", (since_us,)
        )
        yield from (stored.load(row[0]) for row in rows)

    def incident(self, identity: str) -> Incident | None:
        """The incident of this identity, if it is kept."""
        rows = self._database.execute("SELECT document FROM incident WHERE identity = ?", (identity,))
        return stored.load(rows[0][0]) if rows else None

    def instructions(self) -> list[tuple[int, str, str, str, str, int, str]]:
        """What people want: number, identity, deed, user, system, time in µs, text."""
        return self._database.execute(
            'SELECT number, identity, deed, "user", system, time, text FROM instruction ORDER BY number LIMIT 1000'
        )

    def _set(self, facts: Mapping[str, str]) -> None:
        self._database.many(_upsert("fact", "name", "value"), facts.items())

    def _write(self, incidents: Iterable[Incident], messages: Iterable[tuple[str, Message]]) -> None:
        self._database.many(
            _upsert("incident", "identity", "node", "open", "changed", "document"),
            ((str(i.identity), i.node, int(i.cleared_us is None), i.changed_us, stored.dump(i)) for i in incidents),
        )
        self._database.many(
            "INSERT INTO message (sink, id, path, key, body, content_type, headers) VALUES (?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (sink, id) DO NOTHING",
            ((sink, m.id, m.path, m.key, m.body, m.content_type, json.dumps(dict(m.headers))) for sink, m in messages),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, and nothing once another monitor has claimed the state."""
        with self._database.transaction():
            if self._writer and self.facts().get("writer") != self._writer:
                raise UsageError(f"Another monitor has gone on with {self.state}; end one of the two, and start again.")
            yield


def _upsert(table: str, key: str, *columns: str) -> str:
    """The statement that writes a row in the place of one with the same key."""
    places = ", ".join("?" * (1 + len(columns)))
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns)
    names = ", ".join((key, *columns))
    return f"INSERT INTO {table} ({names}) VALUES ({places}) ON CONFLICT ({key}) DO UPDATE SET {changes}"
