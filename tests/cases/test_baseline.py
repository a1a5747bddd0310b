"""Which minutes become a node's baseline, and what happens if they look like a fault."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from tests.synthetic import SIGNATURES, minute, minutes, random_artifact

from faultprint.cases.baseline import Baseline, check_baseline, first_minutes, select
from faultprint.cases.centering import center
from faultprint.cases.enrol import Enrolment, enrol, make_reference
from faultprint.cases.identify import identify
from faultprint.cases.library import Library
from faultprint.cases.thresholds import matcher_for
from faultprint.embedding.model import Model
from faultprint.errors import ModelError, UsageError
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.windows.series import Series, build_series

NOW = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def library(model: Model) -> Iterator[Library]:
    """References measured from the population baseline: an untrained encoder has not learnt that both agree."""
    with Library.open(":memory:") as opened:
        for number, name in enumerate(SIGNATURES):
            series = build_series(minutes("alpha-1", 200, [(0, 200, name)], seed=number), SIP_CATALOGUE.names)[0]
            windows = center(series, model, model.population_baseline)
            opened.add([make_reference(windows, Enrolment(name, (minute(60), minute(200))), model, NOW)])
        yield opened


def beta(faults: list[tuple[int, int, str]], seed: int = 7) -> Series:
    return build_series(minutes("beta-1", 200, faults, seed=seed), SIP_CATALOGUE.names)[0]


def suspect(model: Model, library: Library, faults: list[tuple[int, int, str]]) -> str | None:
    """What the first hour of a node with these faults looks like."""
    references = library.for_model(model.id, model.dimensions)
    series = beta(faults)
    return check_baseline(series, first_minutes(series, 60), model, matcher_for(model, references))


@pytest.mark.parametrize("fault", SIGNATURES)
def test_a_baseline_recorded_during_a_fault_is_suspect(model: Model, library: Library, fault: str) -> None:
    assert suspect(model, library, [(0, 60, fault)]) == fault


def test_normal_minutes_are_not_suspect_and_later_faults_do_not_count(model: Model, library: Library) -> None:
    assert suspect(model, library, []) is None
    assert suspect(model, library, [(100, 200, "bye-slow")]) is None


def test_identify_reports_a_suspect_baseline(model: Model, library: Library) -> None:
    reported: list[tuple[str, str]] = []
    table = minutes("beta-1", 200, [(0, 60, "bye-slow")], seed=7)
    identify(table, model, library, on_suspect=lambda *pair: reported.append(pair))
    assert reported == [("beta-1", "bye-slow")]
    reported.clear()
    for policy in (Baseline.interval(minute(100), minute(160)), Baseline.population()):
        identify(table, model, library, baseline=policy, on_suspect=lambda *pair: reported.append(pair))
    assert reported == []


@pytest.mark.parametrize(("until", "ready", "reports"), [(60, 120, 1), (120, 180, 2), (300, 180, 3)])
def test_the_next_minutes_are_used_if_the_first_look_like_a_fault(
    until: int, ready: int, reports: int, model: Model, library: Library
) -> None:
    reported: list[tuple[str, str]] = []
    table = minutes("beta-1", 300, [(0, until, "bye-slow")], seed=7)
    verdicts = identify(table, model, library, on_suspect=lambda *pair: reported.append(pair))
    conditions = verdicts["condition"].to_list()
    assert reported == [("beta-1", "bye-slow")] * reports
    assert conditions[:ready] == ["warming-up"] * ready and "warming-up" not in conditions[ready:]
    assert conditions[-1] == "normal"  # in the last case a fault that became the baseline at the third attempt


def test_a_node_whose_minutes_all_look_like_a_fault_stays_warming_up(model: Model, library: Library) -> None:
    conditions = identify(minutes("beta-1", 110, [(0, 110, "bye-slow")], seed=7), model, library)["condition"]
    assert set(conditions) == {"warming-up"}


def test_the_population_baseline_names_a_fault_that_has_always_been_there(model: Model, library: Library) -> None:
    table = minutes("beta-1", 90, [(0, 90, "invite-errors")], seed=7)
    assert {*identify(table, model, library)["condition"]} == {"warming-up"}
    verdicts = identify(table, model, library, baseline=Baseline.population())
    assert verdicts["condition"].to_list() == ["warming-up"] * 47 + ["invite-errors"] * 43
    assert "in.invite_originating.server_error_share" in verdicts["evidence"][-1][0]


def test_a_model_without_population_baseline_checks_no_baseline() -> None:
    artifact = random_artifact()
    model = Model(replace(artifact, manifest=replace(artifact.manifest, population_baseline=None)))
    with Library.open(":memory:") as library:
        table = minutes("alpha-1", 200, [(120, 160, "bye-slow")], seed=1)
        library.add([enrol(table, Enrolment("bye-slow", (minute(120), minute(160))), model, created=NOW)])
        assert suspect(model, library, [(0, 60, "bye-slow")]) is None
        with pytest.raises(ModelError, match="'default'"):
            identify(table, model, library, baseline=Baseline.population())


@pytest.mark.parametrize(
    ("policy", "first", "last", "begin"),
    [
        (Baseline.first(), 0, 59, 60),
        (Baseline.first(90), 0, 89, 90),
        (Baseline.interval(minute(50), minute(120)), 50, 119, 0),
        (Baseline.intervals({"beta-1": (minute(50), minute(120))}), 50, 119, 0),
        (Baseline.intervals({"beta-2": (minute(50), minute(120))}, 80), 0, 79, 80),
    ],
)
def test_a_policy_selects_these_minutes(
    policy: Baseline, first: int, last: int, begin: int, model: Model, library: Library
) -> None:
    matcher = matcher_for(model, library.references(model.id))
    selected = select(beta([]), policy, model, matcher)
    assert np.flatnonzero(selected.minutes).tolist() == [*range(first, last + 1)]
    assert (selected.begin, selected.suspect) == (begin, None)


def test_the_population_baseline_selects_no_minutes(model: Model, library: Library) -> None:
    selected = select(beta([]), Baseline.population(), model, matcher_for(model, library.references(model.id)))
    assert not selected.minutes.any() and selected.begin == 0
    assert np.array_equal(selected.baseline.mean, model.population_baseline.mean)


def test_a_baseline_that_is_too_short_is_refused() -> None:
    with pytest.raises(UsageError, match="give 30 or more"):
        Baseline.first(29)
