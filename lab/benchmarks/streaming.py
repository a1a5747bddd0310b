"""Cached inference: a new minute of many nodes through encoder and matching, one thread; and how much of the core that uses.

A core's peak is measured beside it: single-precision products of 1,024 × 1,024 matrices. What an encoder multiplies is counted from
its layers; normalising, pooling and matching count as nothing, so that the share says what they cost.
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
_AT_ONCE = 128
"""Rows that the graphs are given, as lanes give them."""
_SIDE = 1_024
_POSTS_WINDOWS = 64


def run() -> list[dict[str, Any]]:
    """Rows inference.cached_nodes_per_minute, and the share of the peak of our graphs, of a whole step and of the posts' graph."""
    torch.manual_seed(1)
    torch.set_num_threads(1)
    material = simulated()
    ours, posts = (task(material, material, np.random.default_rng(1)) for task in (PooledTask, ReferenceTask))
    step, encode = _ours(Model(untrained(ours)))
    theirs = _theirs(Model(untrained(posts)))
    square = torch.rand(_SIDE, _SIDE)

    def product() -> int:
        square @ square
        return 2 * _SIDE**3

    rate = rates({"step": step, "encode": encode, "posts": theirs, "peak": product})
    peak = rate["peak"]
    one, window = _operations(ours.network), _operations(posts.network, material.window)
    beside = f"peak {peak / 1e9:.0f} GFLOP/s"
    return [
        _row("inference.cached_nodes_per_minute", 60 * rate["step"], "nodes/min", None),
        _row("inference.gemm_share", 100 * one * rate["encode"] / peak, "%", beside),
        _row("inference.step_gemm_share", 100 * one * rate["step"] / peak, "%", beside),
        _row("inference.posts_gemm_share", 100 * window * rate["posts"] / peak, "%", beside),
    ]


def _ours(model: Model) -> tuple[Callable[[], int], Callable[[], int]]:
    """(a new minute of NODES nodes from values to matches, the two graphs alone on as many minutes)."""
    rng = np.random.default_rng(1)
    series = simulated().nodes[0].series
    normal = model.baseline(series.part(0, model.window))
    lanes, every = StreamingEncoder(model), np.arange(NODES)
    lanes.add(NODES)
    for lane in range(NODES):
        lanes.teach(lane, normal)
    matcher = Matcher(
        rng.normal(size=(_REFERENCES, model.dimensions)).astype(np.float32), [*map(str, range(_REFERENCES))]
    )
    values = series.values[rng.integers(len(series), size=NODES)]
    numbers = count()

    def step() -> int:
        lanes.advance(next(numbers))
        matcher.match(lanes.step(every, values)[0].vectors)
        return NODES

    for _ in range(model.window):
        step()
    inputs = rng.normal(size=(NODES, 2 * len(model.catalogue) * len(model.manifest.spans))).astype(np.float32)
    pooled = np.tile(model.encode(inputs), 3)

    def graphs() -> int:
        for start in range(0, NODES, _AT_ONCE):
            model.encode(inputs[start : start + _AT_ONCE])
            model.head(pooled[start : start + _AT_ONCE])
        return NODES

    return step, graphs


def _theirs(model: Model) -> Callable[[], int]:
    node = simulated().nodes[0]
    ends = np.arange(model.window, model.window + _POSTS_WINDOWS)
    return lambda: len(model.embed(node.series, node.whole, ends=ends))


def _operations(network: nn.Module, minutes: int = 1) -> int:
    """Multiplications and additions for a vector; recurrent layers run once a minute of the window."""
    found = 0
    for layer in network.modules():
        if isinstance(layer, KerasLSTM):
            found += 2 * minutes * (layer.kernel.numel() + layer.recurrent.numel())
        elif isinstance(layer, nn.Linear | SpanLinear):
            found += 2 * layer.weight.numel()
    return found


def _row(name: str, value: float, unit: str, against: str | None) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "against": against, "ratio": None, "runs": RUNS}
