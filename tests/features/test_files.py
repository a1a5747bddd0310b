"""Minutes files: written, read back equal, and refused where they break their schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from faultprint import storage
from faultprint.errors import TableError
from faultprint.features.catalogue import SIP_CATALOGUE, Catalogue, Feature
from faultprint.features.coverage import CoverageInterval, dump_coverage
from faultprint.features.minutes import (
    build_minutes_file,
    compute_minutes,
    read_minutes,
)
from faultprint.tables import CATALOGUE_KEY, COVERAGE_KEY, MINUTES, TRANSACTIONS
from faultprint.units import MINUTE_US

from .strategies import row, table

COVERAGE = [CoverageInterval("a", "net", 0, 3 * MINUTE_US), CoverageInterval("a", "net", 5 * MINUTE_US, 6 * MINUTE_US)]
FRAME = table([row(start=7, completion=MINUTE_US), row(start=5 * MINUTE_US, completion=5 * MINUTE_US + 9, user=2)])
METADATA = {"name": "sip", "hash": SIP_CATALOGUE.hash, "interval_us": MINUTE_US}


def transactions(folder: Path, coverage: str | None = None) -> Path:
    path = folder / "transactions.parquet"
    storage.write(FRAME, TRANSACTIONS, path, {COVERAGE_KEY: coverage} if coverage else None)
    return path


def written(folder: Path, frame: pl.DataFrame, **metadata: Any) -> Path:
    path = folder / "minutes.parquet"
    storage.write(frame, MINUTES, path, {CATALOGUE_KEY: json.dumps(METADATA | metadata)})
    return path


def good() -> pl.DataFrame:
    return compute_minutes(FRAME.lazy(), COVERAGE)


def test_a_built_file_is_read_back_equal(tmp_path: Path) -> None:
    report = build_minutes_file(transactions(tmp_path, dump_coverage(COVERAGE)), tmp_path / "minutes.parquet")
    result = read_minutes(tmp_path / "minutes.parquet")
    assert_frame_equal(result.frame, good(), check_exact=True)
    assert (result.catalogue, result.interval_us) == (SIP_CATALOGUE, MINUTE_US)
    assert (report.rows, report.minutes, report.gaps, report.gap_us) == (2, 4, 1, 2 * MINUTE_US)
    assert report.coverage == "metadata"
    json.dumps(report.as_dict())


def test_without_metadata_the_coverage_is_from_first_start_to_last_completion(tmp_path: Path) -> None:
    report = build_minutes_file(transactions(tmp_path), tmp_path / "minutes.parquet")
    assert (report.coverage, report.minutes, report.gaps, sum(report.dropped.values())) == ("inferred", 6, 0, 0)
    assert read_minutes(tmp_path / "minutes.parquet").frame["in.bye.attempts"].sum() == 2


def test_another_interval_is_kept_in_the_metadata(tmp_path: Path) -> None:
    build_minutes_file(
        transactions(tmp_path, dump_coverage(COVERAGE)), tmp_path / "minutes.parquet", interval_us=10_000_000
    )
    result = read_minutes(tmp_path / "minutes.parquet")
    assert result.interval_us == 10_000_000
    assert len(result.frame) == 24


@pytest.mark.parametrize(
    "coverage", ["{", "7", "[[1, 2]]", '[["a", "net", 5, 1]]', '[["a", "net", true, 9]]', "[" * 99_999]
)
def test_unusable_coverage_is_refused_and_leaves_no_file(tmp_path: Path, coverage: str) -> None:
    with pytest.raises(TableError):
        build_minutes_file(transactions(tmp_path, coverage), tmp_path / "minutes.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["transactions.parquet"]


def test_columns_are_read_in_the_order_of_the_catalogue(tmp_path: Path) -> None:
    shuffled = good().select(*MINUTES.names, *reversed(SIP_CATALOGUE.names))
    assert read_minutes(written(tmp_path, shuffled)).frame.columns == [*MINUTES.names, *SIP_CATALOGUE.names]


def with_value(name: str, value: float) -> pl.DataFrame:
    return good().with_columns(pl.lit(value, pl.Float32).alias(name))


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (lambda: good().drop("node.ser"), "lacks column 'node.ser'"),
        (lambda: with_value("node.mood", 1), "has column 'node.mood'"),
        (lambda: with_value("node.ser", float("inf")), "'node.ser' is inf"),
        (lambda: with_value("node.ser", float("nan")), "'node.ser' is nan"),
        (lambda: with_value("node.users", -1), "'node.users' is -1.0"),
        (lambda: with_value("observed", 0), "`observed` must be above 0"),
        (lambda: pl.concat([good(), good()[:1]]), "has two rows"),
        (
            lambda: good().with_columns(pl.col("minute") + pl.duration(microseconds=1)),
            "does not start at a multiple of",
        ),
        (lambda: pl.concat([good()[:1].with_columns(network=pl.lit("other")), good()[1:]]), "in two networks"),
    ],
)
def test_impossible_minutes_are_refused(tmp_path: Path, frame: Any, sentence: str) -> None:
    with pytest.raises(TableError, match=sentence):
        read_minutes(written(tmp_path, frame()))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"hash": "0"}, "compute the minutes again with this version"),
        ({"name": "pm"}, "follows catalogue 'pm'"),
        ({"interval_us": 0}, "an interval of 0 µs"),
        ({"interval_us": "x"}, "an interval of 'x' µs"),
    ],
)
def test_minutes_of_another_catalogue_are_refused(tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TableError, match=sentence):
        read_minutes(written(tmp_path, good(), **change))


@pytest.mark.parametrize("metadata", [None, {CATALOGUE_KEY: "{"}, {CATALOGUE_KEY: "3"}, {CATALOGUE_KEY: "{}"}])
def test_minutes_that_do_not_name_their_catalogue_are_refused(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    storage.write(good(), MINUTES, tmp_path / "minutes.parquet", metadata)
    with pytest.raises(TableError, match="does not say which catalogue"):
        read_minutes(tmp_path / "minutes.parquet")


def test_minutes_of_another_source_are_read_by_its_catalogue(tmp_path: Path) -> None:
    catalogue = Catalogue("pm", 1, (Feature("cpu.busy", "", "ratio"), Feature("cpu.drift", "s", "gauge")))
    frame = (
        good()
        .select(*MINUTES.names)
        .with_columns(pl.lit(v, pl.Float32).alias(n) for n, v in (("cpu.busy", 0.5), ("cpu.drift", -3)))
    )
    path = written(tmp_path, frame, name="pm", hash=catalogue.hash)
    assert_frame_equal(read_minutes(path, catalogue).frame, frame)
