"""The recorder with synthetic beds: retries, failures, stopping and continuing."""

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
from faultprint_lab.testbed.plan import RecordingPlan
from faultprint_lab.testbed.recording import episode, recorder
from faultprint_lab.testbed.recording.dataset import raw_folder
from faultprint_lab.testbed.recording.episode import RunControl
from faultprint_lab.testbed.recording.recorder import record_plan
from faultprint_lab.testbed.recording.verification import verify
from faultprint_lab.testbed.topology import packages


class Beds:
    """Replaces real beds. `act` may raise, or return the length of the episode in seconds."""

    def __init__(self, fill_episode: Callable[..., None]) -> None:
        self.fill_episode = fill_episode
        self.act: Callable[[str, int, RunControl], float] = lambda name, attempt, control: 180.0
        self.attempts: Counter[str] = Counter()
        self.max_running = self.running = 0
        self.lock = threading.Lock()

    def record(self, plan: RecordingPlan, number: int, folder: Path, control: RunControl, attempt: int) -> None:
        """Replaces `episode.record_on_bed`."""
        assert control.include_settling
        name = plan.episodes[number].name
        with self.lock:
            self.running += 1
            self.max_running = max(self.max_running, self.running)
            self.attempts[name] += 1
        try:
            seconds = self.act(name, attempt, control)
            self.fill_episode(plan, name, folder, seconds=seconds)
        finally:
            with self.lock:
                self.running -= 1


@pytest.fixture
def beds(monkeypatch: pytest.MonkeyPatch, fill_episode: Callable[..., None]) -> Beds:
    synthetic = Beds(fill_episode)
    monkeypatch.setattr(episode, "record_on_bed", synthetic.record)
    monkeypatch.setattr(recorder, "remove_orphans", list)
    monkeypatch.setattr(recorder, "RETRY_PAUSE_S", 0.01)
    monkeypatch.setattr(packages, "missing", lambda: None)
    return synthetic


@pytest.fixture
def plan_file(plan: RecordingPlan, tmp_path: Path) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(plan.text)
    return path


def test_episodes_of_one_network_run_in_parallel(plan_file: Path, tmp_path: Path, beds: Beds) -> None:
    together = threading.Barrier(4, timeout=10)

    def act(name: str, attempt: int, control: RunControl) -> float:
        together.wait()
        return 180.0

    beds.act = act
    report = record_plan(plan_file, tmp_path / "set", parallel=4)
    assert (report.episodes, report.missing, report.networks, report.failures) == (4, 0, 2, ())
    assert beds.max_running == 4
    assert verify(tmp_path / "set")["episodes"] == 4


def test_a_failed_episode_is_retried_and_then_left_out(plan_file: Path, tmp_path: Path, beds: Beds) -> None:
    def act(name: str, attempt: int, control: RunControl) -> float:
        if name == "a1" or (name == "b0" and attempt == 1):
            raise OSError(f"{name} failed")
        return 170.0 if name == "b1" and attempt == 1 else 180.0

    beds.act = act
    report = record_plan(plan_file, tmp_path / "set", parallel=2)
    assert dict(beds.attempts) == {"a0": 1, "b0": 2, "a1": 3, "b1": 2}
    assert [(failure.episode, failure.attempts, failure.reason) for failure in report.failures] == [
        ("a1", 3, "a1 failed")
    ]
    beds.act = lambda name, attempt, control: 180.0
    report = record_plan(plan_file, tmp_path / "set", parallel=2)
    assert (report.episodes, report.failures) == (4, ())
    assert beds.attempts["a0"] == 1
    assert beds.attempts["a1"] == 4


def test_no_episode_starts_after_the_time_limit(plan_file: Path, tmp_path: Path, beds: Beds) -> None:
    def act(name: str, attempt: int, control: RunControl) -> float:
        time.sleep(0.3)
        return 180.0

    beds.act = act
    report = record_plan(plan_file, tmp_path / "set", parallel=1, hours=0.1 / 3600)
    assert (report.episodes, report.missing, dict(beds.attempts)) == (1, 3, {"a0": 1})


@pytest.fixture
def sigint_enabled() -> Iterator[None]:
    """In background test runs, SIGINT is ignored from the start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("sigint_enabled")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_running_episodes_and_keeps_complete_ones(
    number: signal.Signals, plan_file: Path, tmp_path: Path, beds: Beds
) -> None:
    def act(name: str, attempt: int, control: RunControl) -> float:
        if name == "a0":
            return 180.0
        if name == "b0":
            while not (raw_folder(tmp_path / "set") / "a0").exists():
                time.sleep(0.01)
            os.kill(os.getpid(), number)
        control.sleep(30)
        return 180.0

    beds.act = act
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        record_plan(plan_file, tmp_path / "set", parallel=2)
    assert time.monotonic() - started < 10
    assert verify(tmp_path / "set")["episodes"] == 1
    beds.act = lambda name, attempt, control: 180.0
    assert record_plan(plan_file, tmp_path / "set", parallel=2).episodes == 4
    assert beds.attempts["a0"] == 1


def test_a_kill_during_an_episode_loses_that_episode_only(plan_file: Path, tmp_path: Path, beds: Beds) -> None:
    """The data set recorded after it equals, to the byte, one of an undisturbed recording."""
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
    assert beds.attempts == {"a1": 1, "b1": 1}
    assert {path.name for path in raw.iterdir()} == {"plan.toml", ".lock", "a0", "b0", "a1", "b1"}
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    record_plan(plan_file, tmp_path / "undisturbed")
    files = [{path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("set", "undisturbed")]
    assert files[0] == files[1]


def test_two_recorders_do_not_share_a_folder(plan_file: Path, tmp_path: Path, beds: Beds) -> None:
    def act(name: str, attempt: int, control: RunControl) -> float:
        with pytest.raises(UsageError, match="Another process"):
            record_plan(plan_file, tmp_path / "set")
        return 180.0

    beds.act = act
    record_plan(plan_file, tmp_path / "set")


def test_progress_counts_the_seconds_left_to_record(plan_file: Path, tmp_path: Path, beds: Beds) -> None:
    steps: list[tuple[int, int]] = []

    def act(name: str, attempt: int, control: RunControl) -> float:
        control.on_progress(180.0)
        return 180.0

    beds.act = act
    record_plan(plan_file, tmp_path / "set", progress=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (720, 720)
    listed = json.loads((tmp_path / "set" / "episodes.json").read_text())
    assert len(listed["episodes"]) == 4
