"""The state of a monitor, with one transaction for each finished minute.

The window buffers, verdicts, incidents and outgoing messages of a minute are written in one transaction. A monitor that was
killed therefore continues after its last finished minute: nothing is lost and nothing happens twice. `outbox.Outbox` removes
messages on a connection of its own as sinks receive them.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from faultprint.errors import UsageError
from faultprint.monitor.base.location import StateLocation
from faultprint.monitor.state.alarms import COLUMNS, alarm_row, complete_alarms
from faultprint.monitor.state.checksum import ChecksumError, seal, unseal
from faultprint.monitor.state.connect import connect
from faultprint.monitor.state.database import plain
from faultprint.monitor.state.verdicts import PackedVerdicts
from faultprint.publish import incident_codec
from faultprint.publish.incident import Incident
from faultprint.publish.message import Message


@dataclass(frozen=True, slots=True)
class StateFrame:
    """One row for each of some nodes in one minute: `nodes` (int32) and `data`, both raw little-endian bytes."""

    kind: str
    minute: int
    nodes: bytes
    data: bytes | memoryview


@dataclass(frozen=True, slots=True)
class MinuteRecord:
    """What is written for one finished minute.

    `nodes`: (id, name, network) of new nodes; `baselines`: id → bytes of the baseline selected in this minute, None: its
    baseline no longer counts; `counters`: columns of all nodes as bytes; `forget`: kind of frame → first minute to keep;
    `keep_verdicts_from`: number of the first minute to keep; `forget_nodes`: ids of nodes to delete, before the new nodes are
    written.
    """

    facts: Mapping[str, str]
    nodes: Sequence[tuple[int, str, str]]
    baselines: Mapping[int, bytes | None]
    counters: Mapping[str, bytes]
    frames: Sequence[StateFrame]
    forget: Mapping[str, int]
    verdicts: PackedVerdicts | None
    keep_verdicts_from: int
    incidents: Sequence[Incident]
    forget_incidents_us: int
    messages: Sequence[tuple[str, Message]]
    forget_nodes: Sequence[int] = ()


_INCIDENTS: Final = "SELECT identity, document FROM incident WHERE open = 1 OR changed >= ? ORDER BY changed, identity"


class Store:
    """The state for its monitor. Use it as a context manager. All methods that read or write may raise StateError."""

    def __init__(self, state: StateLocation) -> None:
        """Open it, or create it. Raises UsageError for something that is not a state."""
        self.state = state
        self._writer: str | None = None
        self.set_aside: list[str] = []
        """Identities of incidents that could not be read and were moved to the dead letters."""
        self.database = connect(state)
        """The connection: public so that tests can break it as a network or a disk does."""
        self.database.prepare()
        with self.database.transaction():
            try:
                complete_alarms(self.database, _ALARM)
            except UsageError:
                self.set_damaged_incidents_aside()
                complete_alarms(self.database, _ALARM)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.database.close()

    def claim(self) -> None:
        """Become the only writer until `close`. Raises UsageError if another monitor is the writer, now or later.

        A broken database connection releases the lock for a moment. The fact `writer` shows whether another monitor wrote
        meanwhile.
        """
        self.database.claim()
        writer = uuid.uuid4().hex
        with self.database.transaction():
            self._set({"writer": writer})
        self._writer = writer

    def save_minute(self, record: MinuteRecord) -> None:
        """Write a minute in one transaction. A minute that is already there stays unchanged."""
        do, many = self.database.execute, self.database.many
        with self._transaction():
            if do("SELECT 1 FROM fact WHERE name = 'closed' AND value = ?", (record.facts["closed"],)):
                return  # the last attempt was committed, but its answer was lost
            self._set(record.facts)
            many("DELETE FROM node WHERE id = ?", ((node,) for node in record.forget_nodes))
            many("INSERT INTO node VALUES (?, ?, ?, NULL)", record.nodes)
            many("UPDATE node SET normal = ? WHERE id = ?", map(_sealed_baseline, record.baselines.items()))
            columns = ((name, seal(f"counter {name}", data)) for name, data in record.counters.items())
            many(_upsert("counter", "name", "data"), columns)
            many("INSERT INTO frame VALUES (?, ?, ?, ?)", map(_sealed_frame, record.frames))
            many("DELETE FROM frame WHERE kind = ? AND minute < ?", record.forget.items())
            if found := record.verdicts:
                rows = seal(f"verdicts {found.minute}", found.rows)
                values = (found.minute, rows, found.conditions, found.evidence)
                do("INSERT INTO verdicts VALUES (?, ?, ?, ?)", values)
            do("DELETE FROM verdicts WHERE minute < ?", (record.keep_verdicts_from,))
            for table in ("incident", "alarm"):
                do(f"DELETE FROM {table} WHERE open = 0 AND changed < ?", (record.forget_incidents_us,))
            self._write(record.incidents, record.messages)

    def save_commands(
        self, incidents: Sequence[Incident], messages: Iterable[tuple[str, Message]], done: Sequence[int] = ()
    ) -> None:
        """Write the changes of these commands and delete the commands, in one transaction.

        Only the given numbers are deleted: commands are written concurrently, so a lower number may arrive later.
        """
        with self._transaction():
            if done and not self.database.execute("SELECT 1 FROM instruction WHERE number = ?", done[:1]):
                return  # as in `keep`
            self._write(incidents, messages)
            self.database.many("DELETE FROM instruction WHERE number = ?", ((number,) for number in done))

    def put_back(self, number: int, counters: Mapping[str, bytes]) -> None:
        """Make this minute the last finished one: delete what is stored of later minutes, and write the columns."""
        with self._transaction():
            self._set({"closed": str(number)})
            for table in ("frame", "verdicts"):
                self.database.execute(f"DELETE FROM {table} WHERE minute > ?", (number,))
            columns = ((name, seal(f"counter {name}", data)) for name, data in counters.items())
            self.database.many(_upsert("counter", "name", "data"), columns)

    def save_facts(self, facts: Mapping[str, str]) -> None:
        """Write facts between two minutes."""
        with self._transaction():
            self._set(facts)

    def copy(self, path: Path) -> None:
        """Copy the present state into a new file."""
        self.database.copy(path)

    def facts(self) -> dict[str, str]:
        """All facts by name."""
        return dict(self.database.execute("SELECT name, value FROM fact"))

    def nodes(self) -> Iterator[tuple[int, str, str, bytes | ChecksumError | None]]:
        """All nodes, by id: id, name, network, and the bytes of the baseline if there is one, or what is wrong with it."""
        for node, name, network, stored in self.database.stream(
            "SELECT id, name, network, normal FROM node ORDER BY id"
        ):
            try:
                yield node, name, network, None if stored is None else unseal(f"baseline {node}", stored)
            except ChecksumError as error:
                yield node, name, network, error

    def counters(self) -> dict[str, bytes]:
        """Columns of all nodes by stored name, as bytes. Raises ChecksumError."""
        rows = self.database.execute("SELECT name, data FROM counter")
        return {name: unseal(f"counter {name}", data) for name, data in rows}

    def frames(self, kind: str, damaged: Callable[[ChecksumError], None]) -> Iterator[StateFrame]:
        """The frames of a kind, oldest first. `damaged` is called for each one that cannot be used."""
        query = "SELECT kind, minute, nodes, data FROM frame WHERE kind = ? ORDER BY minute"
        for _, minute, nodes, data in self.database.stream(query, (kind,)):
            try:
                yield StateFrame(
                    kind, minute, unseal(f"nodes {kind} {minute}", nodes), unseal(f"{kind} {minute}", data)
                )
            except ChecksumError as error:
                damaged(error)

    def verdicts(self) -> Iterator[PackedVerdicts]:
        """The kept verdicts, oldest minute first. Raises UsageError if they are damaged."""
        for minute, data, *texts in self.database.stream(
            "SELECT minute, data, conditions, evidence FROM verdicts ORDER BY minute"
        ):
            try:
                yield PackedVerdicts(minute, unseal(f"verdicts {minute}", data), *texts)
            except ChecksumError as error:
                raise self.damaged(error) from None

    def damaged(self, detail: object) -> UsageError:
        """The error for a state whose content was changed outside Faultprint."""
        return UsageError(
            f"{self.state} is damaged ({detail}); restore it from a copy, or name another state and start again."
        )

    def incidents(self, since_us: int = 0) -> Iterator[Incident]:
        """The open incidents and those that changed since `since_us`, by time of their last change."""
        rows = self.database.stream(_INCIDENTS, (since_us,))
        yield from (incident_codec.load(document) for _, document in rows)

    def set_damaged_incidents_aside(self) -> None:
        """Move the incidents that cannot be read to the dead letters, and add them to `set_aside`."""
        damaged = []
        for identity, document in self.database.execute(_INCIDENTS, (0,)):
            try:
                incident_codec.load(document)
            except UsageError as error:
                damaged.append((identity, str(document).encode("utf-8", "replace"), str(error)))
        query = "INSERT INTO aside (sink, id, body, reason, time) VALUES ('incident', ?, ?, ?, ?)"
        with self.database.transaction():
            self.database.many(query, ((*row, time.time_ns() // 1000) for row in damaged))
            for table in ("incident", "alarm"):
                self.database.many(f"DELETE FROM {table} WHERE identity = ?", ((identity,) for identity, *_ in damaged))
        self.set_aside += [identity for identity, *_ in damaged]

    def incident(self, identity: str) -> Incident | None:
        """The incident with this identity, or None."""
        rows = self.database.execute("SELECT document FROM incident WHERE identity = ?", (identity,))
        return incident_codec.load(rows[0][0]) if rows else None

    def commands(self) -> list[tuple[int, str, str, str, str, int, str]]:
        """Waiting commands: number, incident identity, operation, user, system, time in µs, text."""
        return self.database.execute(
            'SELECT number, identity, deed, "user", system, time, text FROM instruction ORDER BY number LIMIT 1000'
        )

    def _set(self, facts: Mapping[str, str]) -> None:
        self.database.many(_upsert("fact", "name", "value"), facts.items())

    def _write(self, incidents: Sequence[Incident], messages: Iterable[tuple[str, Message]]) -> None:
        self.database.many(
            _upsert("incident", "identity", "node", "open", "changed", "document"),
            (
                (str(i.identity), i.node, int(i.cleared_us is None), i.changed_us, incident_codec.dump(i))
                for i in incidents
            ),
        )
        self.database.many(_ALARM, map(alarm_row, incidents))
        self.database.many(
            "INSERT INTO message (sink, id, path, key, body, content_type, headers) VALUES (?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (sink, id) DO NOTHING",
            (_message_row(sink, message) for sink, message in messages),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """A transaction that fails if another monitor has become the writer."""
        with self.database.transaction():
            if self._writer and self.facts().get("writer") != self._writer:
                raise UsageError(
                    f"Another monitor has continued with {self.state}; stop one of the two, then start again."
                )
            yield


def _sealed_baseline(item: tuple[int, bytes | None]) -> tuple[bytes | None, int]:
    node, data = item
    return None if data is None else seal(f"baseline {node}", data), node


def _message_row(sink: str, message: Message) -> tuple[object, ...]:
    sink, identity = plain((sink, message.id))
    body = seal(f"message {sink} {identity}", message.body)
    return sink, identity, message.path, message.key, body, message.content_type, json.dumps(dict(message.headers))


def _sealed_frame(frame: StateFrame) -> tuple[str, int, bytes, bytes]:
    kind, minute = frame.kind, frame.minute
    return kind, minute, seal(f"nodes {kind} {minute}", frame.nodes), seal(f"{kind} {minute}", frame.data)


def _upsert(table: str, key: str, *columns: str) -> str:
    """The statement that inserts a row or replaces the one with the same key."""
    marks = ", ".join("?" * (1 + len(columns)))
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns)
    names = ", ".join((key, *columns))
    return f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT ({key}) DO UPDATE SET {changes}"


_ALARM: Final = _upsert("alarm", *COLUMNS)
