"""A recorder with made-up beds that is killed in the middle of one episode: PLAN OUT EPISODE.

A program of its own, since nobody survives a SIGKILL to tell.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from conftest import fill
from faultprint_lab.testbed.plan import TestbedPlan
from faultprint_lab.testbed.recording import episode, recorder
from faultprint_lab.testbed.recording.episode import Control
from faultprint_lab.testbed.topology import packages


def main(plan_file: Path, out: Path, fatal: str) -> None:
    """Record one episode after another until the fatal one has written all but its report."""

    def record(plan: TestbedPlan, number: int, folder: Path, control: Control, attempt: int) -> None:
        name = plan.episodes[number].name
        fill(plan, name, folder)
        if name == fatal:
            (folder / episode.REPORT).unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    episode._record = record
    recorder.sweep = list
    packages.missing = lambda: None
    recorder.record_plan(plan_file, out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
