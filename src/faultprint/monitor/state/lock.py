"""The lock of a state file. It is a file of its own and ends with the process."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from faultprint.errors import UsageError


class Lock:
    """Held until `close`."""

    def __init__(self, state: Path) -> None:
        """Raises UsageError if another process holds it, or if it cannot be created."""
        # A separate file: a process that closes a SQLite file loses all its POSIX locks on it.
        path = state.with_name(state.name + ".lock")
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _not_lockable(path, error) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise UsageError(f"Another monitor is at work with {state}; stop it, or name another state.") from None
        except OSError as error:
            self.close()
            raise _not_lockable(path, error) from None

    def close(self) -> None:
        """Release the lock."""
        os.close(self._file)


def _not_lockable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"{path} cannot be locked ({error.strerror}); put the state on a file system with locks.")
