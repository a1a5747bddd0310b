"""The outbox: messages that sinks have yet to receive, in the state, oldest first.

    receipt     what happens to the message
    delivered   it is taken out
    later       it stays, and so does all behind it: a node's changes must arrive in order; tried again with back-off
    refused     the same; a person is told, for it is our address or credentials
    rejected    it is put aside with the reason, and a person is told
    (too many)  beyond `limit` messages of a sink the oldest are put aside, and a person is told

What waits for a VES collector goes as one batch (`publish.ves_batch`), and one receipt is that of all its messages; a batch that
is tried again is the same as before. One that is rejected, or for which the collector has no path, is sent message by message,
so that only the one to blame is put aside.

What is put aside is kept, up to the same limit. Nothing is dropped without a line in the log and a count.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from faultprint.monitor.state.connect import State, connect
from faultprint.publish.message import Message


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message in the outbox, and its place in the order."""

    number: int
    message: Message


class Outbox:
    """One sink's messages. Has a connection of its own: one thread at a time. All but `close` may raise StateError."""

    def __init__(self, state: State, sink: str, limit: int) -> None:
        """Raises UsageError for what is no state."""
        self._database = connect(state)
        self._sink, self._limit = sink, limit

    def close(self) -> None:
        self._database.close()

    def oldest(self, most: int = 100) -> list[Waiting]:
        """The messages to send next."""
        rows = self._database.execute(
            "SELECT number, id, path, key, body, content_type, headers FROM message WHERE sink = ? ORDER BY number LIMIT ?",
            (self._sink, most),
        )
        return [
            Waiting(number, Message(identity, path, key, body, content_type, json.loads(headers)))
            for number, identity, path, key, body, content_type, headers in rows
        ]

    def __len__(self) -> int:
        return int(self._database.execute("SELECT count(*) FROM message WHERE sink = ?", (self._sink,))[0][0])

    def delivered(self, some: Sequence[Waiting]) -> None:
        """The receiver has them."""
        with self._database.transaction():
            self._database.many("DELETE FROM message WHERE number = ?", ((waiting.number,) for waiting in some))

    def put_aside(self, waiting: Waiting, reason: str, time_us: int) -> None:
        """The receiver will never have it."""
        with self._database.transaction():
            self._aside("number = ?", (waiting.number,), reason, time_us)

    def overflow(self, time_us: int) -> int:
        """Put aside the oldest messages beyond the limit; how many."""
        excess = len(self) - self._limit
        if excess <= 0:
            return 0
        with self._database.transaction():
            oldest = "sink = ? ORDER BY number LIMIT ?"
            self._aside(oldest, (self._sink, excess), f"more than {self._limit} messages were waiting", time_us)
        return excess

    def aside(self) -> list[tuple[str, str]]:
        """Id and reason of what was put aside, oldest first."""
        return self._database.execute("SELECT id, reason FROM aside WHERE sink = ? ORDER BY number", (self._sink,))

    def _aside(self, which: str, values: tuple[object, ...], reason: str, time_us: int) -> None:
        """Move the messages that an SQL condition finds, and keep no more than the limit of what was moved."""
        do = self._database.execute
        moved = f"SELECT sink, id, body, ?, ? FROM message WHERE {which}"
        do(f"INSERT INTO aside (sink, id, body, reason, time) {moved}", (reason, time_us, *values))
        do(f"DELETE FROM message WHERE number IN (SELECT number FROM message WHERE {which})", values)
        kept = "SELECT number FROM aside WHERE sink = ? ORDER BY number DESC LIMIT ?"
        do(f"DELETE FROM aside WHERE sink = ? AND number NOT IN ({kept})", (self._sink, self._sink, self._limit))
