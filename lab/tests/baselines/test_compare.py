"""The comparison, end to end, on minutes made by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from faultprint.cases.decision import Rule
from faultprint.cases.enrol import enrol_examples, examples
from faultprint.cases.identify import identify
from faultprint.cases.library import Library
from faultprint.cases.scope import evaluation_scopes, labelled_scopes
from faultprint.embedding.model import Model
from faultprint.errors import UsageError
from faultprint.evaluation.truth import truth
from faultprint.windows.levels import levels
from faultprint_lab.baselines.compare import FittedBaselines, baselines, evaluate, score, split_networks
from faultprint_lab.baselines.summary import SPANS, STATISTICS, summarise
from faultprint_lab.baselines.systems import Embedding
from faultprint_lab.demo.comparison import PERSISTENCE, compare_systems

NOW = datetime(2026, 2, 1, tzinfo=UTC)
Tables = tuple[pl.DataFrame, pl.DataFrame]


def test_learnt_minutes_are_parted_as_the_training_did(model: Model, learnt: Tables) -> None:
    lessons = split_networks(*learnt, model)
    assert lessons.kept["network"].unique().to_list() == ["gamma"]
    assert set(lessons.taught["network"]) == {"alpha", "beta", "delta"}
    assert set(lessons.kept_labels["node"]) == {"gamma-1"}
    assert set(lessons.taught_labels["node"]) == {"alpha-1", "beta-1", "delta-1"}


def test_networks_that_training_never_saw_are_parted_by_seed(model: Model, learnt: Tables) -> None:
    minutes, labels = learnt
    some = minutes.filter(pl.col("network") != "gamma"), labels.filter(pl.col("node") != "gamma-1")
    kept = {split_networks(*some, model, seed).kept["network"][0] for seed in range(12)}
    assert len(kept) > 1
    with pytest.raises(UsageError, match="1 network"):
        split_networks(minutes.filter(pl.col("network") == "alpha"), labels, model)


def test_the_evaluation_judges_what_identify_says(model: Model, learnt: Tables, met: Tables) -> None:
    minutes, labels = met
    with Library.open(":memory:") as library:
        library.add(enrol_examples(examples(*learnt, model), model, created=NOW))
        verdicts = identify(minutes, model, library, persistence=2)
        places = evaluation_scopes(minutes, model)
        known = truth([place.series for place in places], labels, model.window)
        ours = Embedding("default", model, library.references())
        outcome = score(ours, Rule(persistence=2), places, known, labels, model.window)
    assert outcome.scored["verdict"].to_list() == verdicts["condition"].to_list()
    counted = outcome.scored["truth"].is_not_null().to_numpy()
    assert not counted[:60].any() and counted[60:].all()


def test_every_system_is_scored_on_the_same_windows(model: Model, learnt: Tables, met: Tables) -> None:
    with Library.open(":memory:") as library:
        library.add(enrol_examples(examples(*learnt, model), model, created=NOW))
        result = evaluate(*met, model, library, train=learnt, baseline_seconds=2, seed=1)
        alone = evaluate(*met, model, library)
    assert [*result] == ["default", "lightgbm", "1-nn"]
    assert len({(row["windows"], row["windows_exposed"], row["episodes"]) for row in result.values()}) == 1
    assert result["default"]["macro_f1_exposed"] > 0.7  # three signs that cannot be mistaken
    assert result["lightgbm"]["macro_f1_exposed"] > 0.5  # normal alone would give a third
    assert [*alone] == ["default"] and alone["default"] == result["default"]


def test_an_unknown_baseline_is_refused(model: Model, learnt: Tables) -> None:
    with pytest.raises(UsageError, match="no baseline 'oracle'"):
        baselines(split_networks(*learnt, model), model, ["oracle"], seed=1, max_seconds=1)


def test_the_same_seed_gives_the_same_baselines(model: Model, learnt: Tables, met: Tables) -> None:
    place = evaluation_scopes(met[0], model)[0]
    lessons = split_networks(*learnt, model)
    first, second = (baselines(lessons, model, ["1-nn"], seed=1, max_seconds=1)[0].match(place) for _ in range(2))
    assert np.array_equal(first.distances, second.distances)


def test_summaries_equal_a_loop(model: Model, met: Tables) -> None:
    from faultprint.windows.normalise import CHANNELS, normalise

    place = evaluation_scopes(met[0], model)[0]
    every = levels(place.series, model.kinds, SPANS)
    own = model.profile(place.series, place.baseline_minutes)
    people = model.manifest.population
    assert people is not None
    ends = np.array([59, 230, 519])
    found = summarise(every, model.kinds, own, people, 60, ends)
    inputs = normalise(every, model.kinds, own, people).reshape(len(place.series), len(SPANS), CHANNELS, -1)
    surprise = inputs[:, :, 0].reshape(len(place.series), -1)
    assert found.shape == (3, STATISTICS * surprise.shape[1])
    for row, end in enumerate(ends):
        window = surprise[end - 59 : end + 1].astype(np.float64)
        expected = [window.mean(0), window.std(0), window.max(0), window.min(0), window[-1]]
        assert found[row] == pytest.approx(np.concatenate(expected), abs=2e-3)


def test_labelled_nodes_take_their_first_normal_hour(model: Model, learnt: Tables) -> None:
    minutes, labels = learnt
    early = labels.with_columns(
        condition=pl.when(pl.col("condition") == "normal")
        .then(pl.when(pl.col("start") == pl.col("start").min()).then(pl.lit("recovery")).otherwise(pl.lit("normal")))
        .otherwise(pl.col("condition"))
    )
    place = labelled_scopes(minutes, early, model)[0]
    assert np.flatnonzero(place.baseline_minutes).tolist() == [*range(180, 240)] and place.begin == 240


def test_a_contest_leaves_libraries_and_reasons(model: Model, learnt: Tables, met: Tables, tmp_path: Path) -> None:
    lines: list[str] = []
    lessons = split_networks(*learnt, model)
    found = compare_systems(
        {"default": model},
        lessons,
        *met,
        tmp_path,
        students=lambda: FittedBaselines.of(lessons.taught, lessons.taught_labels, model, seed=1, max_seconds=1),
        now=NOW,
        say=lines.append,
    )
    assert [outcome.name for outcome in found.outcomes] == ["default", "lightgbm", "1-nn"]
    assert len(found.references) == 3 and lines
    with Library.open(tmp_path / "default.db") as library:
        assert {reference.network for reference in library.references()} <= {"alpha", "beta", "delta"}
        assert library.rule(model.id, PERSISTENCE) == found.outcomes[0].rule
    episodes = found.outcomes[0].figures.outcomes
    assert {*found.evidence} == {(episode.node, episode.start) for episode in episodes}
    assert all("in.bye.delay" in words for words in found.evidence[episodes[0].node, episodes[0].start][:2])
