"""Writing to a disk that may be full: tried again until it is taken, and said once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Final, TypeVar

T = TypeVar("T")
RETRY_S: Final = 1.0
"""Between attempts."""


def insist(
    act: Callable[[], T],
    what: str,
    tell: Callable[..., Any],
    sleep: Callable[[float], object],
    stop: Callable[[], bool],
) -> T:
    """The result of `act`, once the disk lets it. `what`: the thing that cannot be written meanwhile.

    Raises sqlite3.OperationalError (disk full, locked, or gone) if `stop` says so meanwhile.
    """
    said = False
    while True:
        try:
            result = act()
            break
        except sqlite3.OperationalError as error:
            if stop():
                raise
            if not said:
                tell(f"{what} cannot be written", detail=str(error))
            said = True
            sleep(RETRY_S)
    if said:
        tell(f"{what} written again")
    return result
