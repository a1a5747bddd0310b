"""The state of a dry run: a temporary copy, so that nothing counts as sent."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from faultprint.monitor.base.location import StateLocation
from faultprint.monitor.state.connect import connect, state_exists


@contextmanager
def copied_state(state: StateLocation) -> Iterator[Path]:
    """A copy of a state in a temporary file, deleted after the block. A running monitor may use the original.

    Raises UsageError or StateError.
    """
    with tempfile.TemporaryDirectory(prefix="faultprint-") as folder:
        copy = Path(folder) / "state.db"
        if state_exists(state):
            with closing(connect(state)) as database:
                database.copy(copy)
        yield copy
