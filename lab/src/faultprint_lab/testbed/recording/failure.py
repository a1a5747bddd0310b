"""An episode that could not be recorded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EpisodeFailure:
    """An episode that failed: its name, the number of attempts, and the reason of the last failure."""

    episode: str
    attempts: int
    reason: str
