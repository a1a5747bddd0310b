"""Record a data set: episodes of a plan in parallel, a new bed for each.

Data time comes from the plan, not from the clock (see `timeline`), so the episodes of one network can run in parallel.
Each recorded episode has a folder next to the data set, from which the data set is made.
"""

from __future__ import annotations

import fcntl
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from faultprint.errors import UsageError
from faultprint.progress import Progress
from faultprint_lab.testbed.faults.fault import FAULTS
from faultprint_lab.testbed.plan import RecordingPlan, read
from faultprint_lab.testbed.recording import dataset
from faultprint_lab.testbed.recording.dataset import DatasetReport
from faultprint_lab.testbed.recording.episode import (
    SLOW_REGISTRATIONS_PER_S,
    RecordingStopped,
    RunControl,
    record_episode,
)
from faultprint_lab.testbed.recording.failure import EpisodeFailure
from faultprint_lab.testbed.recording.parallel import run_parallel
from faultprint_lab.testbed.recording.run import ATTEMPTS, RunProgress, claim_folder
from faultprint_lab.testbed.topology import packages
from faultprint_lab.testbed.topology.bed import remove_orphans

_LOCK: Final = ".lock"
RETRY_PAUSE_S: Final = 5.0
"""Seconds before the next attempt."""


def record_plan(
    plan_file: Path,
    out: Path,
    *,
    raw: Path | None = None,
    parallel: int = 1,
    hours: float | None = None,
    progress: Progress | None = None,
) -> DatasetReport:
    """Record the episodes of a plan that the data set `out` lacks, up to `parallel` at a time, and make the data set.

    `raw` is the folder of the recorded episodes (default: the name of `out` plus "-raw"). After `hours`, no new episode
    starts. An episode that fails three times is left out and listed in the failures of the data set. Ctrl-C and SIGTERM
    stop the running episodes; the data set is then made from the complete ones.

    Raises UsageError before the recording starts, or if no episode could be recorded.
    """
    plan = read(plan_file, FAULTS)
    raw = raw or dataset.raw_folder(out)
    available = dataset.available_episodes(plan, out, raw)
    if missing := packages.missing():
        raise UsageError(missing)
    claim_folder(plan, raw)
    with _exclusive(raw):
        remove_orphans()
        waiting = [number for number, episode in enumerate(plan.episodes) if episode.name not in available]
        run_progress = RunProgress(sum(plan.episodes[number].length for number in waiting), progress)
        control = RunControl(run_progress.add, include_settling=True, per_second=SLOW_REGISTRATIONS_PER_S)
        recorder = _Recorder(plan, raw, control, waiting, None if hours is None else time.monotonic() + 3600 * hours)
        try:
            recorder.work(parallel)
        except KeyboardInterrupt:
            with suppress(UsageError):
                dataset.assemble(plan, out, raw, recorder.failures)
            raise
        return dataset.assemble(plan, out, raw, recorder.failures)


@contextmanager
def _exclusive(raw: Path) -> Iterator[None]:
    """Lock the folder. Raises UsageError if another process records into it."""
    with (raw / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(
                f"Another process records into {raw}; wait until it ends, or choose another folder."
            ) from None
        yield


@dataclass(slots=True)
class _Recorder:
    """Records the episodes with the numbers `waiting` in order, and collects the failures."""

    plan: RecordingPlan
    raw: Path
    control: RunControl
    waiting: list[int]
    deadline: float | None
    failures: list[EpisodeFailure] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def work(self, parallel: int) -> None:
        """Record until no episode is waiting or the deadline has passed."""
        run_parallel([self._worker] * min(parallel, len(self.waiting)), parallel, self.control.stop)

    def _next(self) -> int | None:
        with self._lock:
            expired = self.deadline is not None and time.monotonic() > self.deadline
            return self.waiting.pop(0) if self.waiting and not expired and not self.control.stop.is_set() else None

    def _worker(self) -> None:
        while (number := self._next()) is not None:
            self._record_with_retries(number)

    def _record_with_retries(self, number: int) -> None:
        name = self.plan.episodes[number].name
        for attempt in range(1, ATTEMPTS + 1):
            try:
                record_episode(self.plan, number, self.raw / name, self.control, attempt)
                dataset.load_recorded(self.plan, self.plan.episodes[number], self.raw / name)
                return
            except RecordingStopped:
                raise
            except Exception as error:  # one bed, whatever its error, must not end a recording of hours
                shutil.rmtree(self.raw / name, ignore_errors=True)
                reason = " ".join(str(error).split()) or type(error).__name__
                if attempt == ATTEMPTS:
                    self.failures.append(EpisodeFailure(name, attempt, reason))
                else:
                    self.control.sleep(RETRY_PAUSE_S)
