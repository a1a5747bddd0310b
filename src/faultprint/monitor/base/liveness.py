"""Liveness of the main loop and of the threads that serve it, for health and readiness."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from faultprint.errors import ThreadError

BEAT_S: Final = 60.0
"""A loop without a beat for this long counts as stuck."""


class Liveness:
    """`last_beat`: when the loop last turned, by `time.monotonic`; None: it has not yet."""

    def __init__(self) -> None:
        self.last_beat: float | None = None
        self.ahead = False
        """Whether the last finished minute lies in the future, or was put back from there and no minute has finished since."""
        self._begun = time.monotonic()
        self._threads: list[tuple[threading.Thread, Callable[[], object]]] = []

    def beat(self) -> None:
        """Record one turn of the loop. Raises ThreadError if a watched thread has ended."""
        self.check()
        self.last_beat = time.monotonic()

    def watch(self, thread: threading.Thread, why: Callable[[], object] = lambda: None) -> None:
        """From now on this thread must live. `why`: gives the reason of its end, if it is known."""
        self._threads.append((thread, why))

    def check(self) -> None:
        """Raises ThreadError if a watched thread has ended."""
        for thread, why in self._threads:
            if not thread.is_alive():
                reason = why()
                detail = f" ({reason})" if reason is not None else ""
                raise ThreadError(
                    f"The thread {thread.name!r} has ended{detail}; start the monitor again, it continues after its last "
                    "finished minute."
                )

    @property
    def ready(self) -> bool:
        """Whether the loop has turned, the last time less than BEAT_S ago, all watched threads live, and the last minute is
        not in the future."""
        return self.last_beat is not None and self.alive and not self.ahead

    @property
    def alive(self) -> bool:
        """Like `ready`, but also true for the first BEAT_S before the first turn."""
        turns = time.monotonic() - (self._begun if self.last_beat is None else self.last_beat) < BEAT_S
        return turns and all(thread.is_alive() for thread, _ in self._threads)
