"""Run a plan: a new bed for each episode, networks in parallel."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from faultprint.errors import UsageError
from faultprint.files import replacing
from faultprint.progress import Progress
from faultprint_lab.testbed.faults.fault import FAULTS
from faultprint_lab.testbed.plan import RecordingPlan, read
from faultprint_lab.testbed.recording.episode import REPORT, RunControl, record_episode
from faultprint_lab.testbed.recording.parallel import run_parallel
from faultprint_lab.testbed.topology import packages

PLAN: Final = "plan.toml"
ATTEMPTS: Final = 3
"""Number of attempts for an episode: the failure of one bed must not end a recording of hours."""


@dataclass(frozen=True, slots=True)
class RecordingReport:
    """Result of a run: one entry per episode, with the counters of the probe and of the handsets."""

    out: str
    network_seconds: float
    episodes: tuple[dict[str, Any], ...]

    def as_dict(self) -> dict[str, Any]:
        """The report for --json."""
        return asdict(self)


def run(
    plan_file: Path, out: Path, *, parallel: int = 1, keep_packets: bool = False, progress: Progress | None = None
) -> RecordingReport:
    """Record the episodes of a plan: OUT/EPISODE/transactions.parquet, labels.parquet and report.json for each.

    Episodes of one network follow one another; up to `parallel` networks run in parallel. Episodes that OUT already has
    are kept, so an interrupted run can be continued; OUT must belong to the same plan. `keep_packets` keeps the captures
    in the folder of the episode. `progress` is called with (seconds recorded, total seconds).

    Raises UsageError. All beds are removed at the end, also after an error, Ctrl-C or SIGTERM.
    """
    plan = read(plan_file, FAULTS)
    if missing := packages.missing():
        raise UsageError(missing)
    claim_folder(plan, out)
    control = RunControl(RunProgress(plan.seconds, progress).add, keep_packets)
    workers = [partial(_record_network, plan, name, out, control) for name in plan.networks]
    run_parallel(workers, parallel, control.stop)
    reports = tuple(json.loads((out / episode.name / REPORT).read_text()) for episode in plan.episodes)
    return RecordingReport(str(out), plan.seconds, reports)


def _record_network(plan: RecordingPlan, network: str, out: Path, control: RunControl) -> None:
    """Record the episodes of one network in order."""
    for number, episode in enumerate(plan.episodes):
        if episode.network != network:
            continue
        if (out / episode.name / REPORT).exists():
            control.on_progress(episode.length)
            continue
        for attempt in range(1, ATTEMPTS + 1):
            control.sleep(0)
            try:
                record_episode(plan, number, out / episode.name, control, attempt)
                break
            except UsageError:
                if attempt == ATTEMPTS:
                    raise


def claim_folder(plan: RecordingPlan, out: Path) -> None:
    """Make `out` the folder of the episodes of this plan. Raises UsageError if it has other content."""
    out.mkdir(parents=True, exist_ok=True)
    plan_file = out / PLAN
    if plan_file.exists() and plan_file.read_text() != plan.text:
        raise UsageError(f"{out} has the recording of another plan; choose another folder or remove it.")
    if not plan_file.exists() and any(out.iterdir()):
        raise UsageError(f"{out} is not empty and has no recording; choose another folder.")
    with replacing(plan_file) as temporary:
        temporary.write_text(plan.text)


class RunProgress:
    """Counts recorded seconds over all episodes and reports them to `progress`."""

    def __init__(self, total: float, progress: Progress | None) -> None:
        self._total, self._progress = total, progress
        self._done = 0.0
        self._lock = threading.Lock()

    def add(self, seconds: float) -> None:
        """Add seconds; a negative number if they will be recorded again."""
        with self._lock:
            self._done += seconds
            if self._progress:
                self._progress(round(self._done), round(self._total))
