"""The recorder with beds that are made up: what it tries again, what it leaves out, when it stops, how it goes on."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from faultprint.errors import UsageError
from faultprint.testbed import packages, recorder
from faultprint.testbed.dataset import raw_folder
from faultprint.testbed.dataset_check import verify
from faultprint.testbed.episode import Control
from faultprint.testbed.plan import Plan
from faultprint.testbed.recorder import record_plan


class Beds:
    """Stands in for real beds; `act` may raise, or say how long an episode lasted."""

    def __init__(self, make_up: Callable[..., None]) -> None:
        self.make_up = make_up
        self.act: Callable[[str, int, Control], float] = lambda name, attempt, control: 180.0
        self.tried: Counter[str] = Counter()
        self.most = self.running = 0
        self.lock = threading.Lock()

    def record(self, plan: Plan, number: int, folder: Path, control: Control, attempt: int = 1) -> None:
        """As `episode.record`."""
        assert control.keep_settling
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
            self.tried[folder.name] += 1
        try:
            lasts = self.act(folder.name, attempt, control)
            self.make_up(plan, folder.parent, folder.name, lasts=lasts)
        finally:
            with self.lock:
                self.running -= 1


@pytest.fixture
def beds(monkeypatch: pytest.MonkeyPatch, make_up: Callable[..., None]) -> Beds:
    made = Beds(make_up)
    monkeypatch.setattr(recorder, "record", made.record)
    monkeypatch.setattr(recorder, "sweep", list)
    monkeypatch.setattr(recorder, "_PAUSE", 0.01)
    monkeypatch.setattr(packages, "missing", lambda: None)
    return made


@pytest.fixture
def plan_file(plan: Plan, tmp_path: Path) -> Path:
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


def test_ctrl_c_keeps_what_is_complete(
    plan_file: Path, tmp_path: Path, beds: Beds, monkeypatch: pytest.MonkeyPatch
) -> None:
    def act(name: str, attempt: int, control: Control) -> float:
        if name == "a0":
            return 180.0
        control.sleep(30)
        return 180.0

    def await_all(lanes: object) -> None:
        while not (raw_folder(tmp_path / "set") / "a0" / "report.json").exists():
            time.sleep(0.01)
        raise KeyboardInterrupt

    beds.act = act
    with monkeypatch.context() as patch:
        patch.setattr(recorder, "await_all", await_all)
        with pytest.raises(KeyboardInterrupt):
            record_plan(plan_file, tmp_path / "set", parallel=2)
    assert verify(tmp_path / "set")["episodes"] == 1
    beds.act = lambda name, attempt, control: 180.0
    assert record_plan(plan_file, tmp_path / "set", parallel=2).episodes == 4
    assert beds.tried["a0"] == 1


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
