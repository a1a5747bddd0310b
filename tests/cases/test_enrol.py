"""Enrolment: which windows count, what a reference holds, what is refused."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from tests.synthetic import labels, minute, minutes

from faultprint.cases.baseline import Baseline, first_minutes
from faultprint.cases.centering import center, minutes_within, node_series
from faultprint.cases.enrol import (
    MAX_LAG,
    MIN_FAULT_MINUTES,
    Enrolment,
    enrol,
    enrol_examples,
    examples,
    medoid_examples,
    one_per_condition,
    overlapping_windows,
)
from faultprint.embedding.model import Model
from faultprint.errors import LibraryError, UsageError

NOW = datetime(2026, 2, 1, tzinfo=UTC)
FAULT = (100, 130, "register-timeouts")
ENROLMENT = Enrolment("register-timeouts", (minute(100), minute(130)), "seen by the night shift")


def enrolled(model: Model, table: pl.DataFrame, enrolment: Enrolment = ENROLMENT, **more: object):  # type: ignore[no-untyped-def]
    return enrol(table, enrolment, model, created=NOW, **more)


@pytest.mark.parametrize(
    ("start", "end", "last_minutes"),
    [
        (100, 130, range(109, 160)),  # from the tenth minute of the fault to half an hour after its last
        (100, 105, range(104, 135)),  # a short one: windows that hold all of it
        (100.5, 130.5, range(110, 160)),  # whole minutes only
        (10, 95, range(19, 125)),
        (100.2, 100.9, range(0)),  # not one whole minute
    ],
)
def test_windows_that_overlap_an_interval(model: Model, start: float, end: float, last_minutes: range) -> None:
    series = node_series(minutes("alpha-1", 200), model)[0]
    begin, finish = (minute(0) + timedelta(minutes=at) for at in (start, end))
    found = overlapping_windows(series, np.arange(200), (begin, finish), 60)
    assert np.flatnonzero(found).tolist() == [*last_minutes]


def test_windows_end_before_the_next_fault_and_while_they_hold_enough(model: Model) -> None:
    series = node_series(minutes("alpha-1", 200), model)[0]
    stretch = (minute(100), minute(130))
    before = overlapping_windows(series, np.arange(200), stretch, 60, until=minute(140))
    assert np.flatnonzero(before).tolist() == [*range(109, 140)]
    short = overlapping_windows(series, np.arange(200), stretch, 20)
    assert np.flatnonzero(short).tolist() == [*range(109, 140)]  # the last holds minutes 120 to 129


def test_a_reference_is_the_mean_of_its_windows_minus_the_baseline(model: Model) -> None:
    table = minutes("alpha-1", 200, [FAULT])
    found = enrolled(model, table)
    series = node_series(table, model)[0]
    windows = center(series, model, model.baseline(series, first_minutes(series, 60)))
    rows = np.isin(windows.last_minute, np.arange(100 + MIN_FAULT_MINUTES - 1, 130 + MAX_LAG))
    assert found.vector == pytest.approx(windows.vectors[rows].mean(axis=0), abs=1e-5)
    assert (found.windows, found.model, found.node, found.network) == (51, model.id, "alpha-1", "alpha")
    assert (found.start, found.end, found.created) == (*ENROLMENT.interval, NOW)
    assert found.comment == "seen by the night shift"


def test_windows_embedded_alone_have_the_same_vectors(model: Model) -> None:
    series = node_series(minutes("alpha-1", 200, [FAULT]), model)[0]
    baseline = model.baseline(series, minutes_within(series, (minute(20), minute(90))))
    every = center(series, model, baseline)
    some = center(series, model, baseline, np.arange(120, 125))
    assert some.vectors == pytest.approx(every.vectors[np.isin(every.last_minute, some.last_minute)], abs=1e-6)


def test_the_mean_of_the_baseline_lies_at_the_origin(model: Model) -> None:
    series = node_series(minutes("alpha-1", 240), model)[0]
    vectors = center(series, model, model.baseline(series)).vectors
    assert np.linalg.norm(vectors.mean(axis=0)) < 0.2 * np.linalg.norm(vectors, axis=1).mean()


def test_gaps_do_not_count_as_minutes(model: Model) -> None:
    table = minutes("alpha-1", 200, [FAULT], gaps=range(115, 120))
    assert enrolled(model, table).windows == 46
    with pytest.raises(UsageError, match="No observed window of node 'alpha-1'"):
        enrolled(
            model,
            minutes("alpha-1", 200, [FAULT], gaps=range(105, 190)),
            baseline=Baseline.interval(minute(0), minute(60)),
        )


def test_the_node_must_be_known(model: Model) -> None:
    two = pl.concat([minutes("alpha-1", 200, [FAULT]), minutes("beta-1", 200, seed=1)])
    with pytest.raises(UsageError, match="are of 2 nodes"):
        enrolled(model, two)
    with pytest.raises(UsageError, match="no minutes of node 'gamma-1'"):
        enrolled(model, two, node="gamma-1")
    assert enrolled(model, two, node="alpha-1").node == "alpha-1"


@pytest.mark.parametrize("name", ["unknown", "recovery", " padded"])
def test_a_reserved_name_cannot_be_enrolled(model: Model, name: str) -> None:
    with pytest.raises(LibraryError):
        enrolled(model, minutes("alpha-1", 200), Enrolment(name, ENROLMENT.interval))


def test_the_baseline_must_have_minutes(model: Model) -> None:
    table = minutes("alpha-1", 200, [FAULT])
    with pytest.raises(UsageError, match="given as its baseline"):
        enrolled(model, table, baseline=Baseline.interval(minute(500), minute(560)))
    with pytest.raises(UsageError, match="too few"):
        enrolled(model, table, baseline=Baseline.interval(minute(0), minute(10)))
    with pytest.raises(UsageError, match="its baseline needs 300"):
        enrolled(model, table, baseline=Baseline.first(300))


def test_the_enrolled_interval_must_not_overlap_the_baseline(model: Model) -> None:
    table = minutes("alpha-1", 200, [(30, 70, "register-timeouts")])
    early = Enrolment("register-timeouts", (minute(30), minute(70)))
    with pytest.raises(UsageError, match="overlaps the baseline of node 'alpha-1'"):
        enrolled(model, table, early)
    with pytest.raises(UsageError, match="choose another baseline"):
        enrolled(model, table, early, baseline=Baseline.interval(minute(69), minute(150)))
    found = enrolled(model, table, early, baseline=Baseline.interval(minute(70), minute(150)))
    assert found.windows == len(range(47, 70 + MAX_LAG))  # from the first that is whole enough


def test_labelled_episodes_are_enrolled_with_the_hour_before_them(model: Model) -> None:
    faults = [FAULT, (220, 250, "invite-errors"), (262, 268, "bye-slow")]
    found = examples(minutes("alpha-1", 300, faults), labels("alpha-1", 300, faults), model)
    assert [example.enrolment.condition for example in found] == [name for *_, name in faults]
    hours = [np.flatnonzero(example.baseline_minutes) for example in found]
    assert [(hour[0], hour[-1], len(hour)) for hour in hours] == [(40, 99, 60), (160, 219, 60), (160, 219, 60)]
    references = enrol_examples(found, model, created=NOW)
    assert [reference.windows for reference in references] == [51, 33, 31]
    assert references[0].comment == "severity 0.50"


def test_episodes_without_a_window_are_left_out(model: Model) -> None:
    early = [(0, 12, "bye-slow")]
    assert examples(minutes("alpha-1", 200, early), labels("alpha-1", 200, early), model) == []


def test_one_of_each_condition(model: Model) -> None:
    faults = [(70 + 60 * i, 90 + 60 * i, ("bye-slow", "invite-errors")[i % 2]) for i in range(6)]
    found = examples(minutes("alpha-1", 500, faults), labels("alpha-1", 500, faults), model)
    draws = [one_per_condition(found, seed) for seed in range(8)]
    assert all([one.enrolment.condition for one in draw] == ["bye-slow", "invite-errors"] for draw in draws)
    assert len({draw[0].enrolment.interval for draw in draws}) > 1
    assert one_per_condition(found, 3) == one_per_condition(found, 3)


def test_the_medoid_is_the_reference_nearest_to_the_others(model: Model) -> None:
    one = enrolled(model, minutes("alpha-1", 200, [FAULT]))
    far = [
        dataclasses.replace(one, vector=np.full_like(one.vector, x), condition=c)
        for c, x in [("b", 0), ("b", 1), ("b", 9), ("a", 5), ("b", 1.5), ("b", 2)]
    ]
    assert medoid_examples(far) == [3, 4]
