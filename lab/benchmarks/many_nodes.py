"""A live monitor of many nodes, for benchmarks: all are ready, their rings full; minutes of simulated traffic at will.

Weights and references are random, which changes no time. In the minutes after `aim` about one node in a hundred begins
an incident, and ends it; after some twenty the windows are all alike, and it must be aimed anew.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl

from faultprint.arrays import Float32Array
from faultprint.cases.matching import Matcher
from faultprint.embedding.model import Model
from faultprint.embedding.streaming import StreamingEncoder
from faultprint.monitor.base.interfaces import Batch
from faultprint.monitor.build import build_monitor
from faultprint.monitor.config.settings import NodeSettings, Settings, SinkKind, SinkSettings
from faultprint.monitor.ingest.files import ReplayClock
from faultprint.monitor.monitor import Monitor
from faultprint.monitor.state.connect import State
from faultprint.windows.series import Series

MODEL, LIBRARY, VALUES = "model.faultprint", "cases.db", "values.npy"
"""Files that `crowd_material` makes."""
_FIRST = 29_000_000
_FEW = 100


def prepare(folder: Path) -> None:
    """Make the files; what that takes is not this process's."""
    command = [sys.executable, "-m", "benchmarks.many_nodes_files", str(folder)]
    subprocess.run(command, cwd=Path(__file__).parents[1], check=True)


@contextmanager
def crowd(folder: Path, nodes: int, state: State | None = None, *, compact: bool = False) -> Iterator[Crowd]:
    """A monitor with a file sink and a library of random references, its files in `folder`; `state`: elsewhere; `compact`:
    as `nodes.compact`."""
    prepare(folder)
    sink = SinkSettings("lines", SinkKind.FILE, folder / "lines.jsonl")
    settings = Settings(
        folder / MODEL,
        folder / LIBRARY,
        state or folder / "state.db",
        nodes=NodeSettings(most=nodes, persistence=1, compact=compact),
        sink=(sink,),
    )
    clock = ReplayClock()
    with build_monitor(settings, clock, lambda event, /, **fields: None) as monitor:
        yield Crowd(monitor, clock, _series(folder, monitor.model), nodes, compact)


class Crowd:
    """`fill` first, then minutes 0, 1, 2, … in order; `aim` after any of them."""

    def __init__(self, monitor: Monitor, clock: ReplayClock, series: Series, nodes: int, compact: bool) -> None:
        self.monitor, self.nodes = monitor, nodes
        self._compact = compact
        self._clock, self._series = clock, series

    def fill(self) -> None:
        """Let every node be known and ready, with full rings: those of a few, again and again."""
        monitor, nodes = self.monitor, self.nodes
        normal = monitor.model.baseline(self._series.part(0, 60))
        every = monitor.nodes.index([f"node-{n}" for n in range(nodes)], ["network"] * nodes)
        monitor.nodes["ready"][:] = 1
        lanes, few = monitor.scorer.lanes, StreamingEncoder(monitor.model, compact=self._compact)
        for some, number in ((lanes, nodes), (few, _FEW)):
            some.add(number)
            for lane in range(number):
                some.teach(lane, normal)
        lanes.advance(_FIRST - 1)
        for minute in range(_FIRST - 60, _FIRST):
            few.advance(minute)
            _, trace = few.step(np.arange(_FEW), self._values(minute, _FEW))
            for start in range(0, nodes, _FEW):
                some = every[start : start + _FEW]
                lanes.restore(minute, some, trace.codes[: len(some)], trace.scaled[: len(some)])

    def aim(self) -> None:
        """Put a reference where one window in a hundred is nearer to it than to normal."""
        monitor = self.monitor
        vectors = monitor.scorer.lanes.step(np.arange(self.nodes), self._values(0, self.nodes))[0].vectors
        towards = vectors.mean(axis=0) / np.linalg.norm(vectors.mean(axis=0))
        reference = (2 * np.quantile(vectors @ towards, 0.99) * towards).astype(np.float32)
        monitor.scorer.exchange(Matcher(reference[None], ["near"]), monitor.scorer.rule, monitor.nodes)

    def minute(self, turn: int) -> float:
        """Seconds of processor time for one minute of all nodes: from its rows to all that follows from them, on disk."""
        batch = self.batch(turn)
        begin = time.process_time()
        self.take(batch)
        taken = time.process_time() - begin
        assert self.monitor.counters.minutes == turn + 1
        return taken

    def batch(self, turn: int) -> Batch:
        """The rows of a minute, with the promise that makes it final."""
        series, values = self._series, self._values(turn, self.nodes)
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
        self.monitor.process("bench", batch)

    def _values(self, seed: int, nodes: int) -> Float32Array:
        """(nodes, F) minutes of simulated traffic."""
        found = np.random.default_rng(seed).integers(len(self._series), size=nodes)
        return self._series.values[found]


def _series(folder: Path, model: Model) -> Series:
    values = np.load(folder / VALUES)
    everything = np.ones(len(values), np.bool_)
    return Series("node", "network", 0, model.manifest.interval_us, model.catalogue.names, values, everything)
