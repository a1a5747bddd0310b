"""A dry run's state: a copy, so that what would be sent can be seen and nothing counts as sent."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from faultprint.errors import UsageError
from faultprint.monitor.store import connect


@contextmanager
def copied(state: Path) -> Iterator[Path]:
    """A copy of a state file, also of one that a monitor is writing; gone after the block. Raises UsageError."""
    with tempfile.TemporaryDirectory(prefix="faultprint-") as folder:
        copy = Path(folder) / "state.db"
        if state.exists():
            with closing(connect(state)) as source, closing(sqlite3.connect(copy)) as target:
                try:
                    source.backup(target)
                except sqlite3.Error as error:
                    raise UsageError(f"{state} cannot be copied for a dry run ({error}); see to its disk.") from None
        yield copy
