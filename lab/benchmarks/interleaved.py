"""Side by side: whoever is measured takes turns with the others, so that a busy machine slows all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median

RUNS = 5


def rates(works: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """What each gets done in a second, the median of RUNS turns. A work returns how much it did; a first turn warms up."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(RUNS + 1):
        for name, work in works.items():
            begin = time.perf_counter()
            done = work()
            if turn:
                found[name].append(done / (time.perf_counter() - begin))
    return {name: median(several) for name, several in found.items()}
