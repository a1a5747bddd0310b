"""Hours of a monitor of many nodes: its memory over time, and how long after a minute's end an event has been sent.

    python -m benchmarks.soak --nodes 10000 --minutes 120 --speed 1 [--compact] [--state FILE|URL] --out soak.json 2> soak.log &

--speed 1 takes as long as the minutes do; without it they follow one another at once. All nodes are ready from the start, and
in every ten minutes two in a hundred begin an incident and end it (`crowd`). The file sink forces every line to the disk.

The JSON holds: `rss_mb`, resident memory after each minute; `slope_mb_per_hour`, of a straight line through its second half, in
hours of the minutes' own time; `bytes_per_node`, what the nodes added to the process, at most after any minute, beyond what a
monitor of a hundred needs; `rings_bytes_per_node`, the part of it that the monitor reports; `sent_seconds`, from the moment at
which a minute's rows are complete to the sink's receipt for an event that follows from it, which comes on top of
time.lateness_seconds; `judged_seconds`, from the same moment to the state on disk.
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

from benchmarks.many_nodes import Crowd, crowd
from faultprint.files import replacing
from faultprint.monitor.base.memory import trim_memory
from faultprint.monitor.state.connect import State, parse

_DRAIN_S = 600.0
_AIM = 10
_FEW = 100


def soak(
    folder: Path, nodes: int, minutes: int, speed: float | None, state: State | None, out: Path | None, compact: bool
) -> None:
    """Run it; the figures so far are in `out` after every minute, and printed at the end."""
    _warm_up(folder / "few", compact)
    rss_mb: list[float] = []
    judged: list[float] = []
    found: dict[str, Any] = {}
    before = _rss()
    with crowd(folder, nodes, state, compact=compact) as many:
        sent = _Sent(many)
        many.fill()
        for turn in range(minutes + 1):
            batch = many.batch(turn)
            begun = sent.begun = time.monotonic()
            many.take(batch)
            judged.append(time.monotonic() - begun)
            assert all(courier.drain(_DRAIN_S) for courier in many.monitor.workers)
            resident = _rss() / 1e6
            if turn % _AIM == 0:
                many.aim()  # takes memory of its own
            if turn == 0:  # nothing begins in this minute, so it counts for nothing
                continue
            rss_mb.append(resident)
            found = _figures(many, minutes, before / 1e6, rss_mb, judged[1:], sent.seconds)
            _keep(found, out)
            print(f"{turn} of {minutes} minutes, {rss_mb[-1]:.0f} MB", file=sys.stderr, flush=True)
            if speed:
                time.sleep(max(begun + 60 / speed - time.monotonic(), 0))
    print(json.dumps({name: value for name, value in found.items() if name != "rss_mb"}))


def _warm_up(folder: Path, compact: bool) -> None:
    """A monitor of few nodes, so that what is loaded and laid out once for any number of them is there."""
    folder.mkdir()
    with crowd(folder, _FEW, compact=compact) as few:
        few.fill()
        few.minute(0)
        few.aim()
        few.minute(1)
    trim_memory()


class _Sent:
    """Notes when each message has been received: seconds after `begun`."""

    def __init__(self, many: Crowd) -> None:
        self.begun = 0.0
        self.seconds: list[float] = []
        (courier,) = many.monitor.workers
        sender = courier.sink.sender
        send = sender.send

        def timed(message: Any) -> Any:
            receipt = send(message)
            self.seconds.append(time.monotonic() - self.begun)
            return receipt

        sender.send = timed  # type: ignore[method-assign]


def _rss() -> float:
    """Resident memory of this process, bytes."""
    (found,) = (one for one in ProcessCollector(registry=None).collect() if one.name == "process_resident_memory_bytes")
    return float(found.samples[0].value)


def _figures(
    many: Crowd, minutes: int, before_mb: float, rss_mb: Sequence[float], judged: Sequence[float], sent: Sequence[float]
) -> dict[str, Any]:
    half = np.array(rss_mb[len(rss_mb) // 2 :])
    slope = np.polyfit(np.arange(len(half)) / 60, half, 1)[0] if len(half) > 1 else float("nan")
    return {
        "nodes": many.nodes,
        "minutes": len(rss_mb),
        "of_minutes": minutes,
        "events": len(sent),
        "slope_mb_per_hour": round(float(slope), 3),
        "bytes_per_node": round((max(rss_mb) - before_mb) * 1e6 / many.nodes),
        "rings_bytes_per_node": round(many.monitor.window_buffer_bytes / many.nodes),
        "judged_seconds": _quantiles(judged),
        "sent_seconds": _quantiles(sent),
        "rss_mb": [round(one, 1) for one in rss_mb],
    }


def _quantiles(seconds: Sequence[float]) -> dict[str, float] | None:
    if not seconds:
        return None
    return {name: round(float(np.quantile(seconds, at)), 3) for name, at in (("p50", 0.5), ("p99", 0.99), ("most", 1))}


def _keep(found: Mapping[str, Any], out: Path | None) -> None:
    if out:
        with replacing(out) as temporary:
            temporary.write_text(json.dumps(found) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--minutes", type=int, default=120)
    parser.add_argument("--speed", type=float, help="times as fast as time; default: as fast as it goes")
    parser.add_argument(
        "--state", type=lambda text: parse(text, Path()), help="default: a file that is removed afterwards"
    )
    parser.add_argument("--compact", action="store_true", help="as nodes.compact")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        soak(Path(folder), given.nodes, given.minutes, given.speed, given.state, given.out, given.compact)


if __name__ == "__main__":
    main()
