"""Files that are replaced as a whole or not at all. Standard library only, so that the probe can use it too."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from faultprint.errors import UsageError

_PERMISSIONS: Final = 0o777
_OWNER_ONLY: Final = 0o600


def check_folder(path: Path) -> None:
    """Raise UsageError if the folder of `path` does not exist. Call it before long work, not after it."""
    if not path.parent.is_dir():
        raise UsageError(f"{path} cannot be written: the folder {path.parent} does not exist; create it first.")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file in the folder of `path`. It replaces `path` if the block succeeds, else it is removed.

    The file keeps the permissions of the file that it replaces; a new file gets those that the umask leaves. Content
    and name are on the disk when the block ends, so that a power failure leaves the old file or the new one. A symbolic
    link stays, and the file that it names is replaced.
    Raises UsageError if the folder does not exist or cannot be written, or if `path` is a device or another special file.
    """
    check_folder(path)
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no regular file, and would be replaced by one; give another path.")
    place = path.resolve()
    temporary = place.with_name(f".{place.name}.{secrets.token_hex(6)}")
    try:
        mode = _create(temporary, place)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}); choose another path.") from None
    try:
        yield temporary
        temporary.chmod(mode)
        _sync(temporary)
        temporary.replace(place)
        # Some file systems cannot sync a folder. The file is whole all the same.
        with suppress(OSError):
            _sync(place.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _create(temporary: Path, replaced: Path) -> int:
    """Create an empty file that only its owner can read while it is written; return the permissions to give it then."""
    # The kernel applies the umask here. Python can only read the umask by changing it, which other threads would notice.
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        mode = os.fstat(handle).st_mode & _PERMISSIONS
        os.fchmod(handle, _OWNER_ONLY)
    finally:
        os.close(handle)
    with suppress(FileNotFoundError):
        mode = replaced.stat().st_mode & _PERMISSIONS
    return mode


def _sync(path: Path) -> None:
    """Wait until the content of a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
