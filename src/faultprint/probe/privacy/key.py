"""The keys for the hashes of subscribers: in a file that only its owner can read.

A file holds one key of 32 bytes, or several after a rotation, newest first. Only the newest makes hashes; the older ones
say whose hash a subscriber had in earlier tables. A table keeps the id of its key, from which the key cannot be computed.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from faultprint.errors import UsageError
from faultprint.files import replacing

KEY_BYTES: Final = 32
MAX_KEYS: Final = 16
_ID_BYTES: Final = 4
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def default_path() -> Path:
    """`faultprint/key` in the configuration folder of the user (XDG base directory specification)."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "faultprint" / "key"


def key_id(key: bytes) -> str:
    """The public id of a key: 8 hexadecimal digits."""
    return hashlib.blake2b(b"id", digest_size=_ID_BYTES, key=key).hexdigest()


def load_or_create(path: Path) -> bytes:
    """The newest key in `path` (32 bytes). Creates the file if there is none. Raises UsageError as `load`.

    The same key gives the same hashes, so a subscriber has one hash in all captures. Without the key, a number cannot be
    found by trying all numbers.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _create(path)
    return load(path)[0]


def load(path: Path) -> list[bytes]:
    """All keys in `path`, newest first.

    Raises UsageError for a file of another size, for a key of zeros, and for a file that others may read or write.
    """
    try:
        status, content = path.stat(), path.read_bytes()
    except OSError as error:
        raise UsageError(f"The key file {path} cannot be read ({error.strerror}); name a readable file.") from None
    number, rest = divmod(len(content), KEY_BYTES)
    if rest or not 1 <= number <= MAX_KEYS:
        raise UsageError(
            f"{path} has {len(content)} bytes, but a key has {KEY_BYTES}; choose another --key-file, or remove the file."
        )
    if status.st_mode & _OTHERS:
        raise UsageError(
            f"Other users may use {path} (mode {stat.S_IMODE(status.st_mode):04o}), and find subscribers with it; run: "
            f"chmod 600 {path}"
        )
    keys = [content[at : at + KEY_BYTES] for at in range(0, len(content), KEY_BYTES)]
    if bytes(KEY_BYTES) in keys:
        raise UsageError(
            f"{path} holds a key of zeros, which hides no subscriber; remove the file, and a new key is made."
        )
    return keys


def rotate(path: Path, keep: int) -> list[bytes]:
    """Put a new key in front of those in `path`, and keep the newest `keep` of the old ones. Returns all keys.

    Raises UsageError as `load`, and for a `keep` that is out of range.
    """
    if not 0 <= keep < MAX_KEYS:
        raise UsageError(f"{keep} old keys cannot be kept; give 0 to {MAX_KEYS - 1}.")
    keys = [secrets.token_bytes(KEY_BYTES), *load(path)[:keep]]
    with replacing(path) as temporary:
        temporary.write_bytes(b"".join(keys))
    return keys


def _create(path: Path) -> None:
    """Make a file with a new key, whole or not at all. If another process makes one meanwhile, that one counts."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)
