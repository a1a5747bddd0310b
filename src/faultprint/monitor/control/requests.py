"""Where people meet the monitor: they read its incidents, and ask for deeds (acknowledge, withdraw, comment, clear).

Another process or thread asks by leaving an instruction in the state; the monitor, which alone writes incidents, carries
it out within a second, in the order in which they came.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Final

from faultprint.errors import UsageError
from faultprint.monitor.state.connect import State, connect, exists
from faultprint.publish import stored
from faultprint.publish.incident import Actor, Incident, IncidentOperation
from faultprint.publish.text import NAME, clean

WAITING: Final = 10_000
"""Instructions that may wait for the monitor, so that nobody fills the disk with them while it is away."""
_LOOK_S: Final = 0.05
"""Between looks at whether an instruction was carried out."""


class CommandQueue:
    """The state of a monitor, as people use it; each call has a connection of its own, so any thread may call.

    Whatever reads or writes may raise StateError.
    """

    def __init__(self, state: State) -> None:
        """Raises UsageError where there is no state."""
        if not exists(state):
            raise UsageError(f"There is no state of a monitor at {state}; name the `state` of its configuration.")
        self._state = state

    def incidents(self, *, cleared: bool = True) -> Iterator[Incident]:
        """The incidents that are kept, open ones first, else by the time of their last change; without `cleared`, only the
        open ones. Read as they are asked for."""
        which = "" if cleared else "WHERE open = 1"
        with closing(connect(self._state)) as database:
            query = f"SELECT document FROM incident {which} ORDER BY open DESC, changed, identity"
            for (document,) in database.stream(query):
                yield stored.load(document)

    def find(self, identity: str) -> Incident | None:
        """The incident of this identity, if it is kept."""
        with closing(connect(self._state)) as database:
            rows = database.execute("SELECT document FROM incident WHERE identity = ?", (identity,))
        return stored.load(rows[0][0]) if rows else None

    def incident(self, beginning: str) -> Incident:
        """The incident whose identity begins so. Raises UsageError if there is none, or more than one."""
        with closing(connect(self._state)) as database:
            query = "SELECT document FROM incident WHERE substr(identity, 1, ?) = ? LIMIT 2"
            rows = database.execute(query, (len(beginning), beginning))
        if len(rows) == 1 and beginning:
            return stored.load(rows[0][0])
        raise UsageError(
            f"The monitor knows {'more than one' if rows else 'no'} incident {clean(beginning, NAME)!r}; "
            "its identity stands in every message about it."
        )

    def instruct(self, incidents: Sequence[Incident], deed: IncidentOperation, person: Actor, text: str = "") -> list[int]:
        """Ask for a deed to each of them, all or none; the instructions' numbers. Raises UsageError."""
        rows = [
            (str(incident.identity), deed.value, person.user, person.system, person.time_us, text)
            for incident in incidents
        ]
        query = 'INSERT INTO instruction (identity, deed, "user", system, time, text) VALUES (?, ?, ?, ?, ?, ?) RETURNING number'
        with closing(connect(self._state)) as database, database.transaction():
            ((waiting,),) = database.execute("SELECT count(*) FROM instruction")
            if waiting + len(rows) > WAITING:
                raise UsageError(
                    f"{WAITING} instructions wait for the monitor already; see that it runs, then try again."
                )
            return [database.execute(query, row)[0][0] for row in rows]

    def settled(self, numbers: Sequence[int], seconds: float, sleep: Callable[[float], object] = time.sleep) -> bool:
        """Whether the monitor has dealt with these instructions, waiting for it so long at most."""
        end = time.monotonic() + seconds
        marks = ", ".join("?" * len(numbers))
        with closing(connect(self._state)) as database:
            while database.execute(f"SELECT 1 FROM instruction WHERE number IN ({marks}) LIMIT 1", numbers):
                if time.monotonic() >= end:
                    return False
                sleep(_LOOK_S)
        return True
