"""A live monitor of many nodes, for benchmarks: all have a baseline and full buffers; simulated minutes on request.

Weights and references are random, which does not change the speed. In the minutes after `place_reference`, about one node
in a hundred starts an incident and ends it. After about twenty minutes all windows are alike, and the reference must be
placed again.
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
from faultprint.monitor.base.location import StateLocation
from faultprint.monitor.build import build_monitor
from faultprint.monitor.config.settings import NodeSettings, Settings
from faultprint.monitor.config.sinks import FileSinkSettings
from faultprint.monitor.ingest.files import ReplayClock
from faultprint.monitor.monitor import Monitor
from faultprint.windows.series import Series

MODEL, LIBRARY, VALUES = "model.faultprint", "cases.db", "values.npy"
"""Files that `crowd_material` makes."""
_FIRST = 29_000_000
_SMALL = 100


def prepare(folder: Path) -> None:
    """Make the files in another process, so that its memory is not counted here."""
    command = [sys.executable, "-m", "benchmarks.many_nodes_files", str(folder)]
    subprocess.run(command, cwd=Path(__file__).parents[1], check=True)


@contextmanager
def monitor_of_nodes(
    folder: Path, nodes: int, state: StateLocation | None = None, *, quantized: bool = False
) -> Iterator[MonitoredNodes]:
    """A monitor with a file sink and random references, its files in `folder`.

    `state`: another place for the state; `quantized`: as `nodes.quantized`.
    """
    prepare(folder)
    sink = FileSinkSettings("lines", folder / "lines.jsonl")
    settings = Settings(
        folder / MODEL,
        folder / LIBRARY,
        state or folder / "state.db",
        nodes=NodeSettings(max=nodes, confirm_minutes=1, quantized=quantized),
        sink=(sink,),
    )
    clock = ReplayClock()
    with build_monitor(settings, clock, lambda event, /, **fields: None) as monitor:
        yield MonitoredNodes(monitor, clock, _series(folder, monitor.model), nodes, quantized)


class MonitoredNodes:
    """Call `fill` first, then process minutes 0, 1, 2, … in order; call `place_reference` after any of them."""

    def __init__(self, monitor: Monitor, clock: ReplayClock, series: Series, nodes: int, quantized: bool) -> None:
        self.monitor, self.nodes = monitor, nodes
        self._quantized = quantized
        self._clock, self._series = clock, series

    def fill(self) -> None:
        """Give every node a baseline and full buffers, copied from a few nodes."""
        monitor, nodes = self.monitor, self.nodes
        normal = monitor.model.baseline(self._series.slice(0, 60))
        rows = monitor.nodes.index([f"node-{n}" for n in range(nodes)], ["network"] * nodes)
        monitor.nodes["baselined"][:] = 1
        encoder, small = monitor.scorer.encoder, StreamingEncoder(monitor.model, quantized=self._quantized)
        for each, number in ((encoder, nodes), (small, _SMALL)):
            each.add_slots(number)
            for slot in range(number):
                each.set_baseline(slot, normal)
        encoder.advance(_FIRST - 1)
        for minute in range(_FIRST - 60, _FIRST):
            small.advance(minute)
            _, step = small.step(np.arange(_SMALL), self._values(minute, _SMALL))
            for start in range(0, nodes, _SMALL):
                batch = rows[start : start + _SMALL]
                encoder.restore(minute, batch, step.codes[: len(batch)], step.values[: len(batch)])

    def place_reference(self) -> None:
        """Place a reference so that one window in a hundred is nearer to it than to normal."""
        monitor = self.monitor
        vectors = monitor.scorer.encoder.step(np.arange(self.nodes), self._values(0, self.nodes))[0].vectors
        direction = vectors.mean(axis=0) / np.linalg.norm(vectors.mean(axis=0))
        reference = (2 * np.quantile(vectors @ direction, 0.99) * direction).astype(np.float32)
        monitor.scorer.replace_references(Matcher(reference[None], ["near"]), monitor.scorer.rule, monitor.nodes)

    def minute(self, turn: int) -> float:
        """Processor seconds for one minute of all nodes: from its rows to the results on disk."""
        batch = self.batch(turn)
        begin = time.process_time()
        self.take(batch)
        seconds = time.process_time() - begin
        assert self.monitor.counters.minutes == turn + 1
        return seconds

    def batch(self, turn: int) -> Batch:
        """The rows of a minute, with the watermark that makes it final."""
        series, values = self._series, self._values(turn, self.nodes)
        start = (_FIRST + turn) * series.interval_us
        rows = pl.DataFrame(
            {
                "node": [f"node-{n}" for n in range(self.nodes)],
                "network": ["network"] * self.nodes,
                "minute": pl.Series(np.full(self.nodes, start)).cast(pl.Datetime("us", "UTC")),
                "observed": np.ones(self.nodes, np.float32),
                **{name: values[:, column] for column, name in enumerate(series.names)},
            }
        )
        return Batch(rows, start + 2 * series.interval_us)

    def take(self, batch: Batch) -> None:
        """Give it to the monitor."""
        assert batch.watermark_us is not None
        self._clock.time_us = batch.watermark_us
        self.monitor.process("bench", batch)

    def _values(self, seed: int, nodes: int) -> Float32Array:
        """(nodes, F) minutes of simulated traffic."""
        rows = np.random.default_rng(seed).integers(len(self._series), size=nodes)
        return self._series.values[rows]


def _series(folder: Path, model: Model) -> Series:
    values = np.load(folder / VALUES)
    observed = np.ones(len(values), np.bool_)
    return Series("node", "network", 0, model.manifest.interval_us, model.catalogue.names, values, observed)
