"""Liveness of the main loop, for health and readiness."""

from __future__ import annotations

import time
from typing import Final

BEAT_S: Final = 60.0
"""A loop without a beat for this long counts as stuck."""


class Liveness:
    """`last`: when the loop last turned, by `time.monotonic`; None: it has not yet."""

    def __init__(self) -> None:
        self.last_beat: float | None = None
        self._begun = time.monotonic()

    def beat(self) -> None:
        """Record one turn of the loop."""
        self.last_beat = time.monotonic()

    @property
    def ready(self) -> bool:
        """Whether the loop has turned, the last time less than BEAT_S ago."""
        return self.last_beat is not None and self.alive

    @property
    def alive(self) -> bool:
        """Like `ready`, but also true for the first BEAT_S before the first turn."""
        return time.monotonic() - (self._begun if self.last_beat is None else self.last_beat) < BEAT_S
