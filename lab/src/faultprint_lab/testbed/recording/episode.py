"""One episode: a fresh bed, its subscribers switched on, its faults struck, its transactions and labels written."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from faultprint import storage
from faultprint.errors import UsageError
from faultprint.probe.capture.live import DROPPED
from faultprint.probe.privacy import key as keys
from faultprint.tables import LABELS
from faultprint_lab.testbed.faults.injector import FaultInterval, Injector, now_us
from faultprint_lab.testbed.plan import PlannedEpisode, TestbedPlan
from faultprint_lab.testbed.recording.recording import Recording
from faultprint_lab.testbed.topology.bed import Bed, down, up
from faultprint_lab.testbed.topology.machine import MachineLoad, versions

REGISTRATIONS_PER_S: Final = 250.0
"""How fast all handsets are switched on at first."""
GENTLE_PER_S: Final = 80.0
"""The same beside many other beds, which must not notice."""
TRANSACTIONS: Final = "transactions.parquet"
LABELLED: Final = "labels.parquet"
REPORT: Final = "report.json"


class Stopped(Exception):
    """The run was told to end."""


@dataclass(slots=True)
class Control:
    """What the episodes of one run share: `stop` ends them, `starting` lets one bed start at a time (many at once would
    overload each other), `passed` is told of seconds recorded. With `keep_settling` the transactions begin as early as
    the settling, so that what is open when the labels begin is known; handsets are switched on at `per_second`."""

    passed: Callable[[float], None] = lambda _: None
    keep_packets: bool = False
    keep_settling: bool = False
    per_second: float = REGISTRATIONS_PER_S
    stop: threading.Event = field(default_factory=threading.Event)
    starting: threading.Lock = field(default_factory=threading.Lock)

    def sleep(self, seconds: float) -> None:
        """Raises Stopped as soon as the run is told to end."""
        if self.stop.wait(seconds):
            raise Stopped


def record(plan: TestbedPlan, number: int, folder: Path, control: Control, attempt: int = 1) -> None:
    """Episode `number` of the plan; `folder` appears when it is complete, and never in part.

    Raises UsageError when the bed does not start, a part of it dies or the probe loses a packet, Stopped when the run is
    told to end.
    """
    making = folder.with_name(f".{folder.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    try:
        _record(plan, number, making, control, attempt)
        making.replace(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _record(plan: TestbedPlan, number: int, folder: Path, control: Control, attempt: int) -> None:
    episode = plan.episodes[number]
    network = plan.networks[episode.network]
    seed = int(np.random.SeedSequence([plan.seed, number]).generate_state(1)[0])
    node = node_name(episode.network)
    bed: Bed | None = None
    try:
        with control.starting:
            begun = time.monotonic()
            bed = up(network, seed, tied=True)
            up_after = time.monotonic() - begun
            key = np.random.default_rng(np.random.SeedSequence([seed, 3])).bytes(keys.KEY_BYTES)
            recording = Recording(bed, node=node, key=key, packets=control.keep_packets)
            recording.start()
            registered_after = _populate(bed, control)
        gauge = MachineLoad()
        bed.order("load", {"live": episode.hour * 3600 * network.load.day_length / 86_400})
        settling = now_us()
        control.sleep(episode.settle)
        labels = _strike(bed, episode, seed, control)
        machine = gauge.read()
        since = settling if control.keep_settling else labels[0].start
        probed = recording.stop(folder / TRANSACTIONS, since=since, until=labels[-1].end)
        if lost := probed["skipped"].get(DROPPED, 0):
            raise UsageError(f"The probe lost {lost} packets in {episode.name}; run fewer beds side by side.")
        _write_labels(labels, node, folder / LABELLED)
        report = {
            "episode": episode.name,
            "network": episode.network,
            "seed": seed,
            "attempt": attempt,
            "start_us": labels[0].start,
            "end_us": labels[-1].end,
            "up_s": round(up_after, 2),
            "registered_s": round(registered_after, 2),
            "probe": probed,
            "load": bed.order("load", {}),
            "machine": machine,
            "versions": versions(),
        }
        (folder / REPORT).write_text(json.dumps(report, indent=1))
    finally:
        if bed is not None:
            down(bed.name)


def node_name(network: str) -> str:
    """The node of a network that is recorded."""
    return f"{network}-pcscf"


def _populate(bed: Bed, control: Control) -> float:
    """Switch every handset on and wait until all are registered; seconds that it took."""
    size, pace = bed.network.subscribers, control.per_second
    begun = time.monotonic()
    bed.order("load", {"switch_on": size / pace})
    deadline = begun + 60 + 4 * size / pace
    while bed.order("load", {})["registered"] < size:
        if time.monotonic() > deadline:
            raise UsageError(f"The test bed did not register {size} subscribers in time; is this machine overloaded?")
        control.sleep(0.1)
    return time.monotonic() - begun


def _strike(bed: Bed, episode: PlannedEpisode, seed: int, control: Control) -> list[FaultInterval]:
    """Live through an episode's length with its faults; the labels."""
    begun = time.monotonic()
    told = 0.0

    def tell(now: float) -> None:
        nonlocal told
        control.passed(now - told)
        told = now

    def wait_until(second: float) -> None:
        while (left := second - (time.monotonic() - begun)) > 0:
            control.sleep(min(left, 1.0))
            tell(min(second, time.monotonic() - begun))
            bed.check()

    injector = Injector(bed, np.random.default_rng(np.random.SeedSequence([seed, 2])), wait_until)
    try:
        injector.run(episode.faults, episode.length)
    except BaseException:
        tell(0.0)  # it will be recorded again
        raise
    tell(episode.length)
    return injector.labels


def _write_labels(labels: list[FaultInterval], node: str, path: Path) -> None:
    frame = pl.DataFrame(
        {
            "node": [node] * len(labels),
            "start": [label.start for label in labels],
            "end": [label.end for label in labels],
            "condition": [label.condition for label in labels],
            "severity": [label.severity for label in labels],
        },
        schema=storage.schema(LABELS),
    )
    storage.write(frame, LABELS, path)
