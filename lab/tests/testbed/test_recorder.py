"""The recorder with beds that are made up: what it tries again, what it leaves out, when it stops, how it goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from faultprint.errors import UsageError
from faultprint_lab.testbed.plan import TestbedPlan
from faultprint_lab.testbed.recording import episode, recorder
from faultprint_lab.testbed.recording.dataset import raw_folder
from faultprint_lab.testbed.recording.dataset_check import verify
from faultprint_lab.testbed.recording.episode import Control
from faultprint_lab.testbed.recording.recorder import record_plan
from faultprint_lab.testbed.topology import packages


class Beds:
    """Stands in for real beds; `act` may raise, or say how long an episode lasted."""

    def __init__(self, fill_up: Callable[..., None]) -> None:
        self.fill_up = fill_up
        self.act: Callable[[str, int, Control], float] = lambda name, attempt, control: 180.0
        self.tried: Counter[str] = Counter()
        self.most = self.running = 0
        self.lock = threading.Lock()

    def record(self, plan: TestbedPlan, number: int, folder: Path, control: Control, attempt: int) -> None:
        """What `episode.record` has a bed do, into a folder that is not yet the episode's."""
        assert control.keep_settling
        name = plan.episodes[number].name
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
            self.tried[name] += 1
        try:
            lasts = self.act(name, attempt, control)
            self.fill_up(plan, name, folder, lasts=lasts)
        finally:
            with self.lock:
                self.running -= 1


@pytest.fixture
def beds(monkeypatch: pytest.MonkeyPatch, fill_up: Callable[..., None]) -> Beds:
    made = Beds(fill_up)
    monkeypatch.setattr(episode, "_record", made.record)
    monkeypatch.setattr(recorder, "sweep", list)
    monkeypatch.setattr(recorder, "_PAUSE", 0.01)
    monkeypatch.setattr(packages, "missing", lambda: None)
    return made


@pytest.fixture
def plan_file(plan: TestbedPlan, tmp_path: Path) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(plan.text)
    return path


def test_episodes_of_one_network_run_side_by_side(plan_file: Path, tmp_path: Path, beds: Beds) -> None:
    together = threading.Barrier(4, timeout=10)

    def act(name: str, attempt: int, control: Control) -> float:
        together.wait()
        return 180.0

    beds.act = act
    report = record_plan(plan_file, tmp_path / "set", parallel=4)
    assert (report.episodes, report.missing, report.networks, report.failures) == (4, 0, 2, ())
    assert beds.most == 4
    assert verify(tmp_path / "set")["episodes"] == 4


def test_a_bed_that_dies_is_tried_again_then_left_out(plan_file: Path, tmp_path: Path, beds: Beds) -> None:
    def act(name: str, attempt: int, control: Control) -> float:
        if name == "a1" or (name == "b0" and attempt == 1):
            raise OSError(f"{name} died")
        return 170.0 if name == "b1" and attempt == 1 else 180.0

    beds.act = act
    report = record_plan(plan_file, tmp_path / "set", parallel=2)
    assert dict(beds.tried) == {"a0": 1, "b0": 2, "a1": 3, "b1": 2}
    assert [(one.episode, one.attempts, one.reason) for one in report.failures] == [("a1", 3, "a1 died")]
    beds.act = lambda name, attempt, control: 180.0
    report = record_plan(plan_file, tmp_path / "set", parallel=2)
    assert (report.episodes, report.failures) == (4, ())
    assert beds.tried["a0"] == 1
    assert beds.tried["a1"] == 4


def test_no_episode_begins_when_time_is_over(plan_file: Path, tmp_path: Path, beds: Beds) -> None:
    def act(name: str, attempt: int, control: Control) -> float:
        time.sleep(0.3)
        return 180.0

    beds.act = act
    report = record_plan(plan_file, tmp_path / "set", parallel=1, hours=0.1 / 3600)
    assert (report.episodes, report.missing, dict(beds.tried)) == (1, 3, {"a0": 1})


@pytest.fixture
def heeds_ctrl_c() -> Iterator[None]:
    """Where tests run in the background, SIGINT is ignored from the start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeds_ctrl_c")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_gives_up_what_runs_and_keeps_what_is_complete(
    number: signal.Signals, plan_file: Path, tmp_path: Path, beds: Beds
) -> None:
    def act(name: str, attempt: int, control: Control) -> float:
        if name == "a0":
            return 180.0
        if name == "b0":
            while not (raw_folder(tmp_path / "set") / "a0").exists():
                time.sleep(0.01)
            os.kill(os.getpid(), number)
        control.sleep(30)
        return 180.0

    beds.act = act
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        record_plan(plan_file, tmp_path / "set", parallel=2)
    assert time.monotonic() - begun < 10
    assert verify(tmp_path / "set")["episodes"] == 1
    beds.act = lambda name, attempt, control: 180.0
    assert record_plan(plan_file, tmp_path / "set", parallel=2).episodes == 4
    assert beds.tried["a0"] == 1


def test_a_kill_in_mid_episode_loses_that_episode_only(plan_file: Path, tmp_path: Path, beds: Beds) -> None:
    """The data set that is recorded after it is the same, to the byte, as one that nobody disturbed."""
    script = Path(__file__).with_name("killed_recorder.py")
    killed = subprocess.run(
        [sys.executable, str(script), str(plan_file), str(tmp_path / "set"), "a1"], timeout=60, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    raw = raw_folder(tmp_path / "set")
    assert {path.name for path in raw.iterdir()} == {"plan.toml", ".lock", "a0", "b0", ".a1.making"}
    assert list((raw / ".a1.making").iterdir())
    assert not (tmp_path / "set").exists()
    kept = {path: path.stat().st_mtime_ns for name in ("a0", "b0") for path in (raw / name).iterdir()}
    report = record_plan(plan_file, tmp_path / "set")
    assert (report.episodes, report.missing, report.failures) == (4, 0, ())
    assert beds.tried == {"a1": 1, "b1": 1}
    assert {path.name for path in raw.iterdir()} == {"plan.toml", ".lock", "a0", "b0", "a1", "b1"}
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    record_plan(plan_file, tmp_path / "undisturbed")
    files = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("set", "undisturbed")]
    assert files[0] == files[1]


def test_two_recorders_do_not_share_a_folder(plan_file: Path, tmp_path: Path, beds: Beds) -> None:
    def act(name: str, attempt: int, control: Control) -> float:
        with pytest.raises(UsageError, match="Another process"):
            record_plan(plan_file, tmp_path / "set")
        return 180.0

    beds.act = act
    record_plan(plan_file, tmp_path / "set")


def test_progress_counts_what_is_left_to_record(plan_file: Path, tmp_path: Path, beds: Beds) -> None:
    told: list[tuple[int, int]] = []

    def act(name: str, attempt: int, control: Control) -> float:
        control.passed(180.0)
        return 180.0

    beds.act = act
    record_plan(plan_file, tmp_path / "set", progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (720, 720)
    listed = json.loads((tmp_path / "set" / "episodes.json").read_text())
    assert len(listed["episodes"]) == 4
