"""A recorder with synthetic beds that is killed during one episode: PLAN OUT EPISODE.

This is a separate program, because a process cannot continue after SIGKILL.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from conftest import fill
from faultprint_lab.testbed.plan import RecordingPlan
from faultprint_lab.testbed.recording import episode, recorder
from faultprint_lab.testbed.recording.episode import RunControl
from faultprint_lab.testbed.topology import packages


def main(plan_file: Path, out: Path, fatal: str) -> None:
    """Record episodes until the fatal one has written everything except its report."""

    def record(plan: RecordingPlan, number: int, folder: Path, control: RunControl, attempt: int) -> None:
        name = plan.episodes[number].name
        fill(plan, name, folder)
        if name == fatal:
            (folder / episode.REPORT).unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    episode.record_on_bed = record
    recorder.remove_orphans = list
    packages.missing = lambda: None
    recorder.record_plan(plan_file, out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
