"""The files are reproducible by seed, independent of other networks, and follow their table schemas."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from faultprint import storage
from faultprint.errors import UsageError
from faultprint.tables import COVERAGE_KEY, LABELS, TRANSACTIONS
from faultprint_lab.simulate.network.network import SimulatedNetwork
from faultprint_lab.simulate.run import START, SimulationReport, network_of, simulate, simulate_network

FILES = ("transactions.parquet", "labels.parquet")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SimulationReport]:
    out = tmp_path_factory.mktemp("simulated")
    return out, simulate(out, networks=2, days=0.5, seed=4, first_network=99)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_same_seed_gives_the_same_bytes(
    written: tuple[Path, SimulationReport], workers: int, tmp_path: Path
) -> None:
    simulate(tmp_path, networks=2, days=0.5, seed=4, first_network=99, workers=workers)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (written[0] / name).read_bytes()


def test_another_seed_gives_another_network(written: tuple[Path, SimulationReport]) -> None:
    assert network_of(99, 5) != network_of(99, 4) != network_of(100, 4)
    assert isinstance(network_of(99, 4), SimulatedNetwork)


def test_a_network_does_not_depend_on_other_networks(written: tuple[Path, SimulationReport]) -> None:
    rows, truth = simulate_network(100, 0.5, 4)
    together = storage.read(written[0] / FILES[0], TRANSACTIONS).filter(pl.col("node") == "net100-pcscf")
    assert rows.equals(together)
    assert truth.equals(storage.read(written[0] / FILES[1], LABELS).filter(pl.col("node") == "net100-pcscf"))


def test_rows_are_in_order_of_node_and_start(written: tuple[Path, SimulationReport]) -> None:
    rows = storage.read(written[0] / FILES[0], TRANSACTIONS).select("node", "start")
    assert rows.equals(rows.sort("node", "start"))
    assert rows["node"].unique(maintain_order=True).to_list() == ["net100-pcscf", "net99-pcscf"]


def test_coverage_is_the_whole_span(written: tuple[Path, SimulationReport]) -> None:
    coverage = json.loads(storage.metadata(written[0] / FILES[0])[COVERAGE_KEY])
    begin = round(START.timestamp() * 1e6)
    assert coverage == [[f"net{i}-pcscf", f"net{i}", begin, begin + 43_200_000_000] for i in (100, 99)]
    rows = storage.read(written[0] / FILES[0], TRANSACTIONS)
    assert rows["start"].min() >= START
    assert max(rows["start"].max(), rows["completion"].max()) < START + timedelta(days=0.5)


def test_the_report_counts_what_was_written(written: tuple[Path, SimulationReport]) -> None:
    out, report = written
    truth = storage.read(out / FILES[1], LABELS)
    assert report.rows == storage.read(out / FILES[0], TRANSACTIONS).height
    assert (report.networks, report.days) == (2, 0.5)
    assert sum(report.episodes.values()) == truth["severity"].is_not_null().sum() == 4
    assert set(report.as_dict()) == {"rows", "networks", "days", "episodes", "seconds"}


def test_only_the_two_files_are_left(written: tuple[Path, SimulationReport]) -> None:
    assert sorted(path.name for path in written[0].iterdir()) == sorted(FILES)


def test_progress_is_reported_for_each_network(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    simulate(tmp_path, networks=2, days=0.1, seed=1, episodes_per_day=0, progress=lambda *step: steps.append(step))
    assert steps == [(1, 2), (2, 2)]


def test_load_scales_the_traffic() -> None:
    single, _ = simulate_network(3, 0.25, 1, episodes_per_day=0)
    double, _ = simulate_network(3, 0.25, 1, episodes_per_day=0, load=2.0)
    assert 1.6 < double.height / single.height < 2.4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"networks": 0}, "0 networks cannot be simulated"),
        ({"days": 0}, "0 days cannot be simulated"),
        ({"days": float("nan")}, "nan days cannot be simulated"),
        ({"seed": -1}, "Seed -1 is negative"),
        ({"first_network": -1}, "Network number -1 is negative"),
        ({"episodes_per_day": -1.0}, "-1 episodes per day are not possible"),
        ({"episodes_per_day": float("inf")}, "inf episodes per day are not possible"),
        ({"load": 0.0}, "Load 0 cannot be simulated"),
        ({"episodes_per_day": 30.0}, "30 episodes do not fit into 1 days"),
        ({"start": datetime(2026, 1, 5)}, "is not in UTC"),
    ],
)
def test_a_bad_argument_gives_an_error_and_no_file(tmp_path: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        simulate(tmp_path / "out", **({"networks": 1, "days": 1, "seed": 1} | arguments))  # type: ignore[arg-type]
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(UsageError, match="cannot be made a folder"):
        simulate(tmp_path / "out", networks=1, days=0.1, seed=1)


def test_another_start_shifts_all_times() -> None:
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    rows, truth = simulate_network(0, 0.1, 1, episodes_per_day=0, start=start)
    assert start <= rows["start"].min() < start + timedelta(minutes=5)
    assert truth["start"].to_list() == [start]
