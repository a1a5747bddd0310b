"""A live monitor of many nodes, for benchmarks: all are ready, their rings full; minutes of simulated traffic at will.

Weights, values and references are random, which changes no time. In the minutes after `aim` about one node in a hundred begins
an incident, and ends it; after some twenty the windows are all alike, and it must be aimed anew.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

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
from faultprint.monitor.state import State
from faultprint.monitor.watch import Monitor
from faultprint.training.pooled_task import PooledTask
from faultprint.windows.levels import scaled

_FIRST = 29_000_000
_REFERENCES = 50


@contextmanager
def crowd(folder: Path, nodes: int, state: State | None = None) -> Iterator[Crowd]:
    """A monitor with a file sink and a library of random references, its files in `folder`; `state`: elsewhere."""
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
        state or folder / "state.db",
        nodes=NodeSettings(most=nodes, persistence=1),
        sink=(sink,),
    )
    clock = ReplayClock()
    with assembled(settings, clock, lambda event, /, **fields: None) as monitor:
        yield Crowd(monitor, clock, nodes)


class Crowd:
    """`fill` first, then minutes 0, 1, 2, … in order; `aim` after any of them."""

    def __init__(self, monitor: Monitor, clock: ReplayClock, nodes: int) -> None:
        self.monitor, self.nodes = monitor, nodes
        self._clock = clock
        self._series = simulated().nodes[0].series

    def fill(self) -> None:
        """Let every node be known and ready, with full rings."""
        monitor, nodes = self.monitor, self.nodes
        normal = monitor.model.normal(self._series.part(0, 60))
        rng = np.random.default_rng(3)
        every = monitor.nodes.index([f"node-{n}" for n in range(nodes)], ["network"] * nodes)
        monitor.nodes["ready"][:] = 1
        lanes = monitor.judge.lanes
        lanes.add(nodes)
        for lane in range(nodes):
            lanes.teach(lane, normal)
        lanes.advance(_FIRST - 1)
        values = np.repeat(scaled(self._series.values[:1], monitor.model.kinds), nodes, axis=0)
        for minute in range(_FIRST - 60, _FIRST):
            codes = np.abs(rng.normal(size=(nodes, *lanes.code_shape))).astype(lanes.code_type)
            lanes.restore(minute, every, codes, values)

    def aim(self) -> None:
        """Put a reference where one window in a hundred is nearer to it than to normal."""
        monitor = self.monitor
        vectors = monitor.judge.lanes.step(np.arange(self.nodes), self._values(0))[0].vectors
        towards = vectors.mean(axis=0) / np.linalg.norm(vectors.mean(axis=0))
        reference = (2 * np.quantile(vectors @ towards, 0.99) * towards).astype(np.float32)
        monitor.judge.exchange(Matcher(reference[None], ["near"]), monitor.judge.rule, monitor.nodes)

    def minute(self, turn: int) -> float:
        """Seconds of processor time for one minute of all nodes: from its rows to all that follows from them, on disk."""
        batch = self.batch(turn)
        begin = time.process_time()
        self.take(batch)
        taken = time.process_time() - begin
        assert self.monitor.tallies.minutes == turn + 1
        return taken

    def batch(self, turn: int) -> Batch:
        """The rows of a minute, with the promise that makes it final."""
        series, values = self._series, self._values(turn)
        start = (_FIRST + turn) * series.interval_us
        rows = pl.DataFrame(
            {
                "node": [f"node-{n}" for n in range(self.nodes)],
                "network": ["network"] * self.nodes,
                "minute": pl.Series(np.full(self.nodes, start)).cast(pl.Datetime("us", "UTC")),
                "observed": np.ones(self.nodes, np.float32),
                **{name: values[:, at] for at, name in enumerate(series.names)},
            }
        )
        return Batch(rows, start + 2 * series.interval_us)

    def take(self, batch: Batch) -> None:
        """Hand it to the monitor."""
        assert batch.complete_us is not None
        self._clock.time_us = batch.complete_us
        self.monitor.take("bench", batch)

    def _values(self, turn: int) -> npt.NDArray[np.float32]:
        """(nodes, F) minutes of simulated traffic."""
        found = np.random.default_rng(turn).integers(len(self._series), size=self.nodes)
        return self._series.values[found]


def _references(model: Model) -> list[Reference]:
    rng, stretch = np.random.default_rng(2), (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
    return [
        Reference(f"fault-{n % 10}", vector, model.id, "node", "network", *stretch, 1, stretch[1])
        for n, vector in enumerate(rng.normal(size=(_REFERENCES, model.dimensions)).astype(np.float32))
    ]
