"""Training: the default network, each window embedded once, against the posts' network in three towers.

Both train in this process on one thread, in turns, so that a busy machine slows both.
"""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.training_data import simulated
from faultprint.training.models.pooled_task import PooledTask
from faultprint.training.models.reference_task import ReferenceTask
from faultprint.training.models.task import Step, TrainingTask

RUNS = 5
_STEPS = {"default": 12, "posts": 2}


def run() -> list[dict[str, Any]]:
    """Rows training.windows_per_s and training.triplets_per_s."""
    torch.set_num_threads(1)
    material = simulated()
    tasks: dict[str, TrainingTask] = {
        "default": PooledTask(material, material, np.random.default_rng(1)),
        "posts": ReferenceTask(material, material, np.random.default_rng(1)),
    }
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in tasks}
    for turn in range(RUNS + 1):
        for name, task in tasks.items():
            rate = _rate(task, _STEPS[name])
            if turn:  # the first turn warms up
                rates[name].append(rate)
    rows = []
    for index, what in enumerate(("windows", "triplets")):
        ours, theirs = (median(rate[index] for rate in rates[name]) for name in ("default", "posts"))
        rows.append(
            {
                "name": f"training.{what}_per_s",
                "value": ours,
                "unit": f"{what}/s",
                "against": f"posts three-tower: {theirs:.1f} {what}/s",
                "ratio": ours / theirs,
                "runs": RUNS,
            }
        )
    return rows


def _rate(task: TrainingTask, steps: int) -> tuple[float, float]:
    """(windows/s, triplets/s) of so many steps, sampling included."""
    begin = time.perf_counter()
    done: list[Step] = [task.step(0.0) for _ in range(steps)]
    seconds = time.perf_counter() - begin
    return sum(step.windows for step in done) / seconds, sum(step.triplets for step in done) / seconds
