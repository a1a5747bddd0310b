"""A tuning study: defaults first, poor trials stopped early, and nothing lost after a kill."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from faultprint.errors import DivergedError, UsageError
from faultprint.training.config import RANGES, Hyperparameters
from faultprint.training.data.dataset import TrainingSet
from faultprint.training.loop import TrainingPlan
from faultprint.training.presets import PRESETS
from faultprint.training.tuning.study import Study
from faultprint.training.tuning.trial import OnFoldEpoch, TuningTrial, assign_folds
from faultprint.training.tuning.tune import TuningReport, tune

Tables = tuple[pl.DataFrame, pl.DataFrame]
OF = {
    "seed": 1,
    **dict.fromkeys(("format", "version", "preset", "settings", "folds", "epochs", "steps", "patience"), 1),
}
OF |= {"max_seconds": None, "data": "some"}

KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
import polars as pl
from faultprint.training.presets import PRESETS
from faultprint.training.tuning.tune import tune

def die(done, total, note):
    if note.startswith("trial 2, fold 2"):
        os.kill(os.getpid(), signal.SIGKILL)

folder, preset = Path(sys.argv[1]), PRESETS["default"]
quick = replace(preset, plan=replace(preset.plan, steps=1))
tables = (pl.read_parquet(folder / name) for name in ("minutes", "labels"))
tune(*tables, folder / "study.db", trials=3, folds=2, epochs=1, preset=quick, progress=die)
"""


def by_rate(settings: Hyperparameters, after: OnFoldEpoch) -> float:
    """A score that a moderate learning rate makes high, and hardly anything else."""
    score = 1 - abs(np.log(settings.learning_rate / 1e-3)) / 4 + settings.dropout / 1000
    for epoch in range(1, 6):
        after(0, epoch, score * epoch / 5)
    return float(score)


def comparable(study: Study) -> list[tuple[Hyperparameters, float | None]]:
    return [(one.settings, one.score) for one in study.results]


def test_the_defaults_come_first_and_the_search_finds_what_matters(tmp_path: Path) -> None:
    study = Study(tmp_path / "study.db", OF)
    for _ in range(30):
        study.run_trial(by_rate)
    tried = study.results
    assert tried[0].settings == Hyperparameters()
    assert [one.number for one in tried] == list(range(1, 31))
    scores = [one.score for one in tried if one.score is not None]
    assert 5 <= len(scores) < 30
    assert max(scores) > 0.95
    found = study.importances()
    assert set(found) == set(RANGES)
    assert max(found, key=lambda name: found[name]) == "learning_rate"
    assert sum(found.values()) == pytest.approx(1)


def test_a_continued_study_draws_the_same_trials(tmp_path: Path) -> None:
    whole = Study(tmp_path / "whole.db", OF)
    for _ in range(13):
        whole.run_trial(by_rate)

    def broken(settings: Hyperparameters, after: OnFoldEpoch) -> float:
        after(0, 1, 0.5)
        raise KeyboardInterrupt

    for done in range(13):
        if done in (0, 3, 12):
            with pytest.raises(KeyboardInterrupt):
                Study(tmp_path / "broken.db", OF).run_trial(broken)
        Study(tmp_path / "broken.db", OF).run_trial(by_rate)
    assert comparable(Study(tmp_path / "broken.db", OF)) == comparable(whole)


def test_a_diverged_trial_does_not_end_the_study(tmp_path: Path) -> None:
    def diverge(settings: Hyperparameters, after: OnFoldEpoch) -> float:
        raise DivergedError("too fast")

    study = Study(tmp_path / "study.db", OF)
    study.run_trial(by_rate)
    study.run_trial(diverge)
    study.run_trial(by_rate)
    assert [one.score is None for one in study.results] == [False, True, False]
    assert study.importances() == {}


def test_the_recheck_is_computed_once(tmp_path: Path) -> None:
    study = Study(tmp_path / "study.db", OF)
    study.run_trial(by_rate)
    (first,) = study.results
    assert [study.recheck(first, lambda settings, answer=answer: answer) for answer in (0.25, 0.5)] == [0.25, 0.25]


def test_other_files_and_studies_are_refused_and_not_changed(tmp_path: Path) -> None:
    Study(tmp_path / "study.db", OF).run_trial(by_rate)
    content = (tmp_path / "study.db").read_bytes()
    with pytest.raises(UsageError, match=r"another study, which differs in its seed \(1 in the file, 2 now\)"):
        Study(tmp_path / "study.db", OF | {"seed": 2})
    with pytest.raises(UsageError, match="another study, which differs in its minutes or labels;"):
        Study(tmp_path / "study.db", OF | {"data": "other"})
    assert (tmp_path / "study.db").read_bytes() == content
    with sqlite3.connect(tmp_path / "cases.db") as database:
        database.execute("CREATE TABLE cases (x)")
    (tmp_path / "text").write_text("no database at all, " * 100)
    (tmp_path / "half.db").write_bytes(content[: len(content) // 2])
    for name in ("cases.db", "text", "half.db"):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(UsageError, match="is not a study of `faultprint tune`"):
            Study(tmp_path / name, OF)
        assert (tmp_path / name).read_bytes() == before
    with sqlite3.connect(tmp_path / "study.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'v9.9.9'")
    with pytest.raises(UsageError, match="a study of another version of Optuna"):
        Study(tmp_path / "study.db", OF)
    with pytest.raises(UsageError, match="does not exist"):
        Study(tmp_path / "none" / "study.db", OF)


def test_a_name_with_a_question_mark_is_a_name(tmp_path: Path) -> None:
    Study(tmp_path / "why?x=1#.db", OF).run_trial(by_rate)
    assert len(Study(tmp_path / "why?x=1#.db", OF).results) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["why?x=1#.db"]


def test_every_network_is_held_out_once(small: TrainingSet) -> None:
    for count in (2, 3, 5):
        parts = assign_folds(small, count, seed=1)
        assert sorted(name for _, held in parts for name in held.networks) == list(small.networks)
        assert all(set(seen.networks) == set(small.networks) - set(held.networks) for seen, held in parts)
    for count in (1, 6):
        with pytest.raises(UsageError, match="5 networks cannot be divided into"):
            assign_folds(small, count, seed=1)


@pytest.mark.usefixtures("short")
def test_a_trial_scores_the_mean_of_its_folds(small: TrainingSet) -> None:
    heard: list[tuple[int, int, float]] = []
    plan = TrainingPlan(epochs=2, steps=2, patience=2)
    trial = TuningTrial(PRESETS["default"], assign_folds(small, 2, 1), plan, 1, torch.device("cpu"), time.perf_counter)
    score = trial.score(Hyperparameters(), lambda *words: heard.append(words))
    assert [(fold, epoch) for fold, epoch, _ in heard] == [(0, 1), (0, 2), (1, 1), (1, 2)]
    totals = [total for *_, total in heard]
    assert totals == sorted(totals)
    assert score == pytest.approx(totals[-1] / 2)


def same(one: TuningReport, other: TuningReport) -> bool:
    pairs = zip(one.results, other.results, strict=True)
    return one.recheck_scores == other.recheck_scores and all(
        (a.settings, a.score) == (b.settings, b.score) for a, b in pairs
    )


def test_a_killed_study_continues(tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, table in zip(("minutes", "labels"), tables, strict=True):
        table.write_parquet(tmp_path / name)
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False, timeout=240)
    assert killed.returncode == -signal.SIGKILL
    preset = PRESETS["default"]
    words: dict[str, Any] = {"folds": 2, "epochs": 1, "preset": replace(preset, plan=replace(preset.plan, steps=1))}
    heard: list[int] = []
    again = tune(*tables, tmp_path / "study.db", trials=3, progress=lambda done, *_: heard.append(done), **words)
    assert min(heard) == 1
    assert same(again, tune(*tables, tmp_path / "whole.db", trials=3, **words))
    assert again.best.score == max(one.score or 0 for one in again.results)
    # A finished study is not repeated.
    heard.clear()
    assert same(
        tune(*tables, tmp_path / "study.db", trials=3, progress=lambda done, *_: heard.append(done), **words), again
    )
    assert set(heard) == {3}
