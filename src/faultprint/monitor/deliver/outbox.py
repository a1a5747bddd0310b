"""The outbox: messages in the state that sinks have not received yet, oldest first.

    receipt     what happens to the message
    delivered   it is removed
    later       it stays and is retried with back-off; later messages wait, because changes must arrive in order
    refused     the same; it is logged, because address or credentials are wrong
    rejected    it is dead-lettered with the reason, counted and logged
    (damaged)   a stored message that cannot be read is dead-lettered, counted and logged
    (overflow)  above `retention.messages` the oldest messages are dead-lettered, counted and logged

Messages that wait for a VES collector are sent as one batch, with one receipt. A retry sends the same batch. If a batch is
rejected, or the collector has no path for batches, its messages are sent one by one, so that only the invalid one is
dead-lettered.

Dead-lettered messages are kept, up to the same limit. No message is dropped without a log line and a count.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from faultprint.monitor.base.location import StateLocation
from faultprint.monitor.state.checksum import ChecksumError, unseal
from faultprint.monitor.state.connect import connect
from faultprint.publish.message import Message


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message in the outbox, and its sequence number."""

    number: int
    message: Message


_COLUMNS: Final = "sink, id, path, key, body, content_type, headers"


def _message(row: Sequence[Any]) -> Message | str:
    """The message in a row, or why it cannot be read."""
    sink, identity, path, key, body, content_type, headers = row
    try:
        fields = json.loads(headers)
        texts = [identity, path, key, content_type, *fields, *fields.values()]
        if not isinstance(body, bytes) or not all(isinstance(text, str) for text in texts):
            return "the stored message has values of other types than it should"
        return Message(identity, path, key, unseal(f"message {sink} {identity}", body), content_type, fields)
    except (ChecksumError, ValueError, TypeError, AttributeError, RecursionError) as error:
        return f"the stored message cannot be read: {error}"[:200]


class Outbox:
    """The messages of one sink. It has a connection of its own, for one thread at a time. Methods may raise StateError."""

    def __init__(self, state: StateLocation, sink: str, limit: int) -> None:
        """Raises UsageError for something that is not a state."""
        self._database = connect(state)
        self._sink, self._limit = sink, limit

    def close(self) -> None:
        self._database.close()

    def oldest(self, most: int = 100) -> list[Waiting]:
        """The oldest messages that can be read, among the `most` oldest."""
        read = ((number, _message(row)) for number, *row in self._oldest(most))
        return [Waiting(number, message) for number, message in read if isinstance(message, Message)]

    def set_unreadable_aside(self, time_us: int, most: int = 100) -> int:
        """Dead-letter those of the `most` oldest messages that cannot be read; returns their number."""
        read = ((number, _message(row)) for number, *row in self._oldest(most))
        unreadable = [(number, reason) for number, reason in read if isinstance(reason, str)]
        if unreadable:
            with self._database.transaction():
                for number, reason in unreadable:
                    self._move("number = ?", (number,), reason, time_us)
        return len(unreadable)

    def _oldest(self, most: int) -> list[tuple[Any, ...]]:
        query = f"SELECT number, {_COLUMNS} FROM message WHERE sink = ? ORDER BY number LIMIT ?"
        return self._database.execute(query, (self._sink, most))

    def __len__(self) -> int:
        return int(self._database.execute("SELECT count(*) FROM message WHERE sink = ?", (self._sink,))[0][0])

    def delivered(self, some: Sequence[Waiting]) -> None:
        """Remove delivered messages."""
        with self._database.transaction():
            self._database.many("DELETE FROM message WHERE number = ?", ((waiting.number,) for waiting in some))

    def dead_letter(self, waiting: Waiting, reason: str, time_us: int) -> None:
        """Move a message that will not be sent to the dead letters."""
        with self._database.transaction():
            self._move("number = ?", (waiting.number,), reason, time_us)

    def overflow(self, time_us: int) -> int:
        """Dead-letter the oldest messages above the limit; returns their number."""
        excess = len(self) - self._limit
        if excess <= 0:
            return 0
        with self._database.transaction():
            oldest = "sink = ? ORDER BY number LIMIT ?"
            self._move(oldest, (self._sink, excess), f"more than {self._limit} messages were waiting", time_us)
        return excess

    def dead_letters(self) -> list[tuple[str, str]]:
        """Id and reason of dead-lettered messages, oldest first."""
        return self._database.execute("SELECT id, reason FROM aside WHERE sink = ? ORDER BY number", (self._sink,))

    def _move(self, condition: str, values: tuple[object, ...], reason: str, time_us: int) -> None:
        """Move the messages that match an SQL condition, and keep at most the limit of dead letters."""
        do = self._database.execute
        moved = f"SELECT sink, id, body, ?, ? FROM message WHERE {condition}"
        do(f"INSERT INTO aside (sink, id, body, reason, time) {moved}", (reason, time_us, *values))
        do(f"DELETE FROM message WHERE number IN (SELECT number FROM message WHERE {condition})", values)
        kept = "SELECT number FROM aside WHERE sink = ? ORDER BY number DESC LIMIT ?"
        do(f"DELETE FROM aside WHERE sink = ? AND number NOT IN ({kept})", (self._sink, self._sink, self._limit))
