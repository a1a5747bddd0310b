"""How long to wait before the next attempt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faultprint.errors import UsageError


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off with full jitter: before retry n, anything from 0 to first_s · 2ⁿ⁻¹, at most longest_s.

    Full jitter, so that many monitors do not come back to a collector all at once (Brooker, "Exponential backoff and
    jitter", 2015). `attempts` counts the first one.
    """

    attempts: int = 4
    first_s: float = 0.5
    longest_s: float = 30.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or not 0 <= self.first_s <= self.longest_s < float("inf"):
            raise UsageError(
                f"{self.attempts} attempts, {self.first_s} to {self.longest_s} s apart, cannot be; give 1 or more, rising."
            )

    def pause(self, retry: int, rng: np.random.Generator, asked_s: float | None = None) -> float:
        """Seconds before retry number `retry` (from 1); what the receiver asked for is kept to, up to longest_s."""
        highest = min(self.longest_s, self.first_s * 2.0 ** min(retry - 1, 60))
        return max(float(rng.uniform(0.0, highest)), min(asked_s or 0.0, self.longest_s))
