"""The command queue: operators read incidents and submit operations (acknowledge, unacknowledge, comment, clear).

Any process or thread may write a command into the state. The monitor is the only writer of incidents. It executes commands
within a second, in order of arrival.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Final

from faultprint.errors import UsageError
from faultprint.monitor.base.location import StateLocation
from faultprint.monitor.state.alarms import AlarmSelection, SqlCondition, read_matching, read_page
from faultprint.monitor.state.connect import connect, state_exists
from faultprint.publish import incident_codec
from faultprint.publish.incident import Actor, Incident, IncidentOperation
from faultprint.publish.text import MAX_NAME, clean

WAITING: Final = 10_000
"""Largest number of waiting commands, so that they do not fill the disk while the monitor is down."""
_LOOK_S: Final = 0.05
"""Pause between two checks whether commands are done, seconds."""


class CommandQueue:
    """Access of operators to the state of a monitor. Each call opens its own connection, so it is thread-safe.

    All methods may raise StateError.
    """

    def __init__(self, state: StateLocation) -> None:
        """Raises UsageError if there is no state."""
        if not state_exists(state):
            raise UsageError(f"There is no state of a monitor at {state}; name the `state` of its configuration.")
        self._state = state

    def incidents(self, *, cleared: bool = True) -> Iterator[Incident]:
        """The kept incidents, open ones first, then by time of their last change. They are read lazily.

        `cleared`: false, only the open ones.
        """
        which = "" if cleared else "WHERE open = 1"
        with closing(connect(self._state)) as database:
            query = f"SELECT document FROM incident {which} ORDER BY open DESC, changed, identity"
            for (document,) in database.stream(query):
                yield incident_codec.load(document)

    def page(self, selection: AlarmSelection) -> tuple[int, list[Incident]]:
        """The number of selected incidents, and those of one page in order."""
        with closing(connect(self._state)) as database:
            return read_page(database, selection)

    def matching(self, condition: SqlCondition) -> Iterator[Incident]:
        """The incidents whose rows in the table of alarms meet a condition. They are read lazily."""
        with closing(connect(self._state)) as database:
            yield from read_matching(database, condition)

    def find(self, identity: str) -> Incident | None:
        """The incident with this identity, or None."""
        with closing(connect(self._state)) as database:
            rows = database.execute("SELECT document FROM incident WHERE identity = ?", (identity,))
        return incident_codec.load(rows[0][0]) if rows else None

    def incident(self, beginning: str) -> Incident:
        """The incident whose identity starts with `beginning`. Raises UsageError if there is none, or more than one."""
        with closing(connect(self._state)) as database:
            query = "SELECT document FROM incident WHERE substr(identity, 1, ?) = ? LIMIT 2"
            rows = database.execute(query, (len(beginning), beginning))
        if len(rows) == 1 and beginning:
            return incident_codec.load(rows[0][0])
        raise UsageError(
            f"The monitor knows {'more than one' if rows else 'no'} incident {clean(beginning, MAX_NAME)!r}; "
            "give the start of its identity, as in `faultprint incidents list`."
        )

    def submit(
        self, incidents: Sequence[Incident], deed: IncidentOperation, person: Actor, text: str = ""
    ) -> list[int]:
        """Submit an operation for each incident, all or none. Returns the numbers of the commands. Raises UsageError."""
        rows = [
            (str(incident.identity), deed.value, person.user, person.system, person.time_us, text)
            for incident in incidents
        ]
        query = 'INSERT INTO instruction (identity, deed, "user", system, time, text) VALUES (?, ?, ?, ?, ?, ?) RETURNING number'
        with closing(connect(self._state)) as database, database.transaction():
            ((waiting,),) = database.execute("SELECT count(*) FROM instruction")
            if waiting + len(rows) > WAITING:
                raise UsageError(
                    f"{WAITING} commands already wait for the monitor; check that it runs, then try again."
                )
            return [database.execute(query, row)[0][0] for row in rows]

    def wait(self, numbers: Sequence[int], seconds: float, sleep: Callable[[float], object] = time.sleep) -> bool:
        """Wait until the monitor has handled these commands, at most `seconds`; whether it has."""
        end = time.monotonic() + seconds
        marks = ", ".join("?" * len(numbers))
        with closing(connect(self._state)) as database:
            while database.execute(f"SELECT 1 FROM instruction WHERE number IN ({marks}) LIMIT 1", numbers):
                if time.monotonic() >= end:
                    return False
                sleep(_LOOK_S)
        return True
