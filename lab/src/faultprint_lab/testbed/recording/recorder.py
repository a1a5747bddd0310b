"""A data set recorded: any of a plan's episodes side by side, one fresh bed each, for as long as wanted.

Data time is the plan's, not the wall's (see `timeline`), so the episodes of one network need not wait for one another.
What is recorded lies in a folder beside the data set, one episode each, until the data set is made of it.
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
from faultprint_lab.testbed.faults.faults import FAULTS
from faultprint_lab.testbed.plan import TestbedPlan, read
from faultprint_lab.testbed.recording import dataset
from faultprint_lab.testbed.recording.dataset import DataSetReport, Failure
from faultprint_lab.testbed.recording.episode import GENTLE_PER_S, Control, Stopped, record
from faultprint_lab.testbed.recording.parallel import run_parallel
from faultprint_lab.testbed.recording.run import ATTEMPTS, Progress, RunClock, claim
from faultprint_lab.testbed.topology import packages
from faultprint_lab.testbed.topology.bed import sweep

_LOCK: Final = ".lock"
_PAUSE: Final = 5.0
"""Seconds before an episode is tried again."""


def record_plan(
    plan_file: Path,
    out: Path,
    *,
    raw: Path | None = None,
    parallel: int = 1,
    hours: float | None = None,
    progress: Progress | None = None,
) -> DataSetReport:
    """Record what the data set `out` lacks of a plan, up to `parallel` episodes side by side, and make the data set.

    `raw` (by default `out` with "-raw" behind its name) keeps each episode's transactions. After `hours` no episode is
    started any more. An episode whose bed dies three times is left out and named in the data set's failures. Ctrl-C and
    SIGTERM give up what runs, and make the data set of what is complete. Raises UsageError before it begins, or where
    nothing at all could be recorded.
    """
    plan = read(plan_file, FAULTS)
    raw = raw or dataset.raw_folder(out)
    done = dataset.done(plan, out, raw)
    lacking = packages.missing()
    if lacking:
        raise UsageError(lacking)
    claim(plan, raw)
    with _alone(raw):
        sweep()
        waiting = [number for number, episode in enumerate(plan.episodes) if episode.name not in done]
        clock = RunClock(sum(plan.episodes[number].length for number in waiting), progress)
        control = Control(clock.add, keep_settling=True, per_second=GENTLE_PER_S)
        recorder = _Recorder(plan, raw, control, waiting, None if hours is None else time.monotonic() + 3600 * hours)
        try:
            recorder.work(parallel)
        except KeyboardInterrupt:
            with suppress(UsageError):
                dataset.assemble(plan, out, raw, recorder.failures)
            raise
        return dataset.assemble(plan, out, raw, recorder.failures)


@contextmanager
def _alone(raw: Path) -> Iterator[None]:
    """Raises UsageError where another process records into the same folder."""
    with (raw / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"Another process records into {raw}; wait for it, or choose another folder.") from None
        yield


@dataclass(slots=True)
class _Recorder:
    """Works through the numbers of `waiting` in order; `failures` grows."""

    plan: TestbedPlan
    raw: Path
    control: Control
    waiting: list[int]
    deadline: float | None
    failures: list[Failure] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def work(self, parallel: int) -> None:
        """Until nothing waits, or time is over."""
        run_parallel([self._lane] * min(parallel, len(self.waiting)), parallel, self.control.stop)

    def _next(self) -> int | None:
        with self._lock:
            over = self.deadline is not None and time.monotonic() > self.deadline
            return self.waiting.pop(0) if self.waiting and not over and not self.control.stop.is_set() else None

    def _lane(self) -> None:
        while (number := self._next()) is not None:
            self._episode(number)

    def _episode(self, number: int) -> None:
        name = self.plan.episodes[number].name
        for attempt in range(1, ATTEMPTS + 1):
            try:
                record(self.plan, number, self.raw / name, self.control, attempt)
                dataset.from_raw(self.plan, self.plan.episodes[number], self.raw / name)
                return
            except Stopped:
                raise
            except Exception as error:  # whatever it was, a recording of hours must not end with one bed
                shutil.rmtree(self.raw / name, ignore_errors=True)
                reason = " ".join(str(error).split()) or type(error).__name__
                if attempt == ATTEMPTS:
                    self.failures.append(Failure(name, attempt, reason))
                else:
                    self.control.sleep(_PAUSE)
