"""The live monitor on one core: minutes of many nodes in; verdicts, incidents and the state on disk out (`crowd`)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.crowd import crowd

RUNS = 5
NODES = 4_000


def run() -> list[dict[str, Any]]:
    """The rows monitor.nodes_per_minute and monitor.bytes_per_node."""
    with tempfile.TemporaryDirectory() as folder, crowd(Path(folder), NODES) as many:
        many.fill()
        before = many.monitor.rings_bytes
        many.minute(0)
        many.aim()
        seconds = [many.minute(turn) for turn in range(1, RUNS + 1)]
        onsets = many.monitor.tallies.changes["onset"] / RUNS / NODES
        assert 0.001 < onsets < 0.1, f"{onsets:.2%} of the nodes begin an incident in a minute"
    return [
        _row("monitor.nodes_per_minute", NODES * 60 / median(seconds), "nodes/min"),
        _row("monitor.bytes_per_node", before / NODES, "byte"),
    ]


def _row(name: str, value: float, unit: str) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "against": None, "ratio": None, "runs": RUNS}
