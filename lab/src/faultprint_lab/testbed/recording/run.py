"""A plan worked through: one fresh bed an episode, networks side by side."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from faultprint.errors import UsageError
from faultprint.files import replacing
from faultprint_lab.testbed.faults.faults import FAULTS
from faultprint_lab.testbed.plan import TestbedPlan, read
from faultprint_lab.testbed.recording.episode import REPORT, Control, record
from faultprint_lab.testbed.recording.parallel import run_parallel
from faultprint_lab.testbed.topology import packages

Progress = Callable[[int, int], None]

PLAN: Final = "plan.toml"
ATTEMPTS: Final = 3
"""How often an episode is tried whose bed dies: a recording of hours must not end with one bed."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run made: one entry an episode, with the probe's counts and what the handsets saw."""

    out: str
    network_seconds: float
    episodes: tuple[dict[str, Any], ...]

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self)


def run(
    plan_file: Path, out: Path, *, parallel: int = 1, keep_packets: bool = False, progress: Progress | None = None
) -> RunReport:
    """Work through a plan: OUT/EPISODE/transactions.parquet, labels.parquet and report.json for each episode.

    Episodes of one network follow one another; up to `parallel` networks run side by side. Episodes that OUT already
    holds are kept, so that a run that was cut short goes on where it stopped; OUT must belong to the same plan.
    `keep_packets` leaves the captures in the episode's folder. `progress` is called with seconds recorded and seconds
    in all. Raises UsageError; every bed is taken down then, as it is on Ctrl-C and SIGTERM.
    """
    plan = read(plan_file, FAULTS)
    lacking = packages.missing()
    if lacking:
        raise UsageError(lacking)
    claim(plan, out)
    control = Control(RunClock(plan.seconds, progress).add, keep_packets)
    lanes = [partial(_lane, plan, name, out, control) for name in plan.networks]
    run_parallel(lanes, parallel, control.stop)
    reports = tuple(json.loads((out / episode.name / REPORT).read_text()) for episode in plan.episodes)
    return RunReport(str(out), plan.seconds, reports)


def _lane(plan: TestbedPlan, network: str, out: Path, control: Control) -> None:
    """The episodes of one network, one after another."""
    for number, episode in enumerate(plan.episodes):
        if episode.network != network:
            continue
        if (out / episode.name / REPORT).exists():
            control.passed(episode.length)
            continue
        for attempt in range(1, ATTEMPTS + 1):
            control.sleep(0)
            try:
                record(plan, number, out / episode.name, control, attempt)
                break
            except UsageError:
                if attempt == ATTEMPTS:
                    raise


def claim(plan: TestbedPlan, out: Path) -> None:
    """Make `out` the folder of this plan's episodes. Raises UsageError where it holds anything else."""
    out.mkdir(parents=True, exist_ok=True)
    mine = out / PLAN
    if mine.exists() and mine.read_text() != plan.text:
        raise UsageError(f"{out} holds the recording of another plan; choose another folder or remove it.")
    if not mine.exists() and any(out.iterdir()):
        raise UsageError(f"{out} is not empty and holds no recording; choose another folder.")
    with replacing(mine) as temporary:
        temporary.write_text(plan.text)


class RunClock:
    """Seconds recorded over all episodes, told to `progress`."""

    def __init__(self, total: float, progress: Progress | None) -> None:
        self._total, self._progress = total, progress
        self._done = 0.0
        self._lock = threading.Lock()

    def add(self, seconds: float) -> None:
        """Count seconds; below 0 where they are to be recorded again."""
        with self._lock:
            self._done += seconds
            if self._progress:
                self._progress(round(self._done), round(self._total))
