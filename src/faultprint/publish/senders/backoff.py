"""The pauses between delivery attempts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faultprint.errors import UsageError


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off with full jitter: a random pause from 0 to initial_s · 2ⁿ⁻¹ before retry n, at most max_s.

    With full jitter, many monitors do not return to a collector at the same time (Brooker, "Exponential backoff and jitter", 2015).
    `attempts` includes the first one.
    """

    attempts: int = 4
    initial_s: float = 0.5
    max_s: float = 30.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or not 0 <= self.initial_s <= self.max_s < float("inf"):
            raise UsageError(
                f"{self.attempts} attempts with pauses from {self.initial_s} to {self.max_s} s are not possible; "
                "give at least 1 attempt and 0 <= initial <= maximum."
            )

    def pause(self, retry: int, rng: np.random.Generator, retry_after_s: float | None = None) -> float:
        """Seconds before retry number `retry` (from 1). `retry_after_s`: the receiver's minimum, honoured up to max_s."""
        highest = min(self.max_s, self.initial_s * 2.0 ** min(retry - 1, 60))
        return max(float(rng.uniform(0.0, highest)), min(retry_after_s or 0.0, self.max_s))
