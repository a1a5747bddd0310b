"""The lock of a state file."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path

import pytest

from faultprint.errors import UsageError
from faultprint.monitor.state.lock import Lock


def test_a_second_lock_is_refused_until_the_first_is_closed(tmp_path: Path) -> None:
    first = Lock(tmp_path / "state.db")
    with pytest.raises(UsageError, match="Another monitor is at work"):
        Lock(tmp_path / "state.db")
    first.close()
    Lock(tmp_path / "state.db").close()


def test_a_lock_that_the_system_refuses_leaves_no_file_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    before = sorted(Path("/proc/self/fd").iterdir())
    with pytest.raises(UsageError, match="No locks available"):
        Lock(tmp_path / "state.db")
    assert sorted(Path("/proc/self/fd").iterdir()) == before
