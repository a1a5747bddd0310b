"""Whether a loop turns, for health and readiness."""

from __future__ import annotations

import time
from typing import Final

BEAT_S: Final = 60.0
"""A loop that has not turned for so long is held to be stuck."""


class Liveness:
    """`last`: when the loop last turned, by `time.monotonic`; None: it has not yet."""

    def __init__(self) -> None:
        self.last: float | None = None
        self._begun = time.monotonic()

    def beat(self) -> None:
        """The loop turns."""
        self.last = time.monotonic()

    @property
    def ready(self) -> bool:
        """Whether it has turned, and not too long ago."""
        return self.last is not None and self.well

    @property
    def well(self) -> bool:
        """The same, but it need not have turned at the very beginning."""
        return time.monotonic() - (self._begun if self.last is None else self.last) < BEAT_S
