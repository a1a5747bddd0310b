"""Record one episode: start a bed, register its subscribers, inject the faults, write transactions and labels."""

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
from faultprint.probe.capture.sockets import DROPPED
from faultprint.probe.privacy import key as keys
from faultprint.tables import LABELS
from faultprint_lab.testbed.faults.injector import Injector, LabelInterval, now_us
from faultprint_lab.testbed.plan import PlannedEpisode, RecordingPlan
from faultprint_lab.testbed.recording.recording import Recording
from faultprint_lab.testbed.topology.bed import Bed, down, up
from faultprint_lab.testbed.topology.machine import MachineLoad, versions

FAST_REGISTRATIONS_PER_S: Final = 250.0
"""Handsets switched on per second, if few beds run on the machine."""
SLOW_REGISTRATIONS_PER_S: Final = 80.0
"""Handsets switched on per second if many beds run, which this must not disturb."""
TRANSACTIONS: Final = "transactions.parquet"
LABELLED: Final = "labels.parquet"
REPORT: Final = "report.json"


class RecordingStopped(Exception):
    """The recording was stopped by a signal or by the failure of another episode."""


@dataclass(slots=True)
class RunControl:
    """Shared by the episodes of one run.

    on_progress        called with the number of seconds recorded
    keep_packets       whether to keep packet captures
    include_settling   whether transactions start with the settling, so that those open at the first label are known
    per_second         handsets switched on per second
    stop               set to stop all episodes
    starting           lock: only one bed starts at a time, because several would overload the machine
    """

    on_progress: Callable[[float], None] = lambda _: None
    keep_packets: bool = False
    include_settling: bool = False
    per_second: float = FAST_REGISTRATIONS_PER_S
    stop: threading.Event = field(default_factory=threading.Event)
    starting: threading.Lock = field(default_factory=threading.Lock)

    def sleep(self, seconds: float) -> None:
        """Sleep. Raises RecordingStopped as soon as the run is stopped."""
        if self.stop.wait(seconds):
            raise RecordingStopped


def record_episode(plan: RecordingPlan, number: int, folder: Path, control: RunControl, attempt: int = 1) -> None:
    """Record episode `number` of the plan. `folder` appears only when the episode is complete.

    Raises UsageError if the bed does not start, a program of it ends or the probe loses a packet; RecordingStopped if the
    run is stopped.
    """
    making = folder.with_name(f".{folder.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    try:
        record_on_bed(plan, number, making, control, attempt)
        making.replace(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def record_on_bed(plan: RecordingPlan, number: int, folder: Path, control: RunControl, attempt: int) -> None:
    """Record episode `number` on a new bed into the existing `folder`. Raises as `record_episode`."""
    episode = plan.episodes[number]
    network = plan.networks[episode.network]
    seed = int(np.random.SeedSequence([plan.seed, number]).generate_state(1)[0])
    node = node_name(episode.network)
    bed: Bed | None = None
    try:
        with control.starting:
            started = time.monotonic()
            bed = up(network, seed, owned=True)
            up_after = time.monotonic() - started
            key = np.random.default_rng(np.random.SeedSequence([seed, 3])).bytes(keys.KEY_BYTES)
            recording = Recording(bed, node=node, key=key, packets=control.keep_packets)
            recording.start()
            registered_after = _register_all(bed, control)
        machine_load = MachineLoad()
        bed.send_command("load", {"start_traffic": episode.hour * 3600 * network.load.day_length / 86_400})
        settling_us = now_us()
        control.sleep(episode.settle)
        labels = _run_faults(bed, episode, seed, control)
        machine = machine_load.read()
        since = settling_us if control.include_settling else labels[0].start
        probed = recording.stop(folder / TRANSACTIONS, since=since, until=labels[-1].end)
        if lost := probed["skipped"].get(DROPPED, 0):
            raise UsageError(f"The probe lost {lost} packets in {episode.name}; run fewer beds in parallel.")
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
            "load": bed.send_command("load", {}),
            "machine": machine,
            "versions": versions(),
        }
        (folder / REPORT).write_text(json.dumps(report, indent=1))
    finally:
        if bed is not None:
            down(bed.name)


def node_name(network: str) -> str:
    """Name of the recorded node of a network."""
    return f"{network}-pcscf"


def _register_all(bed: Bed, control: RunControl) -> float:
    """Switch all handsets on and wait until they are registered; returns the seconds."""
    size, pace = bed.network.subscribers, control.per_second
    started = time.monotonic()
    bed.send_command("load", {"switch_on": size / pace})
    deadline = started + 60 + 4 * size / pace
    while bed.send_command("load", {})["registered"] < size:
        if time.monotonic() > deadline:
            raise UsageError(f"The test bed did not register {size} subscribers in time; is this machine overloaded?")
        control.sleep(0.1)
    return time.monotonic() - started


def _run_faults(bed: Bed, episode: PlannedEpisode, seed: int, control: RunControl) -> list[LabelInterval]:
    """Wait for the length of the episode while its faults are injected; returns the labels."""
    started = time.monotonic()
    reported = 0.0

    def report_progress(second: float) -> None:
        nonlocal reported
        control.on_progress(second - reported)
        reported = second

    def wait_until(second: float) -> None:
        while (remaining := second - (time.monotonic() - started)) > 0:
            control.sleep(min(remaining, 1.0))
            report_progress(min(second, time.monotonic() - started))
            bed.check()

    injector = Injector(bed, np.random.default_rng(np.random.SeedSequence([seed, 2])), wait_until)
    try:
        injector.run(episode.faults, episode.length)
    except BaseException:
        report_progress(0.0)  # the episode will be recorded again
        raise
    report_progress(episode.length)
    return injector.labels


def _write_labels(labels: list[LabelInterval], node: str, path: Path) -> None:
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
