"""Counters of a monitor since its start."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """Counters for the metrics and the summary. `verdicts`: by condition; `changes`: by kind of change."""

    minutes: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    commands: int = 0
    no_data: int = 0
    library_errors: int = 0
    not_finite: int = 0
    forgotten: int = 0
    last_minute_seconds: float = 0.0
