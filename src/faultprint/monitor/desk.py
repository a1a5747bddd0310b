"""What people do to incidents: acknowledge, withdraw the acknowledgement, comment, clear.

Another process asks for it by leaving an instruction in the state file; the monitor, which alone writes incidents, carries
it out within a second, in the order in which they came.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from faultprint.errors import UsageError
from faultprint.monitor.store import connect
from faultprint.publish.deed import Deed
from faultprint.publish.incident import Person


def instruct(state: Path, identity: str, deed: Deed, person: Person, text: str = "") -> None:
    """Ask the monitor whose state file this is to do something to an incident. Raises UsageError."""
    if not state.exists():
        raise UsageError(f"There is no state of a monitor at {state}; name the `state` of its configuration.")
    connection = connect(state)
    try:
        if not connection.execute("SELECT 1 FROM incident WHERE identity = ?", (identity,)).fetchone():
            raise UsageError(
                f"The monitor knows no incident {identity!r}; its identity stands in every message about it."
            )
        connection.execute(
            "INSERT INTO instruction (identity, deed, user, system, time, text) VALUES (?, ?, ?, ?, ?, ?)",
            (identity, deed.value, person.user, person.system, person.time_us, text),
        )
    except sqlite3.Error as error:
        raise UsageError(f"{state} cannot be written ({error}); see that it is the state of a monitor.") from None
    finally:
        connection.close()
