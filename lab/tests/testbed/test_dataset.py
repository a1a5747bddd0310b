"""Data sets of synthetic episodes: shifted to data time, consecutive, extended and checked."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from faultprint import storage
from faultprint.cli import cli
from faultprint.errors import UsageError
from faultprint.features.minutes import read_minutes
from faultprint.tables import LABELS
from faultprint_lab.testbed.faults.fault import FAULTS
from faultprint_lab.testbed.plan import RecordingPlan, parse
from faultprint_lab.testbed.recording import datacard
from faultprint_lab.testbed.recording.dataset import EpisodeFailure, assemble, available_episodes, raw_folder
from faultprint_lab.testbed.recording.verification import FILES, verify

FIRST = datetime(2026, 1, 5, 4, tzinfo=UTC)
MakeEpisode = Callable[..., None]


@pytest.fixture
def out(tmp_path: Path, plan: RecordingPlan, make_episode: MakeEpisode) -> Path:
    folder = tmp_path / "set"
    for episode in plan.episodes:
        make_episode(plan, raw_folder(folder), episode.name)
    assemble(plan, folder, raw_folder(folder))
    return folder


def reseal(folder: Path) -> None:
    """Write checksums that match the current files."""
    lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in FILES[:-1]]
    (folder / "SHA256SUMS").write_text("".join(lines))


def test_episodes_follow_one_another_in_data_time(out: Path) -> None:
    assert {path.name for path in out.iterdir()} == set(FILES)
    minutes = read_minutes(out / "minutes.parquet").frame
    labels = storage.read(out / "labels.parquet", LABELS)
    for node in ("a-pcscf", "b-pcscf"):
        rows = minutes.filter(pl.col("node") == node)
        assert rows["minute"][0] == FIRST
        assert rows["minute"].diff().drop_nulls().dt.total_seconds().to_list() == [60] * 5
        assert rows["observed"].to_list() == [1.0] * 6
        assert rows["in.other.attempts"].to_list() == [60.0] * 6
        node_labels = labels.filter(pl.col("node") == node)
        assert node_labels["start"][0] == FIRST
        assert (node_labels["start"].shift(-1) == node_labels["end"]).drop_nulls().all()
        assert (node_labels["end"][-1] - FIRST).total_seconds() == 360
        assert (node_labels["end"][0] - FIRST).total_seconds() == 60.01
        assert (node_labels["start"][4] - FIRST).total_seconds() == 180


def test_transactions_open_at_the_first_label_are_known(out: Path) -> None:
    minutes = read_minutes(out / "minutes.parquet").frame
    answered = minutes.filter(pl.col("node") == "a-pcscf")["in.invite_originating.success_share"].to_list()
    assert answered == [1.0, None, None, 1.0, None, None]


def test_the_report_and_the_card_describe_the_content(out: Path) -> None:
    counts = verify(out)
    assert (counts["episodes"], counts["minutes"], counts["networks"], counts["conditions"]) == (4, 12, 2, 4)
    listed = json.loads((out / "episodes.json").read_text())
    assert [entry["episode"] for entry in listed["episodes"]] == ["a0", "b0", "a1", "b1"]
    assert listed["episodes"][2]["start"] == "2026-01-05T04:03:00+00:00"
    card = (out / "README.md").read_text()
    assert "0.2 network-hours of 2 networks in 4 episodes" in card
    assert "| hss-slow | 2 | 1 | 0.03 | 0.5, 0.5 |" in card


def test_a_data_set_is_extended_without_its_raw_episodes(
    plan: RecordingPlan, tmp_path: Path, make_episode: MakeEpisode
) -> None:
    out = tmp_path / "set"
    raw = raw_folder(out)
    make_episode(plan, raw, "a0")
    make_episode(plan, raw, "b1")
    report = assemble(plan, out, raw, [EpisodeFailure("b0", 3, "the bed failed")])
    assert (report.episodes, report.missing, [failure.episode for failure in report.failures]) == (2, 2, ["b0"])
    assert "b0 (the bed failed)" in (out / "README.md").read_text()
    before = read_minutes(out / "minutes.parquet").frame
    shutil.rmtree(raw)
    assert available_episodes(plan, out, raw) == {"a0", "b1"}
    make_episode(plan, raw, "b0")
    assert available_episodes(plan, out, raw) == {"a0", "b1", "b0"}
    report = assemble(plan, out, raw)
    assert (report.episodes, report.failures) == (3, ())
    after = read_minutes(out / "minutes.parquet").frame
    assert after.join(before, on=["node", "minute"], how="semi").equals(before)
    assert verify(out)["minutes"] == 9


def test_a_missing_episode_is_a_gap(plan: RecordingPlan, tmp_path: Path, make_episode: MakeEpisode) -> None:
    make_episode(plan, tmp_path / "raw", "a1")
    assemble(plan, tmp_path / "set", tmp_path / "raw")
    minutes = read_minutes(tmp_path / "set" / "minutes.parquet").frame
    assert (minutes["minute"][0] - FIRST).total_seconds() == 180


def test_an_episode_of_another_length_is_left_out_and_listed(
    plan: RecordingPlan, tmp_path: Path, make_episode: MakeEpisode
) -> None:
    make_episode(plan, tmp_path / "raw", "a0")
    make_episode(plan, tmp_path / "raw", "b0", seconds=175.0)
    report = assemble(plan, tmp_path / "set", tmp_path / "raw")
    assert report.episodes == 1
    assert "not 180000000" in report.failures[0].reason


@pytest.mark.parametrize("damage", ["{}", "[1]", '{"start_us": 1', ""])
def test_an_episode_with_a_damaged_report_is_left_out_and_listed(
    plan: RecordingPlan, tmp_path: Path, make_episode: MakeEpisode, damage: str
) -> None:
    raw = tmp_path / "raw"
    for name in ("a0", "a1"):
        make_episode(plan, raw, name)
    (raw / "a0" / "report.json").write_text(damage)
    report = assemble(plan, tmp_path / "set", raw)
    assert (report.episodes, [failure.episode for failure in report.failures]) == (1, ["a0"])
    assert "no report of an episode" in report.failures[0].reason


def test_a_recovery_until_the_end_leaves_no_short_normal_label(
    plan: RecordingPlan, tmp_path: Path, make_episode: MakeEpisode
) -> None:
    make_episode(plan, tmp_path / "raw", "a0")
    path = tmp_path / "raw" / "a0" / "labels.parquet"
    labels = storage.read(path, LABELS)
    since, over = labels["start"][0], labels["end"][-1]
    changed = labels.with_columns(
        pl.Series("start", [since, *labels["start"][1:3], since + timedelta(seconds=180, microseconds=7)]),
        pl.Series(
            "end", [*labels["end"][:2], since + timedelta(seconds=180, microseconds=7), over + timedelta(seconds=1)]
        ),
    )
    storage.write(changed, LABELS, path)
    assemble(plan, tmp_path / "set", tmp_path / "raw")
    node_labels = storage.read(tmp_path / "set" / "labels.parquet", LABELS)
    assert node_labels["condition"].to_list() == ["normal", "hss-slow", "recovery"]
    assert (node_labels["end"][-1] - FIRST).total_seconds() == 180


def test_no_recorded_episode_is_an_error(plan: RecordingPlan, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the bed failed"):
        assemble(plan, tmp_path / "set", tmp_path / "raw", [EpisodeFailure("a0", 3, "the bed failed")])
    assert not (tmp_path / "set").exists()


def test_a_data_set_is_restored_after_a_kill_between_two_renames(plan: RecordingPlan, out: Path) -> None:
    out.rename(out.with_name(f".{out.name}.old"))
    shutil.rmtree(raw_folder(out))
    assert len(available_episodes(plan, out, raw_folder(out))) == 4
    assert verify(out)["episodes"] == 4


def test_a_failure_leaves_the_data_set_unchanged(
    plan: RecordingPlan, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str:
        raise RuntimeError

    monkeypatch.setattr(datacard, "render", fail)
    with pytest.raises(RuntimeError):
        assemble(plan, out, raw_folder(out))
    assert verify(out)["episodes"] == 4
    assert [path.name for path in out.parent.iterdir() if path.name.startswith(".")] == []


def test_another_plan_or_an_unknown_file_is_refused(plan: RecordingPlan, out: Path) -> None:
    with pytest.raises(UsageError, match="another plan"):
        available_episodes(parse(plan.text + "\n# another", FAULTS), out, raw_folder(out))
    (out / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"notes\.txt"):
        available_episodes(plan, out, raw_folder(out))


@pytest.mark.parametrize("name", FILES[:-1])
def test_a_changed_byte_is_detected(plan: RecordingPlan, out: Path, name: str) -> None:
    data = bytearray((out / name).read_bytes())
    data[len(data) // 2] ^= 1
    (out / name).write_bytes(data)
    with pytest.raises(UsageError, match=f"{name} has changed"):
        verify(out)
    shutil.rmtree(raw_folder(out))
    with pytest.raises(UsageError):
        available_episodes(plan, out, raw_folder(out))


def test_a_missing_file_is_detected(out: Path) -> None:
    (out / "split.toml").unlink()
    with pytest.raises(UsageError, match=r"split\.toml"):
        verify(out)


@pytest.mark.parametrize("shift", [1, -1])
def test_labels_with_a_gap_or_overlap_are_detected(out: Path, shift: int) -> None:
    labels = storage.read(out / "labels.parquet", LABELS).with_row_index()
    moved = labels.with_columns(
        pl.when(pl.col("index") == 2)
        .then(pl.col("start") + pl.duration(microseconds=shift))
        .otherwise("start")
        .alias("start")
    )
    storage.write(moved.drop("index"), LABELS, out / "labels.parquet")
    reseal(out)
    with pytest.raises(UsageError, match="not covered" if shift > 0 else "overlap"):
        verify(out)


def test_a_network_outside_the_split_is_detected(out: Path) -> None:
    text = (out / "split.toml").read_text()
    (out / "split.toml").write_text(text.replace('"a", "b"', '"a"'))
    reseal(out)
    with pytest.raises(UsageError, match="network 'b' is on 0 sides"):
        verify(out)


def test_verify_and_plan_on_the_command_line(out: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    result = runner.invoke(cli, ["testbed", "verify", str(out), "--json"])
    assert json.loads(result.output) == {"episodes": 4, "minutes": 12, "networks": 2, "conditions": 4}
    (out / "README.md").write_text("changed")
    assert isinstance(runner.invoke(cli, ["testbed", "verify", str(out)]).exception, UsageError)
    drawn = tmp_path / "plan.toml"
    planned = runner.invoke(cli, ["testbed", "plan", "--networks", "2", "--hours", "3", "--out", str(drawn), "--json"])
    assert json.loads(planned.output)["episodes"] == 6
    assert len(parse(drawn.read_text(), FAULTS).episodes) == 6
