"""The recorded data set: its split, its unique names, and the comparison on it."""

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
from faultprint_lab.demo.demo import compare_on_testbed, read_testbed

NOW = datetime(2026, 2, 1, tzinfo=UTC)
Tables = tuple[pl.DataFrame, pl.DataFrame]
SPLIT = '[networks]\ntrain = ["alpha", "beta"]\nchoose = ["gamma"]\nreport = ["omega"]\n'


@pytest.fixture
def folder(known_networks: Tables, new_network: Tables, tmp_path: Path) -> Path:
    write_minutes(pl.concat([known_networks[0], new_network[0]]), tmp_path / "minutes.parquet")
    storage.write(pl.concat([known_networks[1], new_network[1]]), LABELS, tmp_path / "labels.parquet")
    (tmp_path / "split.toml").write_text(SPLIT)
    return tmp_path


def test_each_split_has_its_networks_and_unique_names(folder: Path, known_networks: Tables) -> None:
    found = read(folder)
    networks = [sorted(minutes["network"].unique()) for minutes, _ in (found.train, found.validation, found.test)]
    assert networks == [["bed-alpha", "bed-beta"], ["bed-gamma"], ["bed-omega"]]
    for minutes, labels in (found.train, found.validation, found.test):
        assert {*minutes["node"].unique()} == {*labels["node"].unique()}
    both = joined(known_networks, found.train)
    assert both[0].select("node", "minute").is_duplicated().sum() == 0
    assert len(both[1]) == len(known_networks[1]) + len(found.train[1])


@pytest.mark.parametrize(
    ("split", "name"),
    [
        ('[networks]\ntrain = ["alpha"]\n', "choose"),
        ("networks", "split.toml"),
        (SPLIT.replace("omega", "nobody"), "nobody"),
    ],
)
def test_an_incomplete_split_is_refused(folder: Path, split: str, name: str) -> None:
    (folder / "split.toml").write_text(split)
    with pytest.raises(TableError, match=name):
        read(folder)


def test_a_given_folder_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(demo, "TESTBED_DATA", tmp_path / "testbed")
    assert read_testbed(None, lines.append) is None
    assert str(tmp_path / "testbed") in lines[0]
    with pytest.raises(UsageError, match="no data set"):
        read_testbed(tmp_path / "nowhere", lines.append)


def test_the_comparison_on_the_testbed_has_references_of_its_other_networks(
    folder: Path, model: Model, known_networks: Tables, tmp_path: Path
) -> None:
    lines: list[str] = []
    baselines = FittedBaselines.fit(*known_networks, model, seed=1, max_seconds=1)
    found = compare_on_testbed(read(folder), {"default": model}, tmp_path, lambda: baselines, NOW, lines.append)
    assert {reference.network for reference in found.references} <= {"bed-alpha", "bed-beta"}
    assert [scope.series.network for scope in found.scopes] == ["bed-omega"]
    assert (tmp_path / "testbed" / "default.db").exists()
    assert "bed-omega" in lines[0]
