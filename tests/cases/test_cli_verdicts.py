"""The commands that give verdicts and figures: identify and evaluate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.synthetic import labels, minute, minutes, random_artifact

from faultprint import storage
from faultprint.cases.enrol import Enrolment, enrol
from faultprint.cases.library import Library
from faultprint.cli import cli
from faultprint.embedding.model import Model
from faultprint.embedding.model_file import write_artifact
from faultprint.features.minutes import write_minutes
from faultprint.tables import LABELS, VERDICTS

FAULTS = [(120, 150, "register-timeouts"), (240, 270, "invite-errors"), (360, 390, "bye-slow")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, model: Model) -> Path:
    """A model, a library of three faults, and labelled minutes of another network."""
    folder = tmp_path_factory.mktemp("verdicts")
    write_artifact(random_artifact(), folder / "model.faultprint")
    table = minutes("alpha-1", 420, FAULTS, seed=1)
    with Library.open(folder / "cases.db", create=True) as library:
        for start, end, name in FAULTS:
            library.add([enrol(table, Enrolment(name, (minute(start), minute(end))), model, created=minute(0))])
    faults = [(100, 130, "bye-slow"), (250, 290, "register-timeouts")]
    write_minutes(minutes("beta-1", 420, faults, seed=2), folder / "minutes.parquet")
    storage.write(labels("beta-1", 420, faults), LABELS, folder / "labels.parquet")
    return folder


def run(folder: Path, command: str, *words: str) -> Result:
    options = ["--model", str(folder / "model.faultprint"), "--library", str(folder / "cases.db")]
    return CliRunner().invoke(cli, [command, str(folder / "minutes.parquet"), *options, *words])


def test_evaluate_prints_the_figures_of_the_verdicts(folder: Path) -> None:
    words = ("--labels", str(folder / "labels.parquet"))
    found = json.loads(run(folder, "evaluate", *words, "--json").stdout)
    # The encoder is untrained, so the figures are those of a weak system.
    assert 0.4 < found["macro_f1_exposed"] < 1 and found["episodes_found"] == 1 and found["windows"] == 360
    assert [row["condition"] for row in found["conditions"]] == ["normal", "bye-slow", "register-timeouts"]
    later = json.loads(run(folder, "evaluate", *words, "--baseline-minutes", "90", "--json").stdout)
    assert later["windows"] == 330
    lines = run(folder, "evaluate", *words).stdout.splitlines()
    assert lines[0].split()[0] == "macro_f1" and lines[-1].split()[0] == "register-timeouts"


def test_identify_prints_incidents_that_end_with_their_fault(folder: Path) -> None:
    out = str(folder / "verdicts.parquet")
    facts = json.loads(run(folder, "identify", "--out", out, "--json").stdout)["incidents"]
    verdicts = storage.read(folder / "verdicts.parquet", VERDICTS)
    assert sum(each["minutes"] for each in facts) < len(
        verdicts.filter(~verdicts["condition"].is_in(["normal", "warming-up"]))
    )
    first = next(each for each in facts if each["condition"] == "bye-slow" or "bye-slow" in each["earlier_conditions"])
    assert minute(95).isoformat() <= first["onset"] <= minute(112).isoformat()
    assert first["end"] is None or first["end"] > first["onset"]
    texts = {run(folder, "identify", "--out", out).stdout for _ in range(5)}
    assert len(texts) == 1
    (text,) = texts
    assert "beta-1  2026-01-0" in text and "usually" in text and "{'" not in text and "None" not in text
    assert text.splitlines()[-1].startswith(f"{len(facts)} incident")


@pytest.mark.parametrize(
    ("baseline", "begin"),
    [
        (("--baseline", "first"), 60),
        (("--baseline-minutes", "90"), 90),
        (("--baseline", "population"), 47),
        (("--baseline", f"{minute(320).isoformat()}/{minute(420).isoformat()}"), 47),
    ],
)
def test_identify_takes_the_baseline_that_is_named(baseline: tuple[str, ...], begin: int, folder: Path) -> None:
    out = folder / "verdicts.parquet"
    assert run(folder, "identify", *baseline, "--out", str(out)).exit_code == 0
    conditions = storage.read(out, VERDICTS)["condition"]
    assert set(conditions[:begin]) == {"warming-up"} and "warming-up" not in set(conditions[begin:])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--baseline", "population", "--baseline-minutes", "90"), "leave it out for an interval or population"),
        (("--baseline", "second"), "'second' is not first, population, robust or START/END"),
        (("--baseline", "robust:2026-01-05/yesterday"), "is not START/END in ISO 8601"),
        (("--baseline", "robust"), "does not tell how far from normal"),
    ],
)
def test_a_baseline_that_cannot_be_used_is_refused(words: tuple[str, ...], message: str, folder: Path) -> None:
    result = run(folder, "identify", *words, "--out", str(folder / "out.parquet"))
    assert message in result.output + str(result.exception) and result.exit_code
    assert not (folder / "out.parquet").exists()
