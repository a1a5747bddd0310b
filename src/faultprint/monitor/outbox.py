"""The outbox: messages that sinks have yet to receive, in the state, oldest first.

    receipt     what happens to the message
    delivered   it is taken out
    later       it stays, and so does all behind it: a node's changes must arrive in order; tried again with back-off
    refused     the same; a person is told, for it is our address or credentials
    rejected    it is put aside with the reason, and a person is told
    (too many)  beyond `limit` messages of a sink the oldest are put aside, and a person is told

What is put aside is kept, up to the same limit. Nothing is dropped without a line in the log and a count.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from faultprint.monitor.state import State, connect
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

    def delivered(self, waiting: Waiting) -> None:
        """The receiver has it."""
        self._database.execute("DELETE FROM message WHERE number = ?", (waiting.number,))

    def put_aside(self, waiting: Waiting, reason: str, time_us: int) -> None:
        """The receiver will never have it."""
        with self._database.transaction():
            self._aside(waiting.number, reason, time_us)

    def overflow(self, time_us: int) -> int:
        """Put aside the oldest messages beyond the limit; how many."""
        excess = len(self) - self._limit
        if excess <= 0:
            return 0
        with self._database.transaction():
            rows = self._database.execute(
                "SELECT number FROM message WHERE sink = ? ORDER BY number LIMIT ?", (self._sink, excess)
            )
            for (number,) in rows:
                self._aside(number, f"more than {self._limit} messages were waiting", time_us)
        return len(rows)

    def aside(self) -> list[tuple[str, str]]:
        """Id and reason of what was put aside, oldest first."""
        return self._database.execute("SELECT id, reason FROM aside WHERE sink = ? ORDER BY number", (self._sink,))

    def _aside(self, number: int, reason: str, time_us: int) -> None:
        do = self._database.execute
        do(
            "INSERT INTO aside (sink, id, body, reason, time) SELECT sink, id, body, ?, ? FROM message WHERE number = ?",
            (reason, time_us, number),
        )
        do("DELETE FROM message WHERE number = ?", (number,))
        do(
            "DELETE FROM aside WHERE sink = ? AND number <= (SELECT max(number) FROM aside WHERE sink = ?) - ?",
            (self._sink, self._sink, self._limit),
        )
