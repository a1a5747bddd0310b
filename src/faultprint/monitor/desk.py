"""What people do to incidents: acknowledge, withdraw the acknowledgement, comment, clear.

Another process asks for it by leaving an instruction in its state; the monitor, which alone writes incidents, carries
it out within a second, in the order in which they came.
"""

from __future__ import annotations

from pathlib import Path

from faultprint.errors import UsageError
from faultprint.monitor.state import State, connect
from faultprint.publish.deed import Deed
from faultprint.publish.incident import Person


def instruct(state: State, identity: str, deed: Deed, person: Person, text: str = "") -> None:
    """Ask the monitor whose state this is to do something to an incident. Raises UsageError or StateError."""
    if isinstance(state, Path) and not state.exists():
        raise UsageError(f"There is no state of a monitor at {state}; name the `state` of its configuration.")
    database = connect(state)
    try:
        if not database.execute("SELECT 1 FROM incident WHERE identity = ?", (identity,)):
            raise UsageError(
                f"The monitor knows no incident {identity!r}; its identity stands in every message about it."
            )
        database.execute(
            'INSERT INTO instruction (identity, deed, "user", system, time, text) VALUES (?, ?, ?, ?, ?, ?)',
            (identity, deed.value, person.user, person.system, person.time_us, text),
        )
    finally:
        database.close()
