"""Minutes that are vouched for as normal, and are not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from tests.synthetic import SIGNS, minute, minutes, random_artefact

from faultprint.cases.baseline_check import check_baseline
from faultprint.cases.calibration import matcher_for
from faultprint.cases.centering import center
from faultprint.cases.enrol import Enrolment, enrol, make_reference
from faultprint.cases.identify import identify
from faultprint.cases.library import Library
from faultprint.embedding.model import Model
from faultprint.errors import ModelError
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.windows.series import Series, series

NOW = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def library(model: Model) -> Iterator[Library]:
    """An untrained encoder has not learnt that own and strangers' vectors are to lie together: it is taught by strangers."""
    with Library.open(":memory:") as shelf:
        for number, name in enumerate(SIGNS):
            table = series(minutes("alpha-1", 200, [(0, 200, name)], seed=number), SIP_CATALOGUE.names)[0]
            shelf.add(
                [make_reference(center(table, model, None), Enrolment(name, (minute(60), minute(200))), model, NOW)]
            )
        yield shelf


def one(faults: list[tuple[int, int, str]], seed: int = 7) -> Series:
    return series(minutes("beta-1", 200, faults, seed=seed), SIP_CATALOGUE.names)[0]


def looks(model: Model, library: Library, faults: list[tuple[int, int, str]]) -> str | None:
    normal = np.zeros(200, np.bool_)
    normal[:60] = True
    references = library.for_model(model.id, model.dimensions)
    return check_baseline(one(faults), normal, model, matcher_for(model, references))


@pytest.mark.parametrize("fault", SIGNS)
def test_a_fault_taken_as_normal_is_told(model: Model, library: Library, fault: str) -> None:
    assert looks(model, library, [(0, 60, fault)]) == fault


def test_what_is_normal_is_not_and_later_faults_do_not_count(model: Model, library: Library) -> None:
    assert looks(model, library, []) is None
    assert looks(model, library, [(100, 200, "bye-slow")]) is None


def test_identify_tells_of_it(model: Model, library: Library) -> None:
    told: list[tuple[str, str]] = []
    table = minutes("beta-1", 200, [(0, 60, "bye-slow")], seed=7)
    identify(table, model, library, doubt=lambda *words: told.append(words))
    assert told == [("beta-1", "bye-slow")]
    told.clear()
    identify(table, model, library, normal=(minute(100), minute(160)), doubt=lambda *words: told.append(words))
    identify(table, model, library, strangers=True, doubt=lambda *words: told.append(words))
    assert told == []


@pytest.mark.parametrize(("until", "ready", "said"), [(60, 120, 1), (120, 180, 2), (300, 180, 3)])
def test_the_next_minutes_are_taken_where_the_first_look_like_a_fault(
    until: int, ready: int, said: int, model: Model, library: Library
) -> None:
    told: list[tuple[str, str]] = []
    table = minutes("beta-1", 300, [(0, until, "bye-slow")], seed=7)
    words = identify(table, model, library, doubt=lambda *words: told.append(words))["condition"].to_list()
    assert told == [("beta-1", "bye-slow")] * said
    assert words[:ready] == ["warming-up"] * ready and "warming-up" not in words[ready:]
    assert words[-1] == "normal"  # in the last case a fault that has become what is usual


def test_nothing_is_said_of_a_node_of_which_all_looks_like_a_fault(model: Model, library: Library) -> None:
    words = identify(minutes("beta-1", 110, [(0, 110, "bye-slow")], seed=7), model, library)["condition"]
    assert set(words) == {"warming-up"}


def test_a_fault_is_named_where_nothing_else_was_ever_seen(model: Model, library: Library) -> None:
    """All that there is of the node is the fault."""
    table = minutes("beta-1", 90, [(0, 90, "invite-errors")], seed=7)
    own = identify(table, model, library)
    assert {*own["condition"]} == {"warming-up"}
    verdicts = identify(table, model, library, strangers=True)
    assert verdicts["condition"].to_list() == ["warming-up"] * 47 + ["invite-errors"] * 43
    assert "in.invite_originating.server_error_share" in verdicts["evidence"][-1][0]


def test_a_model_of_before_judges_no_strangers_and_doubts_nothing() -> None:
    artefact = random_artefact()
    model = Model(replace(artefact, manifest=replace(artefact.manifest, population_baseline=None)))
    with Library.open(":memory:") as shelf:
        table = minutes("alpha-1", 200, [(120, 160, "bye-slow")], seed=1)
        shelf.add([enrol(table, Enrolment("bye-slow", (minute(120), minute(160))), model, created=NOW)])
        assert looks(model, shelf, [(0, 60, "bye-slow")]) is None
        with pytest.raises(ModelError, match="train the preset 'default' anew"):
            identify(table, model, shelf, strangers=True)
