"""The states of partitions: local files, and copies of them in the archive.

The state of a partition depends only on the log up to an offset, and on the commands of operators. Any state is therefore valid if
reading continues at its offset; a newer state only means fewer records to read again. A local file is used if it continues from
the newest state in the archive. Otherwise the archived state replaces it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from faultprint.files import check_folder
from faultprint.monitor.base.location import sibling
from faultprint.monitor.kafka.archive import ArchiveIndex, StateArchive, new_state_id
from faultprint.monitor.state.lock import Lock
from faultprint.monitor.state.store import Store

ARCHIVED: Final = "archived"
"""The stored fact that names the archived state from which a file continues."""


class PartitionStates:
    """The states below one `state` path, which one monitor process uses at a time."""

    def __init__(self, archive: StateArchive, state: Path, topic: str) -> None:
        """Raises UsageError if another process uses the states of this path."""
        check_folder(state)
        self._archive, self._state, self._topic = archive, state, topic
        self._indexes: dict[int, ArchiveIndex] = {}
        self._lock = Lock(state)

    def close(self) -> None:
        """Release the lock on the path."""
        self._lock.close()

    def path(self, number: int) -> Path:
        """The state file of a partition."""
        path = sibling(self._state, f"{self._topic}-{number}")
        assert isinstance(path, Path)
        return path

    def acquire(self, number: int, offset: int | None, partitions: int) -> None:
        """Put the right state file in place, or none if the partition starts from the beginning.

        `offset`: the committed offset of the group, if there is one. `partitions`: number of partitions of the topic.
        Raises ArchiveError, StateError, or UsageError for a file that is not a state.
        """
        self._archive.create_topic(partitions)
        index, path = self._archive.read_index(number), self.path(number)
        newest = index.newest(offset)
        if newest is None and index.manifests:
            _remove(path)  # an operator has set the group's offset back: score everything again
        elif newest is not None and _archived_id(path) != newest.id:
            _remove(path)
            self._archive.download(number, newest, path)
        self._indexes[number] = index

    def upload(self, number: int, store: Store, offset: int, commit: Callable[[int], None]) -> None:
        """Copy the state of a partition to the archive.

        `commit` commits the offset of the group and raises if another member has the partition. A member that was taken for
        dead can therefore not replace a newer state. Raises ArchiveError, StateError, or what `commit` raises; the newest
        state in the archive is then unchanged.
        """
        identity = new_state_id()
        with tempfile.TemporaryDirectory(prefix=f".{self._state.name}.", dir=self._state.parent) as folder:
            copy = Path(folder) / "state"
            store.copy(copy)
            with Store(copy) as copied:
                copied.save_facts({ARCHIVED: identity})
            manifest = self._archive.upload(number, copy, offset, identity)
        commit(offset)
        self._indexes[number] = self._archive.publish(number, manifest, self._indexes[number])
        store.save_facts({ARCHIVED: identity})


def _archived_id(path: Path) -> str | None:
    if not path.exists():
        return None
    with Store(path) as store:
        return store.facts().get(ARCHIVED)


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
