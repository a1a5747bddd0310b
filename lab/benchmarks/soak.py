"""Hours of a monitor of many nodes: its memory over time, and the delay from the end of a minute to a sent event.

    python -m benchmarks.soak --nodes 10000 --minutes 120 --speed 1 [--quantized] [--state FILE|URL] --out soak.json 2> soak.log &

With --speed 1 the run takes as long as the minutes; without it, minutes follow one another at once. All nodes have a
baseline from the start. In every ten minutes, two nodes in a hundred start an incident and end it (`many_nodes`). The file
sink writes every line to the disk.

The JSON holds:

- `rss_mb`: resident memory after each minute, in MB.
- `slope_mb_per_hour`: slope of a straight line through its second half, for hours of the minutes' own time.
- `bytes_per_node`: memory that the nodes added, at most after any minute, beyond a monitor of a hundred nodes.
- `rings_bytes_per_node`: the part of it that the monitor reports as window buffers.
- `sent_seconds`: from the moment when the rows of a minute are complete to the receipt for an event of that minute. The
  setting time.lateness_seconds comes on top.
- `judged_seconds`: from the same moment to the state on disk.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from prometheus_client import ProcessCollector

from benchmarks.many_nodes import MonitoredNodes, monitor_of_nodes
from faultprint.files import replacing
from faultprint.monitor.base.location import StateLocation, parse_location
from faultprint.monitor.base.memory import trim_memory

_DRAIN_S = 600.0
_REFERENCE_INTERVAL = 10
_WARM_UP_NODES = 100


def soak(
    folder: Path,
    nodes: int,
    minutes: int,
    speed: float | None,
    state: StateLocation | None,
    out: Path | None,
    quantized: bool,
) -> None:
    """Run it. The figures so far are in `out` after every minute, and printed at the end."""
    _warm_up(folder / "warm-up", quantized)
    rss_mb: list[float] = []
    judged: list[float] = []
    figures: dict[str, Any] = {}
    before = _rss()
    with monitor_of_nodes(folder, nodes, state, quantized=quantized) as monitored:
        sent = _Sent(monitored)
        monitored.fill()
        for turn in range(minutes + 1):
            batch = monitored.batch(turn)
            start = sent.start = time.monotonic()
            monitored.take(batch)
            judged.append(time.monotonic() - start)
            assert all(worker.drain(_DRAIN_S) for worker in monitored.monitor.workers)
            resident = _rss() / 1e6
            if turn % _REFERENCE_INTERVAL == 0:
                monitored.place_reference()  # needs memory itself
            if turn == 0:  # no incident starts in this minute, so it is not counted
                continue
            rss_mb.append(resident)
            figures = _figures(monitored, minutes, before / 1e6, rss_mb, judged[1:], sent.seconds)
            _write(figures, out)
            print(f"{turn} of {minutes} minutes, {rss_mb[-1]:.0f} MB", file=sys.stderr, flush=True)
            if speed:
                time.sleep(max(start + 60 / speed - time.monotonic(), 0))
    print(json.dumps({name: value for name, value in figures.items() if name != "rss_mb"}))


def _warm_up(folder: Path, quantized: bool) -> None:
    """Run a monitor of few nodes, so that everything that does not depend on the number of nodes is loaded."""
    folder.mkdir()
    with monitor_of_nodes(folder, _WARM_UP_NODES, quantized=quantized) as small:
        small.fill()
        small.minute(0)
        small.place_reference()
        small.minute(1)
    trim_memory()


class _Sent:
    """Records when each message was received, in seconds after `start`."""

    def __init__(self, monitored: MonitoredNodes) -> None:
        self.start = 0.0
        self.seconds: list[float] = []
        (worker,) = monitored.monitor.workers
        sender = worker.sink.sender
        send = sender.send

        def timed(message: Any) -> Any:
            receipt = send(message)
            self.seconds.append(time.monotonic() - self.start)
            return receipt

        sender.send = timed  # type: ignore[method-assign]


def _rss() -> float:
    """Resident memory of this process, bytes."""
    (metric,) = (
        each for each in ProcessCollector(registry=None).collect() if each.name == "process_resident_memory_bytes"
    )
    return float(metric.samples[0].value)


def _figures(
    monitored: MonitoredNodes,
    minutes: int,
    before_mb: float,
    rss_mb: Sequence[float],
    judged: Sequence[float],
    sent: Sequence[float],
) -> dict[str, Any]:
    half = np.array(rss_mb[len(rss_mb) // 2 :])
    slope = np.polyfit(np.arange(len(half)) / 60, half, 1)[0] if len(half) > 1 else float("nan")
    return {
        "nodes": monitored.nodes,
        "minutes": len(rss_mb),
        "of_minutes": minutes,
        "events": len(sent),
        "slope_mb_per_hour": round(float(slope), 3),
        "bytes_per_node": round((max(rss_mb) - before_mb) * 1e6 / monitored.nodes),
        "rings_bytes_per_node": round(monitored.monitor.window_buffer_bytes / monitored.nodes),
        "judged_seconds": _quantiles(judged),
        "sent_seconds": _quantiles(sent),
        "rss_mb": [round(value, 1) for value in rss_mb],
    }


def _quantiles(seconds: Sequence[float]) -> dict[str, float] | None:
    if not seconds:
        return None
    return {name: round(float(np.quantile(seconds, at)), 3) for name, at in (("p50", 0.5), ("p99", 0.99), ("most", 1))}


def _write(figures: Mapping[str, Any], out: Path | None) -> None:
    if out:
        with replacing(out) as temporary:
            temporary.write_text(json.dumps(figures) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--minutes", type=int, default=120)
    parser.add_argument("--speed", type=float, help="times as fast as time; default: as fast as it goes")
    parser.add_argument(
        "--state", type=lambda text: parse_location(text, Path()), help="default: a file that is removed afterwards"
    )
    parser.add_argument("--quantized", action="store_true", help="as nodes.quantized")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        soak(Path(folder), given.nodes, given.minutes, given.speed, given.state, given.out, given.quantized)


if __name__ == "__main__":
    main()
