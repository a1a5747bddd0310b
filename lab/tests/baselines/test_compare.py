"""The comparison from end to end, on small hand-made tables."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.synthetic import random_model

from faultprint.cases.decision import Rule
from faultprint.cases.enrol import enrol_examples, examples
from faultprint.cases.identify import identify
from faultprint.cases.library import Library
from faultprint.cases.matching import Matcher
from faultprint.cases.scope import evaluation_scopes, labelled_scopes
from faultprint.embedding.model import Model
from faultprint.errors import UsageError
from faultprint.evaluation.truth import truth
from faultprint.windows.levels import compute_levels
from faultprint_lab.baselines.compare import (
    FittedBaselines,
    compare_with_baselines,
    score,
    split_networks,
    train_baselines,
)
from faultprint_lab.baselines.summary import SPANS, STATISTICS, summarise
from faultprint_lab.baselines.systems import LibrarySystem
from faultprint_lab.demo.comparison import CONFIRM_MINUTES, compare_systems

NOW = datetime(2026, 2, 1, tzinfo=UTC)
Tables = tuple[pl.DataFrame, pl.DataFrame]
NO_REFERENCES = Matcher(np.zeros((0, random_model().dimensions), np.float32), [])


def test_minutes_are_divided_as_the_training_did(model: Model, known_networks: Tables) -> None:
    split = split_networks(*known_networks, model)
    assert split.calibration["network"].unique().to_list() == ["gamma"]
    assert set(split.train["network"]) == {"alpha", "beta", "delta"}
    assert set(split.calibration_labels["node"]) == {"gamma-1"}
    assert set(split.train_labels["node"]) == {"alpha-1", "beta-1", "delta-1"}


def test_unseen_networks_are_divided_by_seed(model: Model, known_networks: Tables) -> None:
    minutes, labels = known_networks
    unseen = minutes.filter(pl.col("network") != "gamma"), labels.filter(pl.col("node") != "gamma-1")
    held_out = {split_networks(*unseen, model, seed).calibration["network"][0] for seed in range(12)}
    assert len(held_out) > 1
    with pytest.raises(UsageError, match="1 network"):
        split_networks(minutes.filter(pl.col("network") == "alpha"), labels, model)


def test_scored_verdicts_equal_those_of_identify(model: Model, known_networks: Tables, new_network: Tables) -> None:
    minutes, labels = new_network
    with Library.open(":memory:") as library:
        library.add(enrol_examples(examples(*known_networks, model), model, created=NOW))
        verdicts = identify(minutes, model, library, persistence=2)
        system = LibrarySystem("default", model, library.references())
        scopes = evaluation_scopes(minutes, model, system.matcher)
        true_conditions = truth([scope.series for scope in scopes], labels, model.window)
        result = score(system, Rule(persistence=2), scopes, true_conditions, labels, model.window)
    assert result.scored["verdict"].to_list() == verdicts["condition"].to_list()
    counted = result.scored["truth"].is_not_null().to_numpy()
    assert not counted[:60].any() and counted[60:].all()


def test_every_system_is_scored_on_the_same_windows(model: Model, known_networks: Tables, new_network: Tables) -> None:
    with Library.open(":memory:") as library:
        library.add(enrol_examples(examples(*known_networks, model), model, created=NOW))
        results = compare_with_baselines(*new_network, model, library, train=known_networks, baseline_seconds=2, seed=1)
        alone = compare_with_baselines(*new_network, model, library)
    assert [*results] == ["default", "lightgbm", "1-nn"]
    assert len({(row["windows"], row["windows_exposed"], row["episodes"]) for row in results.values()}) == 1
    assert results["default"]["macro_f1_exposed"] > 0.7  # three faults with clear signatures
    assert results["lightgbm"]["macro_f1_exposed"] > 0.5  # normal alone would give a third
    assert [*alone] == ["default"] and alone["default"] == results["default"]


def test_an_unknown_baseline_is_refused(model: Model, known_networks: Tables) -> None:
    with pytest.raises(UsageError, match="no baseline 'prophet'"):
        train_baselines(split_networks(*known_networks, model), model, ["prophet"], seed=1, max_seconds=1)


def test_the_same_seed_gives_the_same_baselines(model: Model, known_networks: Tables, new_network: Tables) -> None:
    scope = evaluation_scopes(new_network[0], model, NO_REFERENCES)[0]
    split = split_networks(*known_networks, model)
    first, second = (train_baselines(split, model, ["1-nn"], seed=1, max_seconds=1)[0].match(scope) for _ in range(2))
    assert np.array_equal(first.distances, second.distances)


def test_summaries_equal_a_loop(model: Model, new_network: Tables) -> None:
    from faultprint.windows.normalisation import CHANNELS, normalise

    scope = evaluation_scopes(new_network[0], model, NO_REFERENCES)[0]
    levels = compute_levels(scope.series, model.kinds, SPANS)
    profile = model.profile(scope.series, scope.baseline_minutes)
    population = model.manifest.population
    assert population is not None
    ends = np.array([59, 230, 519])
    summaries = summarise(levels, model.kinds, profile, population, 60, ends)
    inputs = normalise(levels, model.kinds, profile, population).reshape(len(scope.series), len(SPANS), CHANNELS, -1)
    z_scores = inputs[:, :, 0].reshape(len(scope.series), -1)
    assert summaries.shape == (3, STATISTICS * z_scores.shape[1])
    for row, end in enumerate(ends):
        window = z_scores[end - 59 : end + 1].astype(np.float64)
        expected = [window.mean(0), window.std(0), window.max(0), window.min(0), window[-1]]
        assert summaries[row] == pytest.approx(np.concatenate(expected), abs=2e-3)


def test_labelled_nodes_take_their_first_normal_hour(model: Model, known_networks: Tables) -> None:
    minutes, labels = known_networks
    early = labels.with_columns(
        condition=pl.when(pl.col("condition") == "normal")
        .then(pl.when(pl.col("start") == pl.col("start").min()).then(pl.lit("recovery")).otherwise(pl.lit("normal")))
        .otherwise(pl.col("condition"))
    )
    scope = labelled_scopes(minutes, early, model)[0]
    assert np.flatnonzero(scope.baseline_minutes).tolist() == [*range(180, 240)] and scope.begin == 240


def test_a_comparison_leaves_libraries_and_evidence(
    model: Model, known_networks: Tables, new_network: Tables, tmp_path: Path
) -> None:
    lines: list[str] = []
    split = split_networks(*known_networks, model)
    comparison = compare_systems(
        {"default": model},
        split,
        *new_network,
        tmp_path,
        baselines=lambda: FittedBaselines.fit(split.train, split.train_labels, model, seed=1, max_seconds=1),
        now=NOW,
        log=lines.append,
    )
    assert [result.name for result in comparison.results] == ["default", "lightgbm", "1-nn"]
    assert len(comparison.references) == 3 and lines
    with Library.open(tmp_path / "default.db") as library:
        assert {reference.network for reference in library.references()} <= {"alpha", "beta", "delta"}
        assert library.rule(model.id, CONFIRM_MINUTES) == comparison.results[0].rule
    episodes = comparison.results[0].figures.outcomes
    assert {*comparison.evidence} == {(episode.node, episode.start) for episode in episodes}
    assert all("in.bye.delay" in words for words in comparison.evidence[episodes[0].node, episodes[0].start][:2])
