"""Measure several workloads in turns, so that a busy machine slows all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median

RUNS = 5


def rates(workloads: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """Work per second of each workload, the median of RUNS turns after one warm-up turn. A workload returns how much it did."""
    rates_by_name: dict[str, list[float]] = {name: [] for name in workloads}
    for turn in range(RUNS + 1):
        for name, workload in workloads.items():
            begin = time.perf_counter()
            done = workload()
            if turn:
                rates_by_name[name].append(done / (time.perf_counter() - begin))
    return {name: median(values) for name, values in rates_by_name.items()}
