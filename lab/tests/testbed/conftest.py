"""Shared by the tests of data sets: a small plan, and synthetic recorded episodes."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from faultprint import storage
from faultprint.tables import COVERAGE_KEY, LABELS, TRANSACTIONS
from faultprint_lab.testbed.faults.fault import FAULTS
from faultprint_lab.testbed.plan import RecordingPlan, parse

LENGTH = 180.0
PLAN = "seed = 3\n[networks.a]\n[networks.b]\n" + "".join(
    f'[[episodes]]\nnetwork = "{network}"\nname = "{network}{hour}"\nlength = {LENGTH}\nhour = {4 + hour * 0.05}\n'
    f'[[episodes.faults]]\nfault = "{fault}"\nstart = 60\nlength = 60\nseverity = 0.5\nrecovery = 30\n'
    for hour in range(2)
    for network, fault in (("a", "hss-slow"), ("b", "overload"))
)
S = 1_000_000


@pytest.fixture
def plan() -> RecordingPlan:
    """Two networks, two episodes of three minutes each."""
    return parse(PLAN, FAULTS)


@pytest.fixture
def make_episode() -> Callable[..., None]:
    """`make_episode(plan, raw, name, seconds=180.0)` creates the folder of an episode in `raw`."""
    return record


@pytest.fixture
def fill_episode() -> Callable[..., None]:
    """`fill_episode(plan, name, folder, seconds=180.0)` writes an episode into an existing folder."""
    return fill


def record(plan: RecordingPlan, raw: Path, name: str, *, seconds: float = LENGTH) -> None:
    """Create the folder of an episode in `raw`."""
    (raw / name).mkdir(parents=True)
    fill(plan, name, raw / name, seconds=seconds)


def fill(plan: RecordingPlan, name: str, folder: Path, *, seconds: float = LENGTH) -> None:
    """Write an episode: one OPTIONS a second from 10 s before the labels, and one INVITE that is open when they start."""
    episode = next(episode for episode in plan.episodes if episode.name == name)
    since = 1_790_000_000_123_457 + zlib.crc32(name.encode())
    end = since + round(seconds * S)
    node = f"{episode.network}-pcscf"
    starts = list(range(since - 10 * S + 500_000, end, S))
    count = len(starts)
    frame = pl.DataFrame(
        {
            "node": [node] * count,
            "network": [episode.network] * count,
            "interface": ["Gm"] * count,
            "direction": ["in"] * count,
            "protocol": ["SIP"] * count,
            "method": ["INVITE.originating"] + ["OPTIONS"] * (count - 1),
            "start": starts,
            "user": [1] * count,
            "dialog": [None] * count,
            "session_us": [None] * count,
            "provisional": [None] * count,
            "ringing": [None] * count,
            "completion": [since + 30 * S] + [start + 20_000 for start in starts[1:]],
            "status": [200] * count,
            "retransmissions": [0] * count,
            "response_retransmissions": [0] * count,
            "messages": [2] * count,
            "bytes": [100] * count,
        },
        schema=storage.schema(TRANSACTIONS),
    )
    coverage = json.dumps([[node, episode.network, since - 10 * S, end]])
    storage.write(frame, TRANSACTIONS, folder / "transactions.parquet", {COVERAGE_KEY: coverage})
    edges = [0, 60_010_000, 120_020_000, 150_000_000, round(seconds * S) - 40]
    rows = [
        (node, since + begin, since + end_of_label, condition, severity)
        for begin, end_of_label, condition, severity in zip(
            edges,
            edges[1:],
            ("normal", episode.faults[0].fault, "recovery", "normal"),
            (None, 0.5, None, None),
            strict=False,
        )
    ]
    labels = pl.DataFrame(rows, schema=storage.schema(LABELS), orient="row")
    storage.write(labels, LABELS, folder / "labels.parquet")
    report = {
        "episode": name, "network": episode.network, "seed": 5, "attempt": 1, "start_us": since, "end_us": end - 40,
        "registered_s": 1.0, "probe": {"messages": 2 * count, "skipped": {}}, "load": {"registered": 1},
        "machine": {"busy": 0.1, "stolen": 0.0, "stalled": 0.02, "load_15min": 1.0},
        "versions": {"kamailio": "5", "kernel": "Linux", "python": "3", "faultprint": "0"},
    }  # fmt: skip
    (folder / "report.json").write_text(json.dumps(report))
