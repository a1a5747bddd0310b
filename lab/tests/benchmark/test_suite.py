"""The suite end to end, on minutes made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.synthetic import Fault, labels, minutes

from faultprint_lab.benchmark import suite
from faultprint_lab.benchmark.competitors.encoders import Oracle, Retrained
from faultprint_lab.benchmark.data import datasets
from faultprint_lab.benchmark.data.datasets import DataFolders
from faultprint_lab.benchmark.prepared import PreparedTrial
from faultprint_lab.benchmark.results_file import FIGURES, KEYS, REASON
from faultprint_lab.benchmark.splits import Sizes
from faultprint_lab.benchmark.suite import SuitePlan, run

Tables = tuple[pl.DataFrame, pl.DataFrame]

NAMES = ("register-timeouts", "invite-errors", "bye-slow")
LENGTH = 560
HISTORY = 700
SIZES = Sizes(train_networks=5, seconds=1.5, history_days=HISTORY / 1440, few=(3,))
SYSTEMS = ("default", "lightgbm", "1-nn", "dtw", "minirocket", "thresholds")


def learn() -> Tables:
    faults: list[Fault] = [(150 + 150 * n, 180 + 150 * n, name) for n, name in enumerate(NAMES)]
    nodes = [f"{name}-1" for name in ("alpha", "beta", "gamma", "delta", "eta")]
    tables = [minutes(node, LENGTH, faults, seed=seed) for seed, node in enumerate(nodes)]
    return pl.concat(tables), pl.concat([labels(node, LENGTH, faults) for node in nodes])


def meet() -> Tables:
    faults: list[Fault] = [(100 + 200 * n, 130 + 200 * n, name) for n, name in enumerate(NAMES * 2)]
    return minutes("omega-1", 1300, faults, seed=9), labels("omega-1", 1300, faults)


@pytest.fixture
def town(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Tables made by hand instead of simulated ones; returns the names of the systems that learn, as they do."""
    learnt: list[str] = []
    student = suite._Suite._student

    def counted(self: Any, contender: Any, setting: PreparedTrial) -> Any:
        learnt.append(contender.name)
        return student(self, contender, setting)

    monkeypatch.setattr(datasets.Datasets, "_read_learn", lambda self, data, networks, seed: learn())
    monkeypatch.setattr(datasets.Datasets, "_read_meet", lambda self, data, split, later, seed: meet())
    monkeypatch.setattr(suite._Suite, "_student", counted)
    return learnt


def test_every_system_is_asked_and_what_is_done_is_not_done_again(
    town: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A protocol of a single trial, asked of the slow ones, too.
    monkeypatch.setitem(suite.LINE_UPS, "few", suite.CONTENDERS)  # type: ignore[arg-type]
    plan = SuitePlan(protocols=("few",), data=("simulated",), systems=SYSTEMS, seeds=(1,), sizes=SIZES)
    told: list[tuple[int, int]] = []
    rows = run(plan, tmp_path, DataFolders(), lambda done, total, words: told.append((done, total)))
    assert told == [(n, len(SYSTEMS)) for n in range(1, len(SYSTEMS) + 1)]
    assert all({*KEYS, REASON, *FIGURES} <= {*row} for row in rows)
    found = {row["system"]: row for row in rows}
    assert len({(row["windows"], row["episodes"]) for row in rows}) == 1
    assert found["default"]["episodes"] == 3
    # Signs that cannot be mistaken; normal alone gives a quarter. What a network or trees learn depends on the seconds they get.
    for system, least in (("1-nn", 0.3), ("dtw", 0.5), ("minirocket", 0.5)):
        assert found[system]["macro_f1_exposed"] > least, system
    assert found["thresholds"]["episodes_found"] == 0  # its rules name other faults
    times = len(town)
    assert run(plan, tmp_path, DataFolders()) == rows
    assert len(town) == times


def test_hours_of_a_fault_are_doubted_more_than_normal_ones(
    town: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults: list[Fault] = [(750 + 180 * n, 820 + 180 * n, name) for n, name in enumerate(NAMES)]
    long = minutes("omega-1", 1300, faults, seed=9), labels("omega-1", 1300, faults)
    monkeypatch.setattr(datasets.Datasets, "_read_meet", lambda self, data, split, later, seed: long)
    (row,) = run(
        SuitePlan(protocols=("doubtful",), data=("simulated",), seeds=(1,), sizes=SIZES), tmp_path, DataFolders()
    )
    # Nine tenths of them are held by the windows that end from the 54th minute of a fault to six after it.
    assert row["hours"] > 3 * 10
    assert row["doubted_normal"] < 0.1 < 0.3 < row["doubted_by_name"] <= row["doubted_fault"]


def test_less_normal_traffic_asks_about_the_same_windows(town: list[str], tmp_path: Path) -> None:
    plan = SuitePlan(protocols=("unseen",), data=("simulated",), systems=("default", "1-nn"), seeds=(1,), sizes=SIZES)
    rows = run(plan, tmp_path, DataFolders())
    too_much = [row for row in rows if row["variant"] == "a day"]
    assert len(too_much) == 2 and all("1440 minutes" in row[REASON] for row in too_much)
    assert len({row["windows"] for row in rows if not row[REASON]}) == 1
    assert {row["variant"] for row in rows if not row[REASON]} == {"an hour", "ten minutes", "none"}


def test_a_fault_that_training_never_saw_is_taught_or_unknown(town: list[str], tmp_path: Path) -> None:
    plan = SuitePlan(
        protocols=("new-fault", "unknown"),
        data=("simulated",),
        systems=("default", "lightgbm", "1-nn", "thresholds"),
        seeds=(1,),
        sizes=SIZES,
    )
    rows = {(row["variant"], row["system"]): row for row in run(plan, tmp_path, DataFolders())}
    assert rows["one, own", "thresholds"][REASON]
    for system in ("default", "lightgbm", "1-nn"):
        assert rows["one, elsewhere", system]["hidden_f1_exposed"] is not None
        assert rows["no reference", system]["hidden_f1"] is None
        assert 0 <= rows["no reference", system]["auroc"] <= 1
    assert rows["one, own", "default"]["auroc"] is None
    assert rows["one, own", "1-nn"]["hidden_f1_exposed"] > 0.3


def test_hidden_faults_leave_no_trace_in_what_is_learnt(town: list[str], tmp_path: Path) -> None:
    from faultprint_lab.benchmark.cache import Cache
    from faultprint_lab.benchmark.prepared import make_ready
    from faultprint_lab.benchmark.trials import trials

    stages = datasets.Datasets(Cache(tmp_path), SIZES, DataFolders())
    found = make_ready(trials("new-fault", "simulated", SIZES, "choose", 1)[2], stages, stages.cache, SIZES)
    assert found.hidden == (sorted(NAMES)[1],)
    words = {*found.school.lessons.taught_labels["condition"], *found.school.lessons.kept_labels["condition"]}
    assert not words & {*found.hidden}
    assert {*found.hidden}.isdisjoint(found.model.manifest.training["conditions"])
    assert {one.enrolment.condition for one in found.school.known} == {*NAMES} - {*found.hidden}
    assert [one.enrolment.condition for one in found.given] == [*found.hidden]
    knowing = suite.LINE_UPS["new-fault"]["forewarned"]
    assert isinstance(knowing, Oracle)
    assert {*found.hidden} <= {*knowing.model(found.school).manifest.training["conditions"]}
    relearning = suite.LINE_UPS["new-fault"]["relearnt"]
    assert isinstance(relearning, Retrained)
    anew = relearning.anew(found.school, found.given).manifest.training
    assert {*found.hidden} == {*anew["retold"]} <= {*anew["conditions"]}
    assert found.model.manifest.training["held_out"] == anew["held_out"]
    assert relearning.learn(found.school).system(found.given).name == "relearnt"
    assert "nothing is taught" in relearning.refuses(trials("unknown", "simulated", SIZES, "choose", 1)[0])
    kept = {place.series.network for place in found.kept}
    assert kept and kept.isdisjoint(found.school.lessons.taught["network"])
    assert {one.series.network for one in found.given}.isdisjoint(kept)
    (own,) = found.own.values()
    begin = found.places[0].series.minute_us[found.places[0].begin]
    assert all(one.enrolment.interval[1].timestamp() * 1e6 <= begin for one in own)


def test_data_that_is_missing_is_a_reason_in_the_row(tmp_path: Path) -> None:
    plan = SuitePlan(protocols=("unseen", "by-time"), data=("bed", "5gc-faults"), systems=("default",), seeds=(1,))
    rows = run(plan, tmp_path, DataFolders(tmp_path / "no-beds", tmp_path / "no-core"))
    assert rows and all("is not here" in row[REASON] for row in rows)
    json.dumps(rows, allow_nan=False)
