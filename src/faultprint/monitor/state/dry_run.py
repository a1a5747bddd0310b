"""A dry run's state: a copy, so that what would be sent can be seen and nothing counts as sent."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from faultprint.monitor.state.connect import State, connect, exists


@contextmanager
def copied_state(state: State) -> Iterator[Path]:
    """A copy of a state, also of one that a monitor is writing, in a file that is gone after the block.

    Raises UsageError or StateError.
    """
    with tempfile.TemporaryDirectory(prefix="faultprint-") as folder:
        copy = Path(folder) / "state.db"
        if exists(state):
            with closing(connect(state)) as database:
                database.copy(copy)
        yield copy
