"""Streaming inference: a new minute of many nodes through encoder and matching, on one thread, and the share of the core's peak.

The peak of the core is measured in turns with it: single-precision products of 1,024 × 1,024 matrices. Operations of an
encoder are counted from its layers. Normalisation, pooling and matching count as zero, so the share shows their cost.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.inference import untrained
from benchmarks.interleaved import RUNS, rates
from benchmarks.training_data import simulated
from faultprint.cases.matching import Matcher
from faultprint.embedding.model import Model
from faultprint.embedding.streaming import StreamingEncoder
from faultprint.training.models.pooled_task import PooledTask
from faultprint.training.models.reference_task import ReferenceTask
from faultprint.training.networks.pooled import SpanLinear
from faultprint.training.networks.reference_lstm import KerasLSTM

NODES = 4_000
_REFERENCES = 13
_BATCH = 128
"""Rows in one call of the graphs, as in the streaming encoder."""
_SIDE = 1_024
_REFERENCE_WINDOWS = 64


def run() -> list[dict[str, Any]]:
    """Row inference.cached_nodes_per_minute, and rows with the share of the peak: our graphs, a whole step, the 2017 baseline."""
    torch.manual_seed(1)
    torch.set_num_threads(1)
    material = simulated()
    pooled, reference = (task(material, material, np.random.default_rng(1)) for task in (PooledTask, ReferenceTask))
    step, encode = _pooled_work(Model(untrained(pooled)))
    recurrent = _reference_work(Model(untrained(reference)))
    square = torch.rand(_SIDE, _SIDE)

    def product() -> int:
        square @ square
        return 2 * _SIDE**3

    rate = rates({"step": step, "encode": encode, "reference": recurrent, "peak": product})
    peak = rate["peak"]
    minute, window = _operations(pooled.network), _operations(reference.network, material.window)
    against = f"peak {peak / 1e9:.0f} GFLOP/s"
    return [
        _row("inference.cached_nodes_per_minute", 60 * rate["step"], "nodes/min", None),
        _row("inference.gemm_share", 100 * minute * rate["encode"] / peak, "%", against),
        _row("inference.step_gemm_share", 100 * minute * rate["step"] / peak, "%", against),
        _row("inference.posts_gemm_share", 100 * window * rate["reference"] / peak, "%", against),
    ]


def _pooled_work(model: Model) -> tuple[Callable[[], int], Callable[[], int]]:
    """(a new minute of NODES nodes from values to matches, only the two graphs on as many minutes)."""
    rng = np.random.default_rng(1)
    series = simulated().nodes[0].series
    normal = model.baseline(series.slice(0, model.window))
    encoder, slots = StreamingEncoder(model), np.arange(NODES)
    encoder.add_slots(NODES)
    for slot in range(NODES):
        encoder.set_baseline(slot, normal)
    matcher = Matcher(
        rng.normal(size=(_REFERENCES, model.dimensions)).astype(np.float32), [*map(str, range(_REFERENCES))]
    )
    values = series.values[rng.integers(len(series), size=NODES)]
    numbers = count()

    def step() -> int:
        encoder.advance(next(numbers))
        matcher.match(encoder.step(slots, values)[0].vectors)
        return NODES

    for _ in range(model.window):
        step()
    inputs = rng.normal(size=(NODES, 2 * len(model.catalogue) * len(model.manifest.spans))).astype(np.float32)
    pooled = np.tile(model.encoder.encode_minutes(inputs), 3)

    def graphs() -> int:
        for start in range(0, NODES, _BATCH):
            model.encoder.encode_minutes(inputs[start : start + _BATCH])
            model.encoder.apply_head(pooled[start : start + _BATCH])
        return NODES

    return step, graphs


def _reference_work(model: Model) -> Callable[[], int]:
    node = simulated().nodes[0]
    ends = np.arange(model.window, model.window + _REFERENCE_WINDOWS)
    return lambda: len(model.embed(node.series, node.full_profile, ends=ends))


def _operations(network: nn.Module, minutes: int = 1) -> int:
    """Multiplications and additions for one vector; recurrent layers run once for each minute of the window."""
    operations = 0
    for layer in network.modules():
        if isinstance(layer, KerasLSTM):
            operations += 2 * minutes * (layer.kernel.numel() + layer.recurrent.numel())
        elif isinstance(layer, nn.Linear | SpanLinear):
            operations += 2 * layer.weight.numel()
    return operations


def _row(name: str, value: float, unit: str, against: str | None) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "against": against, "ratio": None, "runs": RUNS}
