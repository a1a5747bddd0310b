"""Where people meet the monitor: they read its incidents, and ask for deeds (acknowledge, withdraw, comment, clear).

Another process or thread asks by leaving an instruction in the state file; the monitor, which alone writes incidents,
carries it out within a second, in the order in which they came.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from faultprint.errors import UsageError
from faultprint.monitor.store import connect
from faultprint.publish import stored
from faultprint.publish.deed import Deed
from faultprint.publish.incident import Incident, Person
from faultprint.publish.text import NAME, clean

WAITING: Final = 10_000
"""Instructions that may wait for the monitor, so that nobody fills the disk with them while it is away."""
_LOOK_S: Final = 0.05
"""Between looks at whether an instruction was carried out."""


class Desk:
    """The state file of a monitor, as people use it; each call has a connection of its own, so any thread may call."""

    def __init__(self, state: Path) -> None:
        """Raises UsageError where there is no state."""
        if not state.exists():
            raise UsageError(f"There is no state of a monitor at {state}; name the `state` of its configuration.")
        self._state = state

    def incidents(self, *, cleared: bool = True) -> Iterator[Incident]:
        """The incidents that are kept, open ones first, else by the time of their last change; without `cleared`, only the
        open ones. Read as they are asked for. Raises UsageError."""
        with self._connected() as connection:
            which = "" if cleared else "WHERE open = 1"
            query = f"SELECT document FROM incident {which} ORDER BY open DESC, changed, identity"
            for (document,) in connection.execute(query):
                yield stored.load(document)

    def find(self, identity: str) -> Incident | None:
        """The incident of this identity, if it is kept. Raises UsageError."""
        with self._connected() as connection:
            row = connection.execute("SELECT document FROM incident WHERE identity = ?", (identity,)).fetchone()
        return stored.load(row[0]) if row else None

    def incident(self, beginning: str) -> Incident:
        """The incident whose identity begins so. Raises UsageError if there is none, or more than one."""
        with self._connected() as connection:
            # Identities are made of hexadecimal digits and dashes.
            query = "SELECT document FROM incident WHERE identity >= ?1 AND identity < ?1 || 'g' LIMIT 2"
            rows = connection.execute(query, (beginning,)).fetchall()
        if len(rows) == 1 and beginning:
            return stored.load(rows[0][0])
        raise UsageError(
            f"The monitor knows {'more than one' if rows else 'no'} incident {clean(beginning, NAME)!r}; "
            "its identity stands in every message about it."
        )

    def instruct(self, incidents: Sequence[Incident], deed: Deed, person: Person, text: str = "") -> list[int]:
        """Ask for a deed to each of them, all or none; the instructions' numbers. Raises UsageError."""
        rows = [
            (str(incident.identity), deed.value, person.user, person.system, person.time_us, text)
            for incident in incidents
        ]
        query = "INSERT INTO instruction (identity, deed, user, system, time, text) VALUES (?, ?, ?, ?, ?, ?) RETURNING number"
        with self._connected() as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            if connection.execute("SELECT count(*) FROM instruction").fetchone()[0] + len(rows) > WAITING:
                raise UsageError(
                    f"{WAITING} instructions wait for the monitor already; see that it runs, then try again."
                )
            return [connection.execute(query, row).fetchone()[0] for row in rows]

    def settled(self, numbers: Sequence[int], seconds: float, sleep: Callable[[float], object] = time.sleep) -> bool:
        """Whether the monitor has dealt with these instructions, waiting for it so long at most. Raises UsageError."""
        end = time.monotonic() + seconds
        marks = ", ".join("?" * len(numbers))
        with self._connected() as connection:
            while connection.execute(f"SELECT 1 FROM instruction WHERE number IN ({marks})", numbers).fetchone():
                if time.monotonic() >= end:
                    return False
                sleep(_LOOK_S)
        return True

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        connection = connect(self._state)
        try:
            yield connection
        except sqlite3.Error as error:
            raise UsageError(
                f"{self._state} cannot be used ({error}); see that it is the state of a monitor, and that its disk has room."
            ) from None
        finally:
            connection.close()
