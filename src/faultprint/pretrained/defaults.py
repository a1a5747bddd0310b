"""Which model and which library count where a command or a function is given none. The first that exists:

    an option or argument
    the environment variable FAULTPRINT_MODEL or FAULTPRINT_LIBRARY
    `model` or `library` in the user's configuration file, $XDG_CONFIG_HOME/faultprint/config.toml
    the user's own library, $XDG_DATA_HOME/faultprint/library.db
    the files in the box

What is taught without --library goes to the user's own library, which begins as a copy of the starter library.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Final

from faultprint import pretrained
from faultprint.errors import UsageError
from faultprint.files import replacing

MODEL_VARIABLE: Final = "FAULTPRINT_MODEL"
LIBRARY_VARIABLE: Final = "FAULTPRINT_LIBRARY"
_KEYS: Final = frozenset({"model", "library"})


def config_file() -> Path:
    """The user's configuration file; it need not exist."""
    return _base("XDG_CONFIG_HOME", ".config") / "config.toml"


def own_library() -> Path:
    """The user's own library; it need not exist."""
    return _base("XDG_DATA_HOME", ".local/share") / "library.db"


def default_model() -> Path:
    """The model to use. Raises UsageError for a configuration file that cannot be used."""
    return _chosen(MODEL_VARIABLE, "model") or pretrained.MODEL


def default_library() -> Path:
    """The library to read. Raises UsageError for a configuration file that cannot be used."""
    own = own_library()
    return _chosen(LIBRARY_VARIABLE, "library") or (own if own.exists() else pretrained.LIBRARY)


def changed_library() -> Path:
    """The library to change. Raises UsageError for a configuration file that cannot be used."""
    return _chosen(LIBRARY_VARIABLE, "library") or own_library()


def seed_own_library(path: Path) -> None:
    """Before the first change, make the user's own library a copy of the starter library; leave every other path alone."""
    if path != own_library() or path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(pretrained.LIBRARY.read_bytes())


def _chosen(variable: str, key: str) -> Path | None:
    if given := os.environ.get(variable):
        return Path(given)
    file = config_file()
    try:
        settings = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read as TOML ({error}); correct or remove it.") from None
    if unknown := sorted(settings.keys() - _KEYS):
        raise UsageError(f"{file} has the unknown key {unknown[0]!r}; it may hold model and library.")
    value = settings.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise UsageError(f"{key} in {file} is {value!r}, but must be a path in quotes; correct it.")
    return file.parent / Path(value).expanduser()


def _base(variable: str, otherwise: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / otherwise) / "faultprint"
