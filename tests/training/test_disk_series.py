"""Series on disk equal those in memory, and training on them has a constant peak of memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from faultprint import storage
from faultprint.embedding.model_file import read_artifact
from faultprint.errors import TableError
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.features.minutes import read_minutes, write_minutes
from faultprint.features.minutes_file import MinutesFile, open_minutes_file
from faultprint.tables import CATALOGUE_KEY, LABELS
from faultprint.training.config import TrainingConfig
from faultprint.training.data import dataset, heldout, samplers
from faultprint.training.data.dataset import TrainingSet
from faultprint.training.data.disk_series import disk_backed_series
from faultprint.training.data.samplers import ChunkSampler
from faultprint.training.train import train
from faultprint.windows.profile import population_profile
from faultprint.windows.series import Series, build_series

Tables = tuple[pl.DataFrame, pl.DataFrame]

MEASURED = """
import sys
from dataclasses import replace
from pathlib import Path
from faultprint import storage
from faultprint.features.minutes_file import open_minutes_file
from faultprint.tables import CATALOGUE_KEY, LABELS
from faultprint.training.data.disk_series import disk_backed_series
from faultprint.training.config import TrainingConfig
from faultprint.training.presets import PRESETS
from faultprint.training.train import train

folder, preset = Path(sys.argv[1]), PRESETS["default"]
quick = {"default": replace(preset, plan=replace(preset.plan, steps=4), calibration_windows=200)}
table, labels = open_minutes_file(folder / "minutes.parquet"), storage.read(folder / "labels.parquet", LABELS)
with disk_backed_series([table], folder) as every:
    train(every, labels, folder / "m", TrainingConfig(epochs=2), presets=quick, checkpoint=folder / "checkpoint")
# Not from getrusage, which includes the parent process.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def repeated(table: pl.DataFrame, times: int, moments: Sequence[str]) -> pl.DataFrame:
    """The eight hours of the table, repeated."""
    return pl.concat(
        table.with_columns(pl.col(moment) + timedelta(hours=8 * number) for moment in moments)
        for number in range(times)
    )


def written(folder: Path, tables: Tables, times: int) -> Path:
    minutes, labels = repeated(tables[0], times, ["minute"]), repeated(tables[1], times, ["start", "end"])
    write_minutes(minutes.sort("node", "minute"), folder / "minutes.parquet")
    storage.write(labels, LABELS, folder / "labels.parquet")
    return folder / "minutes.parquet"


def same(one: Series, other: Series) -> bool:
    words = ("node", "network", "first_us", "interval_us", "names")
    return (
        all(getattr(one, word) == getattr(other, word) for word in words)
        and np.array_equal(one.observed, other.observed)
        and np.array_equal(one.values[:], other.values[:], equal_nan=True)
    )


def test_series_from_a_file_are_those_of_the_table(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    shuffled = tables[0].sample(fraction=0.8, shuffle=True, seed=1)
    partly = np.where(rng.random(len(shuffled)) < 0.1, 0.3, 1).astype(np.float32)
    holes = pl.when(pl.Series(rng.random(len(shuffled)) < 0.2)).then(None).otherwise(pl.col("in.bye.delay_median"))
    write_minutes(
        shuffled.with_columns(pl.Series("observed", partly), holes.alias("in.bye.delay_median")), tmp_path / "m"
    )
    table = read_minutes(tmp_path / "m")
    expected = build_series(table.frame, table.catalogue.names)
    assert not all(one.observed.all() for one in expected)
    monkeypatch.setattr(MinutesFile.batches, "__defaults__", (37,))
    with disk_backed_series([open_minutes_file(tmp_path / "m")], tmp_path) as found:
        assert [path.name for path in tmp_path.iterdir()] == ["m"]
        assert all(same(*pair) for pair in zip(found, expected, strict=True))
        one, other = found[0], expected[0]
        assert same(one.slice(100, 200), other.slice(100, 200))
        assert np.array_equal(np.asarray(one.values), other.values, equal_nan=True)
        assert np.array_equal(one.values[5:50:7], other.values[5:50:7], equal_nan=True)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda frame: pl.concat([frame, frame[:1]]), "node 'pcscf0' has two rows for one minute"),
        (lambda frame: pl.concat([frame, frame[:1].with_columns(network=pl.lit("other"))]), "is in two networks"),
        (
            lambda frame: pl.concat([frame, frame[:1].with_columns(pl.col("minute") + timedelta(days=800))]),
            r"'pcscf0' span 1152001 intervals, but at most",
        ),
        (lambda frame: frame.with_columns(pl.col("minute") + timedelta(seconds=1)), "does not start at a multiple of"),
        (
            lambda frame: frame.with_columns(pl.lit(-1.0, pl.Float32).alias("in.bye.delay_median")),
            "which is impossible for a seconds",
        ),
        (
            lambda frame: pl.concat([frame, frame[:1].with_columns(minute=pl.lit(None, pl.Datetime("us", "UTC")))]),
            "column 'minute' lacks a value in 1 rows",
        ),
        (lambda frame: frame.with_columns(pl.lit(0.0, pl.Float32).alias("observed")), "`observed` must be above 0"),
    ],
)
def test_invalid_minutes_are_refused(change: object, sentence: str, tables: Tables, tmp_path: Path) -> None:
    assert callable(change)
    named = {"name": SIP_CATALOGUE.name, "hash": SIP_CATALOGUE.hash, "interval_us": 60_000_000}
    change(tables[0]).write_parquet(tmp_path / "m", metadata={CATALOGUE_KEY: json.dumps(named)})
    with pytest.raises(TableError, match=sentence), disk_backed_series([open_minutes_file(tmp_path / "m")], tmp_path):
        raise AssertionError("nothing to work on")


def test_several_files_give_the_same_series(tables: Tables, tmp_path: Path) -> None:
    first = pl.col("node").is_in(["pcscf1", "pcscf3"])
    for name, which in (("a", first), ("b", ~first)):
        write_minutes(tables[0].filter(which), tmp_path / name)
    expected = build_series(tables[0], SIP_CATALOGUE.names)
    with disk_backed_series([open_minutes_file(tmp_path / name) for name in "ab"], tmp_path) as found:
        assert all(same(*pair) for pair in zip(found, expected, strict=True))


def test_incompatible_files_are_refused(tables: Tables, tmp_path: Path) -> None:
    write_minutes(tables[0], tmp_path / "m")
    one = open_minutes_file(tmp_path / "m")
    twice = f"Node 'pcscf0' is in {tmp_path}/m and in {tmp_path}/m; rename one"
    with pytest.raises(TableError, match=twice), disk_backed_series([one, one], tmp_path):
        raise AssertionError("nothing to work on")
    seconds = replace(one, interval_us=10_000_000)
    with (
        pytest.raises(TableError, match="have different features or intervals"),
        disk_backed_series([one, seconds], tmp_path),
    ):
        raise AssertionError("nothing to work on")


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("preset", ["default", "reference-lstm-3d"])
def test_a_training_from_a_file_gives_the_same_weights(preset: str, tables: Tables, tmp_path: Path) -> None:
    minutes = written(tmp_path, tables, 1)
    with disk_backed_series([open_minutes_file(minutes)], tmp_path) as every:
        train(
            every,
            tables[1],
            tmp_path / "file",
            TrainingConfig(epochs=1, preset=preset),
            checkpoint=tmp_path / "checkpoint",
        )
    train(*tables, tmp_path / "table", TrainingConfig(epochs=1, preset=preset))
    one, other = (read_artifact(tmp_path / name) for name in ("file", "table"))
    assert one.graphs == other.graphs
    assert one.manifest.calibration == other.manifest.calibration
    # A checkpoint can be resumed with data from either source.
    resumed = train(
        *tables, tmp_path / "again", TrainingConfig(epochs=1, preset=preset), checkpoint=tmp_path / "checkpoint"
    )
    assert resumed.resumed_after == 1


@pytest.fixture
def long(small: TrainingSet, monkeypatch: pytest.MonkeyPatch) -> TrainingSet:
    """Series that are longer than one block."""
    for module in (dataset, samplers, heldout):
        monkeypatch.setattr(module, "BLOCK_MINUTES", 200)
    return small


def test_a_long_series_is_sampled_block_by_block(long: TrainingSet) -> None:
    people = population_profile([node.full_profile for node in long.nodes], long.kinds)
    draws = ChunkSampler(long, people, np.random.default_rng(1))
    starts, conditions = set(), set()
    for _ in range(30):
        batch = draws.draw()
        assert all(len(slot.inputs) == 200 for slot in draws.slots)
        starts |= {(slot.node, slot.start) for slot in draws.slots}
        conditions |= set(np.unique(batch.code).tolist())
        for chunk, slot in zip(batch.inputs, batch.slot, strict=True):
            held = draws.slots[slot]
            node = long.nodes[held.node]
            profile = draws.population
            if held.profile_minutes:
                profile = node.profile(held.hour, held.hour + held.profile_minutes, long.kinds, 1)
            whole = node.inputs(held.start, held.start + 200, long.kinds, profile, people)
            assert np.array_equal(held.inputs, whole)
            assert any(np.array_equal(chunk, whole[b : b + draws.length]) for b in range(201 - draws.length))
    assert len(starts) > 10
    assert {0, 1, 2} <= conditions
    again = ChunkSampler(long, people, np.random.default_rng(2))
    again.restore(draws.state())
    again.rng.bit_generator.state = draws.rng.bit_generator.state
    assert np.array_equal(again.draw().inputs, draws.draw().inputs)


def test_a_view_in_blocks_scores_every_window_once(small: TrainingSet, monkeypatch: pytest.MonkeyPatch) -> None:
    people = population_profile([node.full_profile for node in small.nodes], small.kinds)
    (whole,) = heldout.HeldOutView(small.nodes[0], small.kinds, people, small.window).blocks
    monkeypatch.setattr(heldout, "BLOCK_MINUTES", 200)
    pieces = [*heldout.HeldOutView(small.nodes[0], small.kinds, people, small.window).blocks]
    assert len(pieces) == 3
    assert np.array_equal(np.concatenate([piece.code for piece in pieces]), whole.code)
    cut = [piece.inputs[end - small.window + 1 : end + 1] for piece in pieces for end in piece.ends]
    expected = [whole.inputs[end - small.window + 1 : end + 1] for end in whole.ends]
    assert all(np.array_equal(*pair) for pair in zip(cut, expected, strict=True))


def test_memory_does_not_grow_with_the_length_of_the_series(tables: Tables, tmp_path: Path) -> None:
    def peak(times: int) -> int:
        folder = tmp_path / str(times)
        folder.mkdir()
        written(folder, tables, times)
        result = subprocess.run([sys.executable, "-c", MEASURED, folder], capture_output=True, text=True, timeout=280)
        assert result.returncode == 0, result.stderr
        return int(result.stdout) // 1024

    # 4 and 40 days of five nodes. In memory they took 708 and 2,812 MB.
    few, many = peak(12), peak(120)
    assert many < 1.15 * few, (few, many)
