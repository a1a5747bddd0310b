from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from faultprint.errors import TableError
from faultprint.evaluate import trees
from faultprint.evaluate.protocols import fivegcore_rows
from faultprint.evaluate.protocols.fivegcore import CATALOGUE, CONDITIONS, INTERVAL_US, ROWS, WORDS, Rows, read
from faultprint.evaluate.protocols.splits import Sizes
from faultprint.evaluate.protocols.trials import trials
from faultprint.windows.series import Series

REAL = Path(__file__).resolve().parents[3] / "../shared/data/5gc-faults"


def invented(rows: int = 1500) -> Rows:
    """Quiet values; each fault raises a feature of its own, five rows at a time."""
    rng = np.random.default_rng(1)
    values = rng.normal(10, 1, (rows, len(CATALOGUE))).astype(np.float32)
    code = np.zeros(rows, np.int64)
    for number, start in enumerate(range(20, rows - 10, 30)):
        fault = 1 + number % (len(CONDITIONS) - 1)
        code[start : start + 5] = fault
        values[start : start + 5, 10 + fault] += 60
    return Rows(Series("n", "n", 0, INTERVAL_US, CATALOGUE.names, values, np.ones(rows, np.bool_)), code)


@pytest.fixture(autouse=True)
def quick_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "_ROUNDS", 12)
    monkeypatch.setattr(trees, "_PARAMETERS", trees._PARAMETERS | {"feature_fraction": 1.0, "learning_rate": 0.3})


@pytest.mark.parametrize("system", ["lightgbm", "lightgbm-raw", "1-nn"])
def test_plain_faults_are_named_in_parts_that_were_not_learnt(system: str) -> None:
    trial = trials("by-time", "5gc-faults", Sizes(), "choose", 1)[0]
    found = fivegcore_rows.play(trial, system, invented(), seconds=60)
    assert found["balanced_accuracy"] > 0.6
    assert found["rows"] == 1500


def test_one_episode_of_a_fault_teaches_it() -> None:
    trial = trials("by-time-one", "5gc-faults", Sizes(), "choose", 1)[0]
    assert fivegcore_rows.play(trial, "1-nn", invented(), seconds=1)["balanced_accuracy"] > 0.8
    assert fivegcore_rows.refuses(trial, "lightgbm")
    assert "five rows" in fivegcore_rows.refuses(trial, "default")


def test_labels_that_say_nothing_teach_nothing() -> None:
    rows = invented()
    shuffled = Rows(rows.series, np.random.default_rng(1).permutation(rows.code))
    trial = trials("by-time", "5gc-faults", Sizes(), "choose", 1)[0]
    assert fivegcore_rows.play(trial, "lightgbm-raw", shuffled, seconds=60)["balanced_accuracy"] < 0.4


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
