"""Training: the default network, which embeds each window once, against the 2017 baseline in three towers.

Both train in this process on one thread, in turns, so that a busy machine slows both alike.
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
_STEPS = {"default": 12, "reference": 2}


def run() -> list[dict[str, Any]]:
    """Rows training.windows_per_s and training.triplets_per_s."""
    torch.set_num_threads(1)
    material = simulated()
    tasks: dict[str, TrainingTask] = {
        "default": PooledTask(material, material, np.random.default_rng(1)),
        "reference": ReferenceTask(material, material, np.random.default_rng(1)),
    }
    rates: dict[str, list[tuple[float, float]]] = {name: [] for name in tasks}
    for turn in range(RUNS + 1):
        for name, task in tasks.items():
            rate = _rate(task, _STEPS[name])
            if turn:  # the first turn warms up
                rates[name].append(rate)
    rows = []
    for index, unit in enumerate(("windows", "triplets")):
        default, reference = (median(rate[index] for rate in rates[name]) for name in ("default", "reference"))
        rows.append(
            {
                "name": f"training.{unit}_per_s",
                "value": default,
                "unit": f"{unit}/s",
                "against": f"2017 baseline, three towers: {reference:.1f} {unit}/s",
                "ratio": default / reference,
                "runs": RUNS,
            }
        )
    return rows


def _rate(task: TrainingTask, steps: int) -> tuple[float, float]:
    """(windows/s, triplets/s) of `steps` steps, with sampling."""
    begin = time.perf_counter()
    done: list[Step] = [task.step(0.0) for _ in range(steps)]
    seconds = time.perf_counter() - begin
    return sum(step.windows for step in done) / seconds, sum(step.triplets for step in done) / seconds
