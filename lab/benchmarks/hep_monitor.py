"""From HEP to verdicts: `faultprint monitor` receives the calls and registrations of several nodes over loopback.

All nodes have a baseline from the start. Time runs SPEED times as fast for the monitor and for the sender, because a stamp far
from its arrival is not believed. The sender waits while the socket's buffer is full, and no message may be lost there. The
figure is messages per second of processor time of the monitor, all threads, user and system.
"""

from __future__ import annotations

import heapq
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

import numpy as np
import polars as pl

from benchmarks.many_nodes import LIBRARY, MODEL, VALUES, prepare
from benchmarks.probe import Event, Traffic
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.features.minutes import write_minutes
from faultprint.probe.capture.hep import SIP, HepPacket, encode
from faultprint.units import MINUTE_US

_PLAIN_CODE = "from faultprint.cli import main; main()"
NODES = 4
MINUTES = 3
_HISTORY = 70
SPEED = 20
LEAD_S = 60
"""Fast seconds from the start of the monitor to the first message."""
_CODE = f"""
import os, time
begin, first, real = int(os.environ["BENCH_BEGIN"]), int(os.environ["BENCH_FIRST"]), time.time_ns
time.time_ns = lambda: first + (real() - begin) * {SPEED}
from faultprint.cli import main
main()
"""
_CHECK_INTERVAL = 100
_MAX_BUFFERED = 100_000
"""Bytes in the socket's buffer at which the sender waits: half of the default of Linux."""


def run() -> list[dict[str, Any]]:
    """The row monitor.hep_messages_per_s."""
    with tempfile.TemporaryDirectory() as folder:
        messages, seconds = _measure(Path(folder))
    row = {"name": "monitor.hep_messages_per_s", "value": messages / seconds, "unit": "messages/s"}
    return [row | {"against": None, "ratio": None, "runs": 1}]


def _measure(folder: Path) -> tuple[int, float]:
    """The number of messages, and the processor seconds for them."""
    prepare(folder)
    first_us = (time.time_ns() // 1000 // MINUTE_US + 2) * MINUTE_US
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    _configure(folder, port)
    _prepare_state(folder, first_us)
    begin = time.time_ns()
    os.environ |= {"BENCH_BEGIN": str(begin), "BENCH_FIRST": str(first_us * 1000)}
    with (folder / "log").open("w+") as log:
        process = _start(folder, log, "monitor", "--json")
        try:
            while "started" not in (folder / "log").read_text():
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.05)
            before = _processor_seconds(process.pid)
            messages = _send(port, first_us / 1e6, begin / 1e9)
            seconds = _processor_seconds(process.pid) - before
            process.terminate()
            result = json.loads(process.communicate(timeout=60)[0])
        finally:
            process.kill()
    assert result["nodes"] == NODES and result["minutes"] >= MINUTES and not result["refused_rows"], result
    assert "warming-up" not in result["verdicts"], result
    assert sum(result["verdicts"].values()) >= NODES * MINUTES, result
    return messages, seconds


def _address(node: int) -> str:
    return f"10.0.0.{node + 1}"


def _configure(folder: Path, port: int) -> None:
    nodes = json.dumps([f"node-{node}={_address(node)}" for node in range(NODES)])
    (folder / "monitor.toml").write_text(
        f'model = "{MODEL}"\nlibrary = "{LIBRARY}"\nstate = "state.db"\n'
        f'[probe]\nnodes = {nodes}\nhep = ["127.0.0.1:{port}"]\nkey_file = "key"\n'
        '[http]\nport = 0\n[[sink]]\nname = "lines"\nkind = "file"\npath = "lines.jsonl"\n'
    )


def _prepare_state(folder: Path, first_us: int) -> None:
    """Write a state with the baselines of all nodes and the hour before the first minute."""
    values = np.load(folder / VALUES)[: NODES * _HISTORY]
    start = pl.from_epoch(pl.Series([first_us]), time_unit="us")[0] - timedelta(minutes=_HISTORY)
    rows = pl.DataFrame(
        {
            "node": np.repeat([f"node-{node}" for node in range(NODES)], _HISTORY),
            "network": "network",
            "minute": [start + timedelta(minutes=minute) for minute in range(_HISTORY)] * NODES,
            "observed": np.ones(len(values), np.float32),
        }
        | {name: values[:, at] for at, name in enumerate(SIP_CATALOGUE.names)}
    )
    rows = rows.with_columns(pl.col("minute").dt.replace_time_zone("UTC"), pl.col(SIP_CATALOGUE.names).fill_nan(None))
    write_minutes(rows, folder / "minutes.parquet")
    with (folder / "log").open("w") as log:
        arguments = ("replay", "minutes.parquet", "--state", "state.db", "--json")
        assert _start(folder, log, *arguments).wait() == 0, (folder / "log").read_text()


def _start(folder: Path, log: IO[str], verb: str, *words: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-c",
        _CODE if verb == "monitor" else _PLAIN_CODE,
        verb,
        *words,
        "--config",
        "monitor.toml",
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)


def _send(port: int, first: float, begin: float) -> int:
    """Send all messages of the minutes when they are due; wait until the monitor has read all and finished the minutes.

    `first` (s): the time of the fast clock at the time `begin` (s) of the machine's.
    """
    start = first + LEAD_S
    end = start + 60 * MINUTES
    sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as agent:
        agent.connect(("127.0.0.1", port))
        for event in _events(start, end):
            while (early := event[0] - first - (time.time() - begin) * SPEED) > 0:
                time.sleep(early / SPEED)
            agent.send(_datagram(event))
            sent += 1
            if sent % _CHECK_INTERVAL == 0:
                _wait(port, _MAX_BUFFERED)
        _wait(port, 0)
    time.sleep(60 / SPEED)
    return sent


def _events(start: float, end: float) -> Iterator[Event]:
    """The messages of all nodes, by time."""
    streams = [_by_time(Traffic(node, _address(node), start), end) for node in range(NODES)]
    return heapq.merge(*streams, key=lambda event: event[0])


def _by_time(traffic: Traffic, end: float) -> Iterator[Event]:
    waiting: list[Event] = []
    for procedure in traffic.events(sys.maxsize):
        now = procedure[0][0]
        while waiting and waiting[0][0] < min(now, end):
            yield heapq.heappop(waiting)
        if now >= end:
            return
        for event in procedure:
            heapq.heappush(waiting, event)


def _datagram(event: Event) -> bytes:
    at, source, target, payload = event
    return encode(
        HepPacket(int(at * 1e6), socket.inet_aton(source), socket.inet_aton(target), 5060, 5060, SIP, payload)
    )


def _wait(port: int, most: int) -> None:
    """Wait until at most `most` bytes are in the socket's buffer. No message may have been lost there."""
    mine = f"0100007F:{port:04X}"
    while True:
        rows = (line.split() for line in Path("/proc/net/udp").read_text().splitlines())
        row = next(row for row in rows if row[1] == mine)
        assert row[-1] == "0", f"{row[-1]} messages were lost"
        if int(row[4].partition(":")[2], 16) <= most:
            return
        time.sleep(0.002)


def _processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
