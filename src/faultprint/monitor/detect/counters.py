"""What a monitor has done since it was started."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """For the metrics and the summary of a run; counts by condition, and by change."""

    minutes: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    instructions: int = 0
    silent: int = 0
    library_errors: int = 0
    seconds_of_last: float = 0.0
