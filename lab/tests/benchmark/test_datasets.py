from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.synthetic import labels, minute, minutes, random_artifact, with_normal_distance

from faultprint.cases.baseline import remove_outliers
from faultprint.embedding.model import Model
from faultprint.errors import UsageError
from faultprint.windows.labelling import label_minutes
from faultprint_lab.benchmark.cache import Cache
from faultprint_lab.benchmark.data.datasets import DataFolders, Datasets, first_days, hide, only
from faultprint_lab.benchmark.data.scopes import trial_scopes
from faultprint_lab.benchmark.splits import QUICK
from faultprint_lab.benchmark.trials import trials

Tables = tuple[pl.DataFrame, pl.DataFrame]


def with_recovery(frame: pl.DataFrame) -> pl.DataFrame:
    """The first ten minutes after every fault are its recovery."""
    rows = []
    before = ""
    for row in frame.iter_rows(named=True):
        if row["condition"] == "normal" and before not in ("", "normal"):
            middle = row["start"] + timedelta(minutes=10)
            rows += [{**row, "end": middle, "condition": "recovery"}, {**row, "start": middle}]
        else:
            rows.append(row)
        before = row["condition"]
    return pl.DataFrame(rows, schema=frame.schema)


def test_a_hidden_fault_and_its_recovery_have_no_label() -> None:
    whole = with_recovery(labels("a-1", 300, [(100, 130, "bye-slow"), (200, 220, "invite-errors")]))
    visible = hide(whole, ("bye-slow",))
    assert visible["condition"].to_list() == ["normal", "normal", "invite-errors", "recovery", "normal"]
    assert visible["end"][0] == minute(100) and visible["start"][1] == minute(140)
    assert hide(whole, ()).equals(whole)


def test_labels_of_the_first_days_are_cut_at_their_end() -> None:
    tables = minutes("a-1", 300), labels("a-1", 300, [(100, 130, "bye-slow")])
    cut_minutes, cut_labels = first_days(tables, 120 / 1440)
    assert len(cut_minutes) == 120
    assert cut_labels["end"].max() == minute(120)
    assert cut_labels["condition"].to_list() == ["normal", "bye-slow"]
    assert cut_labels.schema == tables[1].schema


def test_only_the_named_networks_are_kept(known_networks: Tables) -> None:
    visible = only(known_networks, {"beta", "delta"})
    assert set(visible[0]["network"]) == {"beta", "delta"}
    assert set(visible[1]["node"]) == {"beta-1", "delta-1"}


def test_normal_minutes_are_the_last_of_the_history_and_windows_are_the_same_for_all_amounts(
    model: Model, new_network: Tables
) -> None:
    scopes = {minutes: trial_scopes(new_network, model, normal=minutes, history=300)[0] for minutes in (0, 10, 60, 200)}
    for known, scope in scopes.items():
        assert int(scope.baseline_minutes.sum()) == known
        absolute = scope.series.minute_us[scope.last_minutes]
        assert absolute[0] == scope.series.minute_us[scope.begin]
        assert (absolute == scopes[60].series.minute_us[scopes[60].last_minutes]).all()
        conditions = label_minutes(new_network[1], scope.series, ("bye-slow", "register-timeouts"))
        assert conditions.normal[scope.baseline_minutes].all()
        assert not scope.baseline_minutes[scope.begin :].any()
    assert np.flatnonzero(scopes[60].baseline_minutes)[-1] == scopes[60].begin - 1


def test_untrusted_minutes_are_the_last_of_all_without_outliers(new_network: Tables) -> None:
    model = Model(with_normal_distance(random_artifact(), 1.2))
    scope = trial_scopes(new_network, model, normal=250, history=300, trusted=False)[0]
    last_minutes = np.zeros(len(scope.series), np.bool_)
    last_minutes[scope.begin - 250 : scope.begin] = True
    assert np.array_equal(scope.baseline_minutes, remove_outliers(scope.series, last_minutes, model))
    trusted = trial_scopes(new_network, model, normal=200, history=300)[0]
    assert (scope.series.minute_us[scope.last_minutes] == trusted.series.minute_us[trusted.last_minutes]).all()


def test_without_a_history_verdicts_begin_after_an_hour_of_normal_minutes(model: Model, new_network: Tables) -> None:
    for known in (0, 10, 60):
        scope = trial_scopes(new_network, model, normal=known, history=None)[0]
        assert scope.series.minute_us[scope.begin] == scope.series.first_us + scope.begin * 60_000_000
        assert scope.series.minute_us[scope.last_minutes[0]] == int(minute(60).timestamp() * 1e6)


def test_a_node_with_too_short_a_history_is_left_out(model: Model, new_network: Tables) -> None:
    assert trial_scopes(new_network, model, normal=250, history=240) == []


def test_missing_data_is_named(tmp_path: Path) -> None:
    datasets = Datasets(Cache(tmp_path / "cache"), QUICK, DataFolders(tmp_path / "nowhere", tmp_path / "neither"))
    assert datasets.missing("simulated") == ""
    assert "nowhere" in datasets.missing("testbed") and "neither" in datasets.missing("5gc-faults")
    trial = trials("unseen", "testbed", QUICK, "validation", 1)[0]
    with pytest.raises(UsageError, match="testbed record"):
        datasets.dataset(trial)
