"""The key of the hashes that stand for subscribers: made once, kept in a file that only its owner reads."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from faultprint.errors import UsageError

KEY_BYTES = 32


def default_path() -> Path:
    """`faultprint/key` in the user's configuration folder (XDG base directory specification)."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "faultprint" / "key"


def load_or_create(path: Path) -> bytes:
    """The key in `path` (32 bytes), made there first if there is none. Raises UsageError for a file of another size.

    The same key gives the same hashes, so that one subscriber counts once over several captures; whoever lacks it
    cannot find a number by trying them all.
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
            f"{path} holds {len(key)} bytes, but a key has {KEY_BYTES}; name another --key-file or remove it."
        )
    return key
