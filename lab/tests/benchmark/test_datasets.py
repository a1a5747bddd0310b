from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.synthetic import labels, minute, minutes, random_artefact, told_reach

from faultprint.cases.outliers import remove_outliers
from faultprint.embedding.model import Model
from faultprint.errors import UsageError
from faultprint.windows.labelling import minute_conditions
from faultprint_lab.benchmark.cache import Cache
from faultprint_lab.benchmark.data.datasets import DataFolders, Datasets, first_days, hide, only
from faultprint_lab.benchmark.data.scopes import grounds
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


def test_a_hidden_fault_leaves_unlabelled_time_its_recovery_included() -> None:
    whole = with_recovery(labels("a-1", 300, [(100, 130, "bye-slow"), (200, 220, "invite-errors")]))
    left = hide(whole, ("bye-slow",))
    assert left["condition"].to_list() == ["normal", "normal", "invite-errors", "recovery", "normal"]
    assert left["end"][0] == minute(100) and left["start"][1] == minute(140)
    assert hide(whole, ()).equals(whole)


def test_the_first_days_are_cut_at_their_end_and_no_label_reaches_beyond() -> None:
    tables = minutes("a-1", 300), labels("a-1", 300, [(100, 130, "bye-slow")])
    cut_minutes, cut_labels = first_days(tables, 120 / 1440)
    assert len(cut_minutes) == 120
    assert cut_labels["end"].max() == minute(120)
    assert cut_labels["condition"].to_list() == ["normal", "bye-slow"]
    assert cut_labels.schema == tables[1].schema


def test_only_some_networks_are_left(learnt: Tables) -> None:
    left = only(learnt, {"beta", "delta"})
    assert set(left[0]["network"]) == {"beta", "delta"}
    assert set(left[1]["node"]) == {"beta-1", "delta-1"}


def test_normal_is_the_last_of_the_history_and_windows_are_the_same_whatever_is_known(
    model: Model, met: Tables
) -> None:
    places = {minutes: grounds(met, model, normal=minutes, history=300)[0] for minutes in (0, 10, 60, 200)}
    for known, place in places.items():
        assert int(place.baseline_minutes.sum()) == known
        absolute = place.series.minute_us[place.last_minutes]
        assert absolute[0] == place.series.minute_us[place.begin]
        assert (absolute == places[60].series.minute_us[places[60].last_minutes]).all()
        conditions = minute_conditions(met[1], place.series, ("bye-slow", "register-timeouts"))
        assert conditions.normal[place.baseline_minutes].all()
        assert not place.baseline_minutes[place.begin :].any()
    assert np.flatnonzero(places[60].baseline_minutes)[-1] == places[60].begin - 1


def test_minutes_that_nobody_vouches_for_are_the_last_of_all_sifted(met: Tables) -> None:
    model = Model(told_reach(random_artefact(), 1.2))
    place = grounds(met, model, normal=250, history=300, vouched=False)[0]
    raw = np.zeros(len(place.series), np.bool_)
    raw[place.begin - 250 : place.begin] = True
    assert np.array_equal(place.baseline_minutes, remove_outliers(place.series, raw, model))
    usual = grounds(met, model, normal=200, history=300)[0]
    assert (place.series.minute_us[place.last_minutes] == usual.series.minute_us[usual.last_minutes]).all()


def test_without_a_history_verdicts_begin_after_an_hour_of_normal(model: Model, met: Tables) -> None:
    for known in (0, 10, 60):
        place = grounds(met, model, normal=known, history=None)[0]
        assert place.series.minute_us[place.begin] == place.series.first_us + place.begin * 60_000_000
        assert place.series.minute_us[place.last_minutes[0]] == int(minute(60).timestamp() * 1e6)


def test_a_node_with_too_short_a_history_is_left_out(model: Model, met: Tables) -> None:
    assert grounds(met, model, normal=250, history=240) == []


def test_data_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    stages = Datasets(Cache(tmp_path / "cache"), QUICK, DataFolders(tmp_path / "nowhere", tmp_path / "neither"))
    assert stages.missing("simulated") == ""
    assert "nowhere" in stages.missing("bed") and "neither" in stages.missing("5gc-faults")
    trial = trials("unseen", "bed", QUICK, "choose", 1)[0]
    with pytest.raises(UsageError, match="testbed record"):
        stages.stage(trial)
