"""The benchmark suite from end to end, on small hand-made tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.synthetic import Fault, labels, minutes

from faultprint_lab.benchmark import suite
from faultprint_lab.benchmark.cache import Cache
from faultprint_lab.benchmark.competitors.encoders import Oracle, Retrained
from faultprint_lab.benchmark.data import datasets
from faultprint_lab.benchmark.data.datasets import DataFolders, Datasets
from faultprint_lab.benchmark.prepared import PreparedTrial, prepare
from faultprint_lab.benchmark.results_file import FIGURES, KEYS, REASON
from faultprint_lab.benchmark.splits import Sizes
from faultprint_lab.benchmark.suite import Suite, SuitePlan, run
from faultprint_lab.benchmark.trials import trials

Tables = tuple[pl.DataFrame, pl.DataFrame]

NAMES = ("register-timeouts", "invite-errors", "bye-slow")
LENGTH = 560
HISTORY = 700
SIZES = Sizes(train_networks=5, seconds=1.5, history_days=HISTORY / 1440, learning_curve=(3,))
SYSTEMS = ("default", "lightgbm", "1-nn", "dtw", "minirocket", "thresholds")


def training_tables() -> Tables:
    faults: list[Fault] = [(150 + 150 * n, 180 + 150 * n, name) for n, name in enumerate(NAMES)]
    nodes = [f"{name}-1" for name in ("alpha", "beta", "gamma", "delta", "eta")]
    tables = [minutes(node, LENGTH, faults, seed=seed) for seed, node in enumerate(nodes)]
    return pl.concat(tables), pl.concat([labels(node, LENGTH, faults) for node in nodes])


def scored_tables() -> Tables:
    faults: list[Fault] = [(100 + 200 * n, 130 + 200 * n, name) for n, name in enumerate(NAMES * 2)]
    return minutes("omega-1", 1300, faults, seed=9), labels("omega-1", 1300, faults)


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Hand-made tables instead of simulated ones; the list gets the name of a system whenever it is fitted."""
    names: list[str] = []
    fit = Suite.fitted

    def counted(self: Any, competitor: Any, prepared: PreparedTrial) -> Any:
        names.append(competitor.name)
        return fit(self, competitor, prepared)

    monkeypatch.setattr(datasets.Datasets, "read_train", lambda self, data, networks, seed: training_tables())
    monkeypatch.setattr(datasets.Datasets, "read_scored", lambda self, data, split, temporal, seed: scored_tables())
    monkeypatch.setattr(Suite, "fitted", counted)
    return names


def test_every_system_has_a_row_and_finished_rows_are_not_computed_again(
    fitted: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A protocol with a single trial, with the slow systems as well.
    monkeypatch.setitem(suite.LINEUPS, "learning-curve", suite.COMPETITORS)  # type: ignore[arg-type]
    plan = SuitePlan(protocols=("learning-curve",), data=("simulated",), systems=SYSTEMS, seeds=(1,), sizes=SIZES)
    progress: list[tuple[int, int]] = []
    rows = run(plan, tmp_path, DataFolders(), lambda done, total, note: progress.append((done, total)))
    assert progress == [(n, len(SYSTEMS)) for n in range(1, len(SYSTEMS) + 1)]
    assert all({*KEYS, REASON, *FIGURES} <= {*row} for row in rows)
    by_system = {row["system"]: row for row in rows}
    assert len({(row["windows"], row["episodes"]) for row in rows}) == 1
    assert by_system["default"]["episodes"] == 3
    # The faults are clear; normal alone would give a quarter. What a network or trees learn depends on the seconds they get.
    for system, minimum in (("1-nn", 0.3), ("dtw", 0.5), ("minirocket", 0.5)):
        assert by_system[system]["macro_f1_exposed"] > minimum, system
    assert by_system["thresholds"]["episodes_found"] == 0  # its rules name other faults
    times = len(fitted)
    assert run(plan, tmp_path, DataFolders()) == rows
    assert len(fitted) == times


def test_hours_of_a_fault_are_suspected_more_often_than_normal_ones(
    fitted: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults: list[Fault] = [(750 + 180 * n, 820 + 180 * n, name) for n, name in enumerate(NAMES)]
    long = minutes("omega-1", 1300, faults, seed=9), labels("omega-1", 1300, faults)
    monkeypatch.setattr(datasets.Datasets, "read_scored", lambda self, data, split, temporal, seed: long)
    plan = SuitePlan(protocols=("baseline-check",), data=("simulated",), seeds=(1,), sizes=SIZES)
    (row,) = run(plan, tmp_path, DataFolders())
    # Windows that end from the 54th minute of a fault to six minutes after it hold 54 faulty minutes.
    assert row["hours"] > 3 * 10
    assert row["suspect_normal"] < 0.1 < 0.3 < row["suspect_named"] <= row["suspect_fault"]


def test_less_normal_traffic_scores_the_same_windows(fitted: list[str], tmp_path: Path) -> None:
    plan = SuitePlan(protocols=("unseen",), data=("simulated",), systems=("default", "1-nn"), seeds=(1,), sizes=SIZES)
    rows = run(plan, tmp_path, DataFolders())
    too_much = [row for row in rows if row["variant"] == "a day"]
    assert len(too_much) == 2 and all("1440 minutes" in row[REASON] for row in too_much)
    assert len({row["windows"] for row in rows if not row[REASON]}) == 1
    assert {row["variant"] for row in rows if not row[REASON]} == {"an hour", "ten minutes", "none"}


def test_a_hidden_fault_is_enrolled_or_unknown(fitted: list[str], tmp_path: Path) -> None:
    plan = SuitePlan(
        protocols=("new-fault", "open-set"),
        data=("simulated",),
        systems=("default", "lightgbm", "1-nn", "thresholds"),
        seeds=(1,),
        sizes=SIZES,
    )
    rows = {(row["variant"], row["system"]): row for row in run(plan, tmp_path, DataFolders())}
    other_network, same_node = "1 reference, other network", "1 reference, same node"
    assert rows[same_node, "thresholds"][REASON]
    for system in ("default", "lightgbm", "1-nn"):
        assert rows[other_network, system]["hidden_f1_exposed"] is not None
        assert rows["no reference", system]["hidden_f1"] is None
        assert 0 <= rows["no reference", system]["auroc"] <= 1
    assert rows[same_node, "default"]["auroc"] is None
    assert rows[same_node, "1-nn"]["hidden_f1_exposed"] > 0.3


def test_hidden_faults_are_not_in_the_training_data(fitted: list[str], tmp_path: Path) -> None:
    store = Datasets(Cache(tmp_path), SIZES, DataFolders())
    prepared = prepare(trials("new-fault", "simulated", SIZES, "validation", 1)[2], store, store.cache, SIZES)
    data, hidden = prepared.data, {*prepared.hidden}
    assert prepared.hidden == (sorted(NAMES)[1],)
    assert not {*data.split.train_labels["condition"], *data.split.calibration_labels["condition"]} & hidden
    assert hidden.isdisjoint(prepared.model.manifest.training["conditions"])
    assert {example.enrolment.condition for example in data.examples} == {*NAMES} - hidden
    assert [example.enrolment.condition for example in prepared.enrolled] == [*prepared.hidden]
    oracle = suite.LINEUPS["new-fault"]["oracle"]
    assert isinstance(oracle, Oracle)
    assert hidden <= {*oracle.model(data).manifest.training["conditions"]}
    retrained = suite.LINEUPS["new-fault"]["retrained"]
    assert isinstance(retrained, Retrained)
    record = retrained.retrained_model(data, prepared.enrolled).manifest.training
    assert hidden == {*record["retold"]} <= {*record["conditions"]}
    assert prepared.model.manifest.training["held_out"] == record["held_out"]
    assert retrained.fit(data).with_examples(prepared.enrolled).name == "retrained"
    open_set_trial = trials("open-set", "simulated", SIZES, "validation", 1)[0]
    assert "nothing is enrolled" in retrained.exclusion_reason(open_set_trial)
    calibration = {scope.series.network for scope in prepared.calibration_scopes}
    assert calibration and calibration.isdisjoint(data.split.train["network"])
    assert {example.series.network for example in prepared.enrolled}.isdisjoint(calibration)
    (of_node,) = prepared.enrolled_by_node.values()
    begin = prepared.scopes[0].series.minute_us[prepared.scopes[0].begin]
    assert all(example.enrolment.interval[1].timestamp() * 1e6 <= begin for example in of_node)


def test_missing_data_is_a_reason_in_the_row(tmp_path: Path) -> None:
    plan = SuitePlan(
        protocols=("unseen", "blocked-cv"), data=("testbed", "5gc-faults"), systems=("default",), seeds=(1,)
    )
    rows = run(plan, tmp_path, DataFolders(tmp_path / "no-testbed", tmp_path / "no-core"))
    assert rows and all("does not exist" in row[REASON] for row in rows)
    json.dumps(rows, allow_nan=False)
