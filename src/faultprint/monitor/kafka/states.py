"""The states of partitions: files beside the configured one, and copies of them in the archive.

A partition's state is a function of its log up to an offset, and of what people did meanwhile. So any state may be taken up,
if only reading goes on from its offset; the nearer it is, the less there is to be read again. The file of this machine is
taken where it goes on from the archive's newest state, that one otherwise.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from faultprint.files import check_folder
from faultprint.monitor.kafka.archive import StateArchive, ArchiveIndex, new_state_id
from faultprint.monitor.state.connect import beside
from faultprint.monitor.state.lock import Lock
from faultprint.monitor.state.store import Store

ARCHIVED: Final = "archived"
"""The fact that names the archive's state from which a file goes on."""


class States:
    """One monitor process a `state` path."""

    def __init__(self, archive: StateArchive, state: Path, topic: str) -> None:
        """Raises UsageError if another process has the states of this path."""
        check_folder(state)
        self._archive, self._state, self._topic = archive, state, topic
        self._shelves: dict[int, ArchiveIndex] = {}
        self._lock = Lock(state)

    def close(self) -> None:
        """Let another process have them."""
        self._lock.close()

    def path(self, number: int) -> Path:
        """The state file of a partition."""
        path = beside(self._state, f"{self._topic}-{number}")
        assert isinstance(path, Path)
        return path

    def take_up(self, number: int, offset: int | None, partitions: int) -> None:
        """Put the state to go on from in its place; none, if the partition begins anew. `offset`: the group's, if it has one;
        `partitions`: how many there are.

        Raises ArchiveError, StateError, or UsageError for a file that is no state.
        """
        self._archive.create_topic(partitions)
        shelf, path = self._archive.read_index(number), self.path(number)
        newest = shelf.newest(offset)
        if newest is None and shelf.manifests:
            _remove(path)  # somebody set the group's offset back: all of it is to be judged again
        elif newest is not None and _archived(path) != newest.id:
            _remove(path)
            self._archive.download(number, newest, path)
        self._shelves[number] = shelf

    def hand_on(self, number: int, store: Store, offset: int, commit: Callable[[int], None]) -> None:
        """Put the partition's state into the archive. `commit` tells the group of the offset, and raises unless the partition
        is ours still, so that a monitor that was taken for dead cannot pass its state off as the newest.

        Raises ArchiveError, StateError, or what `commit` raises; the archive's newest state is then the one before.
        """
        identity = new_state_id()
        with tempfile.TemporaryDirectory(prefix=f".{self._state.name}.", dir=self._state.parent) as folder:
            copy = Path(folder) / "state"
            store.copy(copy)
            with Store(copy) as copied:
                copied.note({ARCHIVED: identity})
            manifest = self._archive.upload(number, copy, offset, identity)
        commit(offset)
        self._shelves[number] = self._archive.publish(number, manifest, self._shelves[number])
        store.note({ARCHIVED: identity})


def _archived(path: Path) -> str | None:
    if not path.exists():
        return None
    with Store(path) as store:
        return store.facts().get(ARCHIVED)


def _remove(path: Path) -> None:
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
