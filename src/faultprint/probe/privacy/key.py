"""The key for the hashes of subscribers: created once, in a file that only its owner can read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from faultprint.errors import UsageError

KEY_BYTES: Final = 32


def default_path() -> Path:
    """`faultprint/key` in the configuration folder of the user (XDG base directory specification)."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "faultprint" / "key"


def load_or_create(path: Path) -> bytes:
    """The key in `path` (32 bytes). Creates it if there is none. Raises UsageError for a file of another size.

    The same key gives the same hashes, so a subscriber has one hash in all captures. Without the key, a number cannot be
    found by trying all numbers.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
    except FileExistsError:
        pass
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise UsageError(
            f"{path} has {len(key)} bytes, but a key has {KEY_BYTES}; choose another --key-file, or remove the file."
        )
    return key
