"""Inference on ONNX Runtime: minutes in, vectors out, one thread; the default network against the posts'.

Both go through `Model.embed`, normalisation included; weights are untrained, which changes no time.
"""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np
import torch

from benchmarks.interleaved import RUNS, rates
from benchmarks.training_data import simulated
from faultprint.embedding.model import Model
from faultprint.embedding.model_file import Manifest, ModelArtifact
from faultprint.training.models.pooled_task import PooledTask
from faultprint.training.models.reference_task import ReferenceTask
from faultprint.training.models.task import TrainingTask
from faultprint.units import MINUTE_US

_POSTS_WINDOWS = 128


def run() -> list[dict[str, Any]]:
    """The row inference.windows_per_s."""
    torch.manual_seed(1)
    material = simulated()
    ours, theirs = (
        Model(untrained(task(material, material, np.random.default_rng(1)))) for task in (PooledTask, ReferenceTask)
    )
    nodes, others = cycle(material.nodes), cycle(material.nodes)

    def mine() -> int:
        node = next(nodes)
        return len(ours.embed(node.series, node.whole))

    def posts() -> int:
        node = next(others)
        return len(theirs.embed(node.series, node.whole, ends=np.arange(len(node.series))[-_POSTS_WINDOWS:]))

    rate = rates({"default": mine, "posts": posts})
    fast, slow = rate["default"], rate["posts"]
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


def untrained(task: TrainingTask) -> ModelArtifact:
    """What the task's training would leave, had it taken place."""
    catalogue, window = simulated().catalogue, simulated().window
    manifest = Manifest(
        "bench", task.encoder, catalogue, MINUTE_US, window, task.dimensions, task.spans, task.people, {}, {}
    )
    return ModelArtifact(manifest, task.graphs())
