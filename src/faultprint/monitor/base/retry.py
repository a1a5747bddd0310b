"""Retries writes while the state is not available (disk full, server down), and logs that once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from faultprint.errors import StateError
from faultprint.monitor.base.log import Log

T = TypeVar("T")
RETRY_S: Final = 1.0
"""Pause between attempts, seconds."""


class RetryUntilWritten:
    """`failing`: whether the last attempt failed; `sleep`: waits between attempts."""

    def __init__(self, target: str, log: Log, sleep: Callable[[float], object]) -> None:
        """`target`: name of what is written, for the log."""
        self.failing = False
        self._target, self._log, self.sleep = target, log, sleep

    def retry(self, write: Callable[[], T], stop: Callable[[], bool]) -> T:
        """The result of `write`, as soon as it succeeds. Raises StateError if `stop` becomes true."""
        while True:
            try:
                result = write()
                break
            except StateError as error:
                if stop():
                    raise
                if not self.failing:
                    self._log("write_failing", target=self._target, detail=str(error))
                self.failing = True
                self.sleep(RETRY_S)
        if self.failing:
            self.failing = False
            self._log("write_recovered", target=self._target)
        return result
