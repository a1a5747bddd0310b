"""The recorded data set: parted as it says, its names its own, its faults met by networks that taught nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from faultprint import storage
from faultprint.embedding.model import Model
from faultprint.errors import TableError, UsageError
from faultprint.features.minutes import write_minutes
from faultprint.tables import LABELS
from faultprint_lab.baselines.compare import FittedBaselines
from faultprint_lab.baselines.recorded import joined, read
from faultprint_lab.demo import demo
from faultprint_lab.demo.demo import _bed, _meet_bed

NOW = datetime(2026, 2, 1, tzinfo=UTC)
Tables = tuple[pl.DataFrame, pl.DataFrame]
SPLIT = '[networks]\ntrain = ["alpha", "beta"]\nchoose = ["gamma"]\nreport = ["omega"]\n'


@pytest.fixture
def folder(learnt: Tables, met: Tables, tmp_path: Path) -> Path:
    write_minutes(pl.concat([learnt[0], met[0]]), tmp_path / "minutes.parquet")
    storage.write(pl.concat([learnt[1], met[1]]), LABELS, tmp_path / "labels.parquet")
    (tmp_path / "split.toml").write_text(SPLIT)
    return tmp_path


def test_each_side_has_its_networks_and_names_of_its_own(folder: Path, learnt: Tables) -> None:
    found = read(folder)
    networks = [sorted(minutes["network"].unique()) for minutes, _ in (found.train, found.choose, found.report)]
    assert networks == [["bed-alpha", "bed-beta"], ["bed-gamma"], ["bed-omega"]]
    for minutes, labels in (found.train, found.choose, found.report):
        assert {*minutes["node"].unique()} == {*labels["node"].unique()}
    both = joined(learnt, found.train)
    assert both[0].select("node", "minute").is_duplicated().sum() == 0
    assert len(both[1]) == len(learnt[1]) + len(found.train[1])


@pytest.mark.parametrize(
    ("split", "named"),
    [
        ('[networks]\ntrain = ["alpha"]\n', "choose"),
        ("networks", "split.toml"),
        (SPLIT.replace("omega", "nobody"), "nobody"),
    ],
)
def test_a_split_that_parts_nothing_is_refused(folder: Path, split: str, named: str) -> None:
    (folder / "split.toml").write_text(split)
    with pytest.raises(TableError, match=named):
        read(folder)


def test_a_folder_asked_for_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(demo, "BEDS", tmp_path / "beds")
    assert _bed(None, lines.append) is None
    assert str(tmp_path / "beds") in lines[0]
    with pytest.raises(UsageError, match="no data set"):
        _bed(tmp_path / "nowhere", lines.append)


def test_the_bed_is_met_by_what_its_other_networks_taught(
    folder: Path, model: Model, learnt: Tables, tmp_path: Path
) -> None:
    lines: list[str] = []
    students = FittedBaselines.of(*learnt, model, seed=1, max_seconds=1)
    found = _meet_bed(read(folder), {"default": model}, tmp_path, lambda: students, NOW, lines.append)
    assert {reference.network for reference in found.references} <= {"bed-alpha", "bed-beta"}
    assert [place.series.network for place in found.places] == ["bed-omega"]
    assert (tmp_path / "bed" / "default.db").exists()
    assert "bed-omega" in lines[0]
