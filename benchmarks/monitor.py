"""The live monitor on one core: minutes of many nodes in; verdicts, incidents and the state on disk out.

Weights, values and references are random, which changes no time. Every node is ready, its rings are full, and in every minute
about one node in a hundred begins an incident, and one ends.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

from benchmarks.inference import untrained
from benchmarks.learning_material import simulated
from faultprint.cases.library import Library
from faultprint.cases.matching import Matcher
from faultprint.cases.reference import Reference
from faultprint.embedding.artefact import save
from faultprint.embedding.model import Model, load
from faultprint.monitor.assembly import assembled
from faultprint.monitor.files import ReplayClock
from faultprint.monitor.ports import Batch
from faultprint.monitor.settings import NodeSettings, Settings, SinkKind, SinkSettings
from faultprint.monitor.watch import Monitor
from faultprint.training.pooled_task import PooledTask
from faultprint.windows.levels import scaled

RUNS = 5
NODES = 4_000
_FIRST = 29_000_000
_REFERENCES = 50


def run() -> list[dict[str, Any]]:
    """The rows monitor.nodes_per_minute and monitor.bytes_per_node."""
    with tempfile.TemporaryDirectory() as folder, _monitor(Path(folder)) as monitor:
        _fill(monitor)
        before = monitor.rings_bytes
        _minute(monitor, 0)
        _aim(monitor)
        seconds = [_minute(monitor, turn) for turn in range(1, RUNS + 1)]
        onsets = monitor.tallies.changes["onset"] / RUNS / NODES
        assert 0.001 < onsets < 0.1, f"{onsets:.2%} of the nodes begin an incident in a minute"
    return [
        _row("monitor.nodes_per_minute", NODES * 60 / median(seconds), "nodes/min"),
        _row("monitor.bytes_per_node", before / NODES, "byte"),
    ]


def _row(name: str, value: float, unit: str) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "against": None, "ratio": None, "runs": RUNS}


@contextmanager
def _monitor(folder: Path) -> Iterator[Monitor]:
    """A monitor with a file sink and a state file, and a library of random references."""
    torch.manual_seed(1)
    material = simulated()
    save(untrained(PooledTask(material, material, np.random.default_rng(1))), folder / "model.faultprint")
    model = load(folder / "model.faultprint")
    with Library.open(folder / "cases.db", create=True) as library:
        library.add(_references(model))
    sink = SinkSettings("lines", SinkKind.FILE, folder / "lines.jsonl")
    settings = Settings(
        folder / "model.faultprint",
        folder / "cases.db",
        folder / "state.db",
        nodes=NodeSettings(most=NODES, persistence=1),
        sink=(sink,),
    )
    with assembled(settings, ReplayClock(), lambda event, /, **fields: None) as monitor:
        yield monitor


def _references(model: Model) -> list[Reference]:
    rng, stretch = np.random.default_rng(2), (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    return [
        Reference(f"fault-{n % 10}", vector, model.id, "node", "network", *stretch, 1, stretch[1])
        for n, vector in enumerate(rng.normal(size=(_REFERENCES, model.dimensions)).astype(np.float32))
    ]


def _fill(monitor: Monitor) -> None:
    """Let every node be known and ready, with full rings."""
    series = simulated().nodes[0].series
    normal = monitor.model.normal(series.part(0, 60))
    rng = np.random.default_rng(3)
    every = monitor.nodes.index([f"node-{n}" for n in range(NODES)], ["network"] * NODES)
    monitor.nodes["ready"][:] = 1
    lanes = monitor.judge.lanes
    lanes.add(NODES)
    for lane in range(NODES):
        lanes.teach(lane, normal)
    lanes.advance(_FIRST - 1)
    values = np.repeat(scaled(series.values[:1], monitor.model.kinds), NODES, axis=0)
    for minute in range(_FIRST - 60, _FIRST):
        codes = np.abs(rng.normal(size=(NODES, *lanes.code_shape))).astype(lanes.code_type)
        lanes.restore(minute, every, codes, values)


def _aim(monitor: Monitor) -> None:
    """Put a reference where one window in a hundred is nearer to it than to normal."""
    lanes, every = monitor.judge.lanes, np.arange(NODES)
    vectors = lanes.step(every, _values(0))[0].vectors
    towards = vectors.mean(axis=0) / np.linalg.norm(vectors.mean(axis=0))
    reference = (2 * np.quantile(vectors @ towards, 0.99) * towards).astype(np.float32)
    monitor.judge.exchange(Matcher(reference[None], ["near"]), monitor.judge.rule, monitor.nodes)


def _values(turn: int) -> npt.NDArray[np.float32]:
    """(NODES, F) minutes of simulated traffic."""
    series = simulated().nodes[0].series
    return series.values[np.random.default_rng(turn).integers(len(series), size=NODES)]


def _minute(monitor: Monitor, turn: int) -> float:
    """Seconds of processor time for one minute of all nodes: from its rows to all that follows from them, on disk."""
    series = simulated().nodes[0].series
    values, start = _values(turn), (_FIRST + turn) * series.interval_us
    rows = pl.DataFrame(
        {
            "node": [f"node-{n}" for n in range(NODES)],
            "network": ["network"] * NODES,
            "minute": pl.Series(np.full(NODES, start)).cast(pl.Datetime("us", "UTC")),
            "observed": np.ones(NODES, np.float32),
            **{name: values[:, at] for at, name in enumerate(series.names)},
        }
    )
    monitor.clock.time_us = start + 2 * series.interval_us  # type: ignore[attr-defined]
    begin = time.process_time()
    monitor.take("bench", Batch(rows, start + 2 * series.interval_us))
    taken = time.process_time() - begin
    assert monitor.tallies.minutes == turn + 1
    return taken
