"""Work that is done once: files in a folder, named by a hash of what they were made from and by.

The name holds the arguments and the code that makes the thing, so that a stale file is never read and a run that was
killed goes on. Files appear whole (`files.replacing`): several runs may share a folder; at worst both make the same thing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import faultprint
from faultprint.files import replacing

_DIGITS: Final = 20
_KINDS: Final = ("*.py", "*.npz")
_SOURCE: Final = Path(faultprint.__file__).parent


@cache
def version(parts: Sequence[str]) -> str:
    """A hash of the source files that `parts` name, folders and files below the package, in whatever order; of shipped weights,
    too."""
    digest = hashlib.sha256()
    paths = {path for part in parts for kind in _KINDS for path in (_SOURCE / part).rglob(kind)}
    paths |= {_SOURCE / part for part in parts if part.endswith(".py")}
    for path in sorted(paths):
        digest.update(str(path.relative_to(_SOURCE)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:_DIGITS]


class Cache:
    """A folder of made things."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def path(self, kind: str, arguments: Any, code: tuple[str, ...], suffix: str) -> Path:
        """Where the thing of this kind lies that is made from `arguments` (JSON) by the source `code`."""
        text = json.dumps([kind, arguments, version(code)], sort_keys=True)
        return self.folder / f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]}{suffix}"

    def file(self, kind: str, arguments: Any, code: tuple[str, ...], suffix: str, make: Callable[[Path], None]) -> Path:
        """The file, made by `make` (given a path to write) unless it is there."""
        path = self.path(kind, arguments, code, suffix)
        if not path.exists():
            with replacing(path) as temporary:
                make(temporary)
        return path
