from __future__ import annotations

import gzip
import itertools
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faultprint.errors import TableError
from faultprint.windows.series import Series
from faultprint_lab.baselines import trees
from faultprint_lab.benchmark.fivegcore import cross_validation, encoder, row_features
from faultprint_lab.benchmark.fivegcore.dataset import (
    CATALOGUE,
    CONDITIONS,
    FUNCTIONS,
    INTERVAL_US,
    LABELS_FILE,
    VALUES_FILE,
    CoreRows,
    read,
)
from faultprint_lab.benchmark.splits import Sizes
from faultprint_lab.benchmark.trials import trials

MOVED = (("in_octets", 5e5), ("down", 1), ("out_octets", 5e5), ("memory_state", 1), ("core0_idle", 0))
"""The figure that each fault changes, and its value."""
REAL = Path(__file__).resolve().parents[3] / "../shared/data/5gc-faults"


def made_up(rows: int = 1500, functions: tuple[str, ...] = FUNCTIONS[:1]) -> CoreRows:
    """Little traffic and idle cores; each fault changes another figure for five rows, of one function after another."""
    rng = np.random.default_rng(1)
    values = np.zeros((rows, len(CATALOGUE)), np.float32)
    for column, feature in enumerate(CATALOGUE.features):
        if feature.kind == "count":
            values[:, column] = rng.integers(0, 5000, rows)
        elif "idle" in feature.name:
            values[:, column] = rng.uniform(0.97, 1, rows)
    code = np.zeros(rows, np.int64)
    for number, start in enumerate(range(20, rows - 10, 30)):
        turn, fault = divmod(number, len(CONDITIONS) - 1)
        figure, moved = MOVED[fault]
        code[start : start + 5] = fault + 1
        values[start : start + 5, CATALOGUE.index(f"{functions[turn % len(functions)]}.{figure}")] = moved
    return CoreRows(Series("n", "n", 0, INTERVAL_US, CATALOGUE.names, values, np.ones(rows, np.bool_)), code)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "STEPS", 60)
    monkeypatch.setattr(encoder, "MEMBERS", 2)
    monkeypatch.setattr(trees, "_ROUNDS", 12)
    monkeypatch.setattr(trees, "_PARAMETERS", trees._PARAMETERS | {"feature_fraction": 1.0, "learning_rate": 0.3})


@pytest.mark.parametrize("system", [*cross_validation.CLASSIFIERS["blocked-cv"]])
def test_clear_faults_are_named_in_blocks_that_were_not_used_for_the_fit(system: str) -> None:
    trial = trials("blocked-cv", "5gc-faults", Sizes(), "test", 1)[0]
    found = cross_validation.run_trial(trial, system, made_up(), seconds=60)
    assert found["balanced_accuracy"] > 0.6
    assert found["rows"] == 1500


def test_the_validation_split_has_no_row_of_the_last_two_blocks() -> None:
    rows = made_up()
    later = CoreRows(rows.series, rows.code.copy())
    later.code[900:] = 0
    trial = trials("blocked-cv", "5gc-faults", Sizes(), "validation", 1)[0]
    figures = [cross_validation.run_trial(trial, "1-nn", one, seconds=1) for one in (rows, later)]
    assert figures[0] == figures[1]
    assert figures[0]["rows"] == 900


def test_one_episode_of_a_fault_is_enough() -> None:
    trial = trials("blocked-cv-one-shot", "5gc-faults", Sizes(), "test", 1)[0]
    assert cross_validation.run_trial(trial, "1-nn", made_up(), seconds=1)["balanced_accuracy"] > 0.8
    assert not cross_validation.exclusion_reason(trial, "default")
    assert "one episode" in cross_validation.exclusion_reason(trial, "lightgbm")
    assert "five rows" in cross_validation.exclusion_reason(trial, "reference-lstm")


def test_a_fault_of_one_function_is_named_on_another() -> None:
    rows = made_up(functions=FUNCTIONS)
    known = (rows.code == 0) | (
        np.arange(len(rows.code)) < 20 + 5 * 30
    )  # of each kind one episode, all on one function
    predicted = cross_validation.CLASSIFIERS["blocked-cv-one-shot"]["default"](rows, known, 1, 1.0)
    others = ~known & np.isin(rows.code, [CONDITIONS.index(name) for name in ("interface-down", "memory-stress")])
    assert others.sum() > 50
    assert (predicted[others] == rows.code[others]).mean() > 0.9


def test_no_encoder_starts_after_the_time_limit_except_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "STEPS", 2)
    begun: list[int] = []
    learn = encoder.RowEncoder.fit

    def counted(self: Any, *given: Any) -> None:
        begun.append(1)
        learn(self, *given)

    monkeypatch.setattr(encoder.RowEncoder, "fit", counted)
    rows = made_up(300)
    inputs, known = rows.series.values, np.ones(300, np.bool_)
    for seconds, expected in ((0.5, 1), (9.0, encoder.MEMBERS)):
        begun.clear()
        clock = partial(next, itertools.count(0.0))
        probabilities = encoder.encoder_probabilities(
            inputs, known, rows.code, len(CONDITIONS), seed=1, seconds=seconds, clock=clock
        )
        assert len(begun) == expected
        assert probabilities.sum(axis=1) == pytest.approx(np.ones(300), abs=1e-5)


def test_a_row_has_its_neighbours() -> None:
    column = np.arange(4, dtype=np.float32)[:, None]
    assert row_features.with_neighbours(column, 1).tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 3]]


def test_features_are_finite_where_a_row_is_missing_and_the_mean_of_normal_rows_is_zero() -> None:
    rows = made_up(400)
    rows.series.values[7] = np.nan
    rows.series.observed[7] = False
    normal = (rows.code == 0) & rows.series.observed
    for figures in (row_features.all_features(rows, normal), row_features.shared_features(rows, normal)):
        assert np.isfinite(figures).all()
        assert len(figures) == 400
    assert row_features.all_features(rows, normal)[normal].mean(axis=0) == pytest.approx(0, abs=1e-3)


def test_features_do_not_depend_on_unknown_rows() -> None:
    rows = made_up(400)
    normal = (rows.code == 0) & (np.arange(400) < 300)
    before = row_features.all_features(rows, normal)[:300]
    rows.series.values[300:] += 50
    assert np.array_equal(row_features.all_features(rows, normal)[:300], before)


def test_shuffled_labels_give_no_skill() -> None:
    rows = made_up()
    shuffled = CoreRows(rows.series, np.random.default_rng(1).permutation(rows.code))
    trial = trials("blocked-cv", "5gc-faults", Sizes(), "test", 1)[0]
    assert cross_validation.run_trial(trial, "lightgbm-raw", shuffled, seconds=60)["balanced_accuracy"] < 0.4


def write(folder: Path, values: str, labels: str) -> None:
    for name, text in ((VALUES_FILE, values), (LABELS_FILE, labels)):
        with gzip.open(folder / name, "wt") as file:
            file.write(text)


def test_a_damaged_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="download it again"):
        read(tmp_path)
    write(tmp_path, "1 2 3\n", "0\n")
    with pytest.raises(TableError, match="do not match"):
        read(tmp_path)
    write(tmp_path, " ".join("0" * len(CATALOGUE)) + "\n", "9\n")
    with pytest.raises(TableError, match="download the files again"):
        read(tmp_path)


def test_a_row_with_a_counter_reset_is_unobserved(tmp_path: Path) -> None:
    quiet = ["0"] * len(CATALOGUE)
    reset = [*quiet[:3], "3701525850", *quiet[4:]]
    write(tmp_path, "\n".join(" ".join(row) for row in (quiet, reset)) + "\n", "0\n0\n")
    found = read(tmp_path)
    assert found.series.observed.tolist() == [True, False]
    assert np.isnan(found.series.values[1]).all()


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL} is not here: the 5G core's table is not part of Faultprint")
def test_the_real_table_has_the_published_size_and_labels() -> None:
    found = read(REAL)
    assert len(CATALOGUE) == 33
    assert found.series.values.shape == (11740, 33)
    assert np.bincount(found.code).tolist() == [11000, 152, 146, 145, 149, 148]
    down = found.series.values[:, CATALOGUE.index("udm.down")] == 1
    assert set(found.code[down]) == {CONDITIONS.index("interface-down")}


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL} is not here: the 5G core's table is not part of Faultprint")
def test_one_real_episode_of_a_fault_is_better_with_row_features_than_with_columns() -> None:
    rows = read(REAL)
    asked = [trials("blocked-cv-one-shot", "5gc-faults", Sizes(), "validation", seed)[0] for seed in (1, 2, 3)]
    ours, plain = (
        np.mean([cross_validation.run_trial(trial, system, rows, seconds=60)["balanced_accuracy"] for trial in asked])
        for system in ("default", "1-nn")
    )
    assert ours > 0.5
    assert ours > plain + 0.1
