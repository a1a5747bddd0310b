"""The live monitor on one core: minutes of many nodes in; verdicts, incidents and the state on disk out (`crowd`)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.many_nodes import monitor_of_nodes

RUNS = 5
NODES = 4_000


def run() -> list[dict[str, Any]]:
    """The rows monitor.nodes_per_minute and monitor.bytes_per_node, and the same with quantised buffers."""
    rows = []
    for prefix, quantized in (("monitor.", False), ("monitor.compact_", True)):
        seconds, size = _measured(quantized)
        rows.append(_row(prefix + "nodes_per_minute", NODES * 60 / seconds, "nodes/min"))
        rows.append(_row(prefix + "bytes_per_node", size, "byte"))
    return rows


def _measured(quantized: bool) -> tuple[float, float]:
    """Processor seconds of a minute, and bytes of a node's rings."""
    with (
        tempfile.TemporaryDirectory() as folder,
        monitor_of_nodes(Path(folder), NODES, quantized=quantized) as monitored,
    ):
        monitored.fill()
        size = monitored.monitor.window_buffer_bytes / NODES
        monitored.minute(0)
        monitored.place_reference()
        seconds = [monitored.minute(turn) for turn in range(1, RUNS + 1)]
        onsets = monitored.monitor.counters.changes["onset"] / RUNS / NODES
        assert 0.001 < onsets < 0.1, f"{onsets:.2%} of the nodes begin an incident in a minute"
    return median(seconds), size


def _row(name: str, value: float, unit: str) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "against": None, "ratio": None, "runs": RUNS}
