"""Inference on ONNX Runtime: minutes in, vectors out, one thread; the default network against the posts'.

Both go through `Model.embed`, normalisation included; weights are untrained, which changes no time.
"""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.learning_material import simulated
from faultprint.embedding.artefact import Artefact, Manifest
from faultprint.embedding.model import Model
from faultprint.training.pooled_task import PooledTask
from faultprint.training.posts_task import PostsTask
from faultprint.training.task import Task
from faultprint.windows.series import MINUTE_US

RUNS = 5
_POSTS_WINDOWS = 128


def run() -> list[dict[str, Any]]:
    """The row inference.windows_per_s."""
    torch.manual_seed(1)
    material = simulated()
    ours, theirs = (
        Model(untrained(task(material, material, np.random.default_rng(1)))) for task in (PooledTask, PostsTask)
    )
    rates: dict[str, list[float]] = {"default": [], "posts": []}
    every = np.arange(len(material.nodes[0].series))
    for turn in range(RUNS + 1):
        for name, model, ends in (("default", ours, every), ("posts", theirs, every[-_POSTS_WINDOWS:])):
            node = material.nodes[turn % len(material.nodes)]
            begin = time.perf_counter()
            found = model.embed(node.series, node.whole, ends=ends)
            if turn:  # the first turn warms up
                rates[name].append(len(found) / (time.perf_counter() - begin))
    fast, slow = median(rates["default"]), median(rates["posts"])
    return [
        {
            "name": "inference.windows_per_s",
            "value": fast,
            "unit": "windows/s",
            "against": f"posts' network on ONNX Runtime: {slow:.0f} windows/s",
            "ratio": fast / slow,
            "runs": RUNS,
        }
    ]


def untrained(task: Task) -> Artefact:
    """What the task's training would leave, had it taken place."""
    catalogue, window = simulated().catalogue, simulated().window
    manifest = Manifest(
        "bench", task.encoder, catalogue, MINUTE_US, window, task.dimensions, task.spans, task.people, {}, {}
    )
    return Artefact(manifest, task.graphs())
