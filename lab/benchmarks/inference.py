"""Inference with ONNX Runtime: minutes in, vectors out, one thread; the default network against the 2017 baseline.

Both use `Model.embed`, with normalisation. Weights are random, which does not change the speed.
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

_REFERENCE_WINDOWS = 128


def run() -> list[dict[str, Any]]:
    """The row inference.windows_per_s."""
    torch.manual_seed(1)
    material = simulated()
    pooled, recurrent = (
        Model(untrained(task(material, material, np.random.default_rng(1)))) for task in (PooledTask, ReferenceTask)
    )
    nodes, others = cycle(material.nodes), cycle(material.nodes)

    def default() -> int:
        node = next(nodes)
        return len(pooled.embed(node.series, node.full_profile))

    def reference() -> int:
        node = next(others)
        return len(
            recurrent.embed(node.series, node.full_profile, ends=np.arange(len(node.series))[-_REFERENCE_WINDOWS:])
        )

    rate = rates({"default": default, "reference": reference})
    fast, slow = rate["default"], rate["reference"]
    return [
        {
            "name": "inference.windows_per_s",
            "value": fast,
            "unit": "windows/s",
            "against": f"2017 baseline on ONNX Runtime: {slow:.0f} windows/s",
            "ratio": fast / slow,
            "runs": RUNS,
        }
    ]


def untrained(task: TrainingTask) -> ModelArtifact:
    """What the training of the task would export, with random weights."""
    catalogue, window = simulated().catalogue, simulated().window
    manifest = Manifest(
        "bench", task.encoder, catalogue, MINUTE_US, window, task.dimensions, task.spans, task.population, {}, {}
    )
    return ModelArtifact(manifest, task.graphs())
