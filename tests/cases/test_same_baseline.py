"""identify, enrol and evaluate take the same baseline on the same node: they skip a first hour that looks like a fault."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tests.synthetic import SIGNATURES, labels, minute, minutes, random_artifact

from faultprint.cases.baseline import Baseline
from faultprint.cases.centering import center
from faultprint.cases.enrol import Enrolment, enrol, make_reference
from faultprint.cases.identify import identify
from faultprint.cases.library import Library
from faultprint.cases.scope import evaluation_scopes
from faultprint.cases.thresholds import matcher_for
from faultprint.cli import cli
from faultprint.embedding.model import Model
from faultprint.embedding.model_file import write_artifact
from faultprint.evaluation.evaluate import evaluate
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.features.minutes import write_minutes
from faultprint.windows.series import build_series

NOW = datetime(2026, 2, 1, tzinfo=UTC)
FAULTS = [(0, 60, "bye-slow"), (200, 230, "invite-errors")]
INTERVAL = minute(200), minute(230)
SECOND_HOUR = Baseline.interval(minute(60), minute(120))
TABLE = minutes("beta-1", 300, FAULTS, seed=7)


@pytest.fixture
def folder(model: Model, tmp_path: Path) -> Path:
    """A model, a library with three faults, and minutes of a node that start during one of them."""
    write_artifact(random_artifact(), tmp_path / "model.faultprint")
    write_minutes(TABLE, tmp_path / "minutes.parquet")
    with Library.open(tmp_path / "cases.db", create=True) as library:
        for number, name in enumerate(SIGNATURES):
            series = build_series(minutes("alpha-1", 200, [(0, 200, name)], seed=number), SIP_CATALOGUE.names)[0]
            windows = center(series, model, model.population_baseline)
            library.add([make_reference(windows, Enrolment(name, (minute(60), minute(200))), model, NOW)])
    return tmp_path


@pytest.fixture
def library(folder: Path) -> Iterator[Library]:
    with Library.open(folder / "cases.db") as opened:
        yield opened


def test_identify_enrol_and_evaluate_take_the_second_hour(model: Model, library: Library) -> None:
    references = library.references(model.id)
    conditions = identify(TABLE, model, library)["condition"].to_list()
    assert conditions[:120] == ["warming-up"] * 120 and "warming-up" not in conditions[120:]

    reported: list[tuple[str, str]] = []
    enrolment = Enrolment("invite-errors", INTERVAL)
    found = enrol(
        TABLE, enrolment, model, created=NOW, references=references, on_suspect=lambda *pair: reported.append(pair)
    )
    expected = enrol(TABLE, enrolment, model, created=NOW, baseline=SECOND_HOUR)
    assert np.array_equal(found.vector, expected.vector) and reported == [("beta-1", "bye-slow")]

    reported.clear()
    (scope,) = evaluation_scopes(TABLE, model, matcher_for(model, references))
    assert np.flatnonzero(scope.baseline_minutes).tolist() == [*range(60, 120)] and scope.begin == 120
    figures = evaluate(
        TABLE, labels("beta-1", 300, FAULTS), model, library, on_suspect=lambda *pair: reported.append(pair)
    )
    assert figures.windows == 180 and reported == [("beta-1", "bye-slow")]


def files(folder: Path) -> list[str]:
    options = ["--model", str(folder / "model.faultprint"), "--library", str(folder / "cases.db")]
    return [*options, str(folder / "minutes.parquet")]


def test_the_commands_warn_and_take_the_second_hour(folder: Path, model: Model) -> None:
    interval = "/".join(moment.isoformat() for moment in INTERVAL)
    result = CliRunner().invoke(
        cli,
        ["cases", "enrol", "--condition", "x", "--interval", interval, "--json", *files(folder)],
        catch_exceptions=False,
    )
    assert "beta-1 looks like bye-slow" in result.stderr
    (added,) = json.loads(result.stdout)["added"]
    expected = enrol(TABLE, Enrolment("x", INTERVAL), model, created=NOW, baseline=SECOND_HOUR)
    with Library.open(folder / "cases.db") as library:
        assert np.array_equal(library.find(added["id"]).vector, expected.vector)


def test_a_node_whose_minutes_all_look_like_a_fault_cannot_be_enrolled(folder: Path) -> None:
    write_minutes(minutes("beta-1", 110, [(0, 110, "bye-slow")], seed=7), folder / "minutes.parquet")
    interval = f"{minute(70).isoformat()}/{minute(90).isoformat()}"
    result = CliRunner().invoke(
        cli,
        ["cases", "enrol", "--condition", "x", "--interval", interval, *files(folder)],
    )
    assert "that could be its baseline look like 'bye-slow'" in str(result.exception)
