"""Cached inference: a new minute of many nodes through encoder and matching, one thread; and how much of the core that uses.

A core's peak is measured beside it: single-precision products of 1,024 × 1,024 matrices. What an encoder multiplies is counted from
its layers; normalising, pooling and matching count as nothing, so that the share says what they cost.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from itertools import count
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.inference import untrained
from benchmarks.learning_material import simulated
from faultprint.cases.matching import Matcher
from faultprint.embedding.lanes import Lanes
from faultprint.embedding.model import Model
from faultprint.training.networks.pooled import SpanLinear
from faultprint.training.networks.posts import KerasLSTM
from faultprint.training.pooled_task import PooledTask
from faultprint.training.posts_task import PostsTask

RUNS = 5
NODES = 4_000
_REFERENCES = 13
_SIDE = 1_024
_POSTS_WINDOWS = 64


def run() -> list[dict[str, Any]]:
    """Rows inference.cached_nodes_per_minute, and the share of the peak of our graphs, of a whole step and of the posts' graph."""
    torch.manual_seed(1)
    torch.set_num_threads(1)
    material = simulated()
    ours, posts = (task(material, material, np.random.default_rng(1)) for task in (PooledTask, PostsTask))
    step, encode = _ours(Model(untrained(ours)))
    theirs = _theirs(Model(untrained(posts)))
    square = torch.rand(_SIDE, _SIDE)
    each = _seconds({"step": step, "encode": encode, "posts": theirs, "peak": lambda: square @ square})
    peak = 2 * _SIDE**3 / each["peak"]
    one, window = _operations(ours.network), _operations(posts.network, material.window)
    beside = f"peak {peak / 1e9:.0f} GFLOP/s"
    return [
        _row("inference.cached_nodes_per_minute", NODES * 60 / each["step"], "nodes/min", None),
        _row("inference.gemm_share", 100 * NODES * one / each["encode"] / peak, "%", beside),
        _row("inference.step_gemm_share", 100 * NODES * one / each["step"] / peak, "%", beside),
        _row("inference.posts_gemm_share", 100 * _POSTS_WINDOWS * window / each["posts"] / peak, "%", beside),
    ]


def _seconds(kinds: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """The median of RUNS turns, in which all take part."""
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for turn in range(RUNS + 1):
        for name, work in kinds.items():
            begin = time.perf_counter()
            work()
            if turn:  # the first turn warms up
                seconds[name].append(time.perf_counter() - begin)
    return {name: median(found) for name, found in seconds.items()}


def _ours(model: Model) -> tuple[Callable[[], object], Callable[[], object]]:
    """(a new minute of NODES nodes from values to matches, the two graphs alone on as many minutes)."""
    rng = np.random.default_rng(1)
    series = simulated().nodes[0].series
    normal = model.normal(series.part(0, model.window))
    lanes, every = Lanes(model), np.arange(NODES)
    lanes.add(NODES)
    for lane in range(NODES):
        lanes.teach(lane, normal)
    matcher = Matcher(
        rng.normal(size=(_REFERENCES, model.dimensions)).astype(np.float32), [*map(str, range(_REFERENCES))]
    )
    values = series.values[rng.integers(len(series), size=NODES)]

    numbers = count()

    def step() -> object:
        lanes.advance(next(numbers))
        return matcher.match(lanes.step(every, values)[0].vectors)

    for _ in range(model.window):
        step()
    inputs = rng.normal(size=(NODES, 2 * len(model.catalogue) * len(model.manifest.spans))).astype(np.float32)
    pooled = np.tile(model.encode(inputs), 3)
    chunks = [slice(start, start + 128) for start in range(0, NODES, 128)]

    def graphs() -> object:
        return [(model.encode(inputs[chunk]), model.head(pooled[chunk])) for chunk in chunks]

    return step, graphs


def _theirs(model: Model) -> Callable[[], object]:
    series = simulated().nodes[0].series
    ends = np.arange(model.window, model.window + _POSTS_WINDOWS)
    profile = simulated().nodes[0].whole
    return lambda: model.embed(series, profile, ends=ends)


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
