"""Writing to a state that may be away (disk full, server gone): tried again until it is taken, and said once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from faultprint.errors import StateError

T = TypeVar("T")
RETRY_S: Final = 1.0
"""Between attempts."""


class RetryUntilWritten:
    """`failing`: whether what was tried last has not succeeded yet."""

    def __init__(self, what: str, tell: Callable[..., Any], sleep: Callable[[float], object]) -> None:
        """`what`: the thing that cannot be written meanwhile, for the log."""
        self.failing = False
        self._what, self._tell, self._sleep = what, tell, sleep

    def until_done(self, act: Callable[[], T], stop: Callable[[], bool]) -> T:
        """The result of `act`, once the state lets it. Raises StateError if `stop` says so meanwhile."""
        while True:
            try:
                result = act()
                break
            except StateError as error:
                if stop():
                    raise
                if not self.failing:
                    self._tell(f"{self._what} cannot be written", detail=str(error))
                self.failing = True
                self._sleep(RETRY_S)
        if self.failing:
            self.failing = False
            self._tell(f"{self._what} written again")
        return result
