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
from faultprint_lab.benchmark.fivegcore import cross_validation as core_rows
from faultprint_lab.benchmark.fivegcore import encoder, row_features
from faultprint_lab.benchmark.fivegcore.dataset import (
    CATALOGUE,
    CONDITIONS,
    FUNCTIONS,
    INTERVAL_US,
    ROWS,
    WORDS,
    CoreRows,
    read,
)
from faultprint_lab.benchmark.splits import Sizes
from faultprint_lab.benchmark.trials import trials

MOVED = (("in_octets", 5e5), ("down", 1), ("out_octets", 5e5), ("memory_state", 1), ("core0_idle", 0))
"""A figure for each fault, and what it then is."""
REAL = Path(__file__).resolve().parents[3] / "../shared/data/5gc-faults"


def invented(rows: int = 1500, functions: tuple[str, ...] = FUNCTIONS[:1]) -> CoreRows:
    """Little traffic and idle cores; each fault moves a figure of its own, five rows at a time, of the functions in turn."""
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


@pytest.mark.parametrize("system", [*core_rows.NAMERS["by-time"]])
def test_plain_faults_are_named_in_parts_that_were_not_learnt(system: str) -> None:
    trial = trials("by-time", "5gc-faults", Sizes(), "report", 1)[0]
    found = core_rows.play(trial, system, invented(), seconds=60)
    assert found["balanced_accuracy"] > 0.6
    assert found["rows"] == 1500


def test_the_last_two_parts_are_not_chosen_on() -> None:
    rows = invented()
    later = CoreRows(rows.series, rows.code.copy())
    later.code[900:] = 0
    trial = trials("by-time", "5gc-faults", Sizes(), "choose", 1)[0]
    figures = [core_rows.play(trial, "1-nn", one, seconds=1) for one in (rows, later)]
    assert figures[0] == figures[1]
    assert figures[0]["rows"] == 900


def test_one_episode_of_a_fault_teaches_it() -> None:
    trial = trials("by-time-one", "5gc-faults", Sizes(), "report", 1)[0]
    assert core_rows.play(trial, "1-nn", invented(), seconds=1)["balanced_accuracy"] > 0.8
    assert not core_rows.refuses(trial, "default")
    assert "one episode" in core_rows.refuses(trial, "lightgbm")
    assert "five rows" in core_rows.refuses(trial, "posts")


def test_a_fault_taught_on_one_function_is_named_on_another() -> None:
    rows = invented(functions=FUNCTIONS)
    taught = (rows.code == 0) | (
        np.arange(len(rows.code)) < 20 + 5 * 30
    )  # of each kind one episode, all on one function
    said = core_rows.NAMERS["by-time-one"]["default"](rows, taught, 1, 1.0)
    others = ~taught & np.isin(rows.code, [CONDITIONS.index(name) for name in ("interface-down", "memory-stress")])
    assert others.sum() > 50
    assert (said[others] == rows.code[others]).mean() > 0.9


def test_no_encoder_is_begun_when_the_time_is_spent_but_one_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "STEPS", 2)
    begun: list[int] = []
    learn = encoder._Member.learn

    def counted(self: Any, *given: Any) -> None:
        begun.append(1)
        learn(self, *given)

    monkeypatch.setattr(encoder._Member, "learn", counted)
    rows = invented(300)
    inputs, known = rows.series.values, np.ones(300, np.bool_)
    for seconds, expected in ((0.5, 1), (9.0, encoder.MEMBERS)):
        begun.clear()
        clock = partial(next, itertools.count(0.0))
        chances = encoder.judged(inputs, known, rows.code, len(CONDITIONS), seed=1, seconds=seconds, clock=clock)
        assert len(begun) == expected
        assert chances.sum(axis=1) == pytest.approx(np.ones(300), abs=1e-5)


def test_a_row_stands_among_its_neighbours() -> None:
    column = np.arange(4, dtype=np.float32)[:, None]
    assert row_features.among(column, 1).tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 3]]


def test_signs_are_finite_where_a_row_is_missing_and_normal_rows_are_their_origin() -> None:
    rows = invented(400)
    rows.series.values[7] = np.nan
    rows.series.observed[7] = False
    normal = (rows.code == 0) & rows.series.observed
    for figures in (row_features.signs(rows, normal), row_features.shared_signs(rows, normal)):
        assert np.isfinite(figures).all()
        assert len(figures) == 400
    assert row_features.signs(rows, normal)[normal].mean(axis=0) == pytest.approx(0, abs=1e-3)


def test_signs_do_not_depend_on_what_is_not_known() -> None:
    rows = invented(400)
    normal = (rows.code == 0) & (np.arange(400) < 300)
    before = row_features.signs(rows, normal)[:300]
    rows.series.values[300:] += 50
    assert np.array_equal(row_features.signs(rows, normal)[:300], before)


def test_labels_that_say_nothing_teach_nothing() -> None:
    rows = invented()
    shuffled = CoreRows(rows.series, np.random.default_rng(1).permutation(rows.code))
    trial = trials("by-time", "5gc-faults", Sizes(), "report", 1)[0]
    assert core_rows.play(trial, "lightgbm-raw", shuffled, seconds=60)["balanced_accuracy"] < 0.4


def write(folder: Path, values: str, words: str) -> None:
    for name, text in ((ROWS, values), (WORDS, words)):
        with gzip.open(folder / name, "wt") as file:
            file.write(text)


def test_a_damaged_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="fetch it anew"):
        read(tmp_path)
    write(tmp_path, "1 2 3\n", "0\n")
    with pytest.raises(TableError, match="do not go with"):
        read(tmp_path)
    write(tmp_path, " ".join("0" * len(CATALOGUE)) + "\n", "9\n")
    with pytest.raises(TableError, match="fetch the files anew"):
        read(tmp_path)


def test_a_counters_reset_is_not_observed(tmp_path: Path) -> None:
    quiet = ["0"] * len(CATALOGUE)
    reset = [*quiet[:3], "3701525850", *quiet[4:]]
    write(tmp_path, "\n".join(" ".join(row) for row in (quiet, reset)) + "\n", "0\n0\n")
    found = read(tmp_path)
    assert found.series.observed.tolist() == [True, False]
    assert np.isnan(found.series.values[1]).all()


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL} is not here: the 5G core's table is not part of Faultprint")
def test_the_real_table_is_as_its_makers_say() -> None:
    found = read(REAL)
    assert len(CATALOGUE) == 33
    assert found.series.values.shape == (11740, 33)
    assert np.bincount(found.code).tolist() == [11000, 152, 146, 145, 149, 148]
    down = found.series.values[:, CATALOGUE.index("udm.down")] == 1
    assert set(found.code[down]) == {CONDITIONS.index("interface-down")}


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL} is not here: the 5G core's table is not part of Faultprint")
def test_one_real_episode_of_a_fault_teaches_it_better_than_the_plain_columns() -> None:
    rows = read(REAL)
    asked = [trials("by-time-one", "5gc-faults", Sizes(), "choose", seed)[0] for seed in (1, 2, 3)]
    ours, plain = (
        np.mean([core_rows.play(trial, system, rows, seconds=60)["balanced_accuracy"] for trial in asked])
        for system in ("default", "1-nn")
    )
    assert ours > 0.5
    assert ours > plain + 0.1
