"""The demo's comparison: every system gets the same examples and is scored on the same unseen nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from faultprint.cases.calibration import calibrate_library
from faultprint.cases.enrol import Example, enrol_examples, examples, medoid_examples
from faultprint.cases.evidence import evidence
from faultprint.cases.library import Library
from faultprint.cases.reference import Reference
from faultprint.cases.scope import EvaluationScope, evaluation_scopes
from faultprint.cases.thresholds import matcher_for, rule_for
from faultprint.embedding.model import Model
from faultprint.evaluation.episodes import Episode
from faultprint.evaluation.truth import truth
from faultprint_lab.baselines.compare import (
    CONFIRM_MINUTES,
    FittedBaselines,
    SystemResult,
    TrainingSplit,
    calibrated_rule,
    score,
)
from faultprint_lab.baselines.systems import LibrarySystem, System

MAX_SLOW_NETWORKS: Final = 2
"""Networks that calibrate a recurrent encoder, which makes hundreds of vectors a second instead of tens of thousands."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Results of all systems; `first` is the first model, with its `references` and the `evidence` of its verdicts.

    `evidence` is by node and onset of the episode.
    """

    results: list[SystemResult]
    first: LibrarySystem
    references: list[Reference]
    scopes: list[EvaluationScope]
    evidence: Mapping[tuple[str, datetime], list[str]]


def compare_systems(
    models: Mapping[str, Model],
    split: TrainingSplit,
    minutes: pl.DataFrame,
    labels: pl.DataFrame,
    folder: Path,
    *,
    baselines: Callable[[], FittedBaselines],
    now: datetime,
    log: Callable[[str], None],
) -> Comparison:
    """Enrol one example of each fault from the split, and score every system on unseen minutes.

    The examples are the medoids in the space of the first model. The library of each model is left in `folder` as NAME.db.
    Every decision rule is set on the calibration networks of the split. `baselines` is called last, because they may still
    be training in parallel.
    """
    first_name, first = next(iter(models.items()))
    candidates = examples(split.train, split.train_labels, first)
    enrolled = [candidates[index] for index in medoid_examples(enrol_examples(candidates, first, created=now))]
    references = _library(folder / f"{first_name}.db", first, enrolled, split, now)
    scopes = evaluation_scopes(minutes, first, matcher_for(first, references))
    true_conditions = truth([scope.series for scope in scopes], labels, first.window)
    systems, results = [], []
    for name, model in models.items():
        log(f"Enrolling one example of each fault for {name}, setting its thresholds, scoring it …")
        path = folder / f"{name}.db"
        if model is not first:
            references = _library(path, model, enrolled, split, now)
        systems.append(LibrarySystem(name, model, references))
        with Library.open(path) as library:
            rule = rule_for(model, library, CONFIRM_MINUTES)
        results.append(score(systems[-1], rule, scopes, true_conditions, labels, model.window))
    fitted = baselines()
    others: list[System] = [fitted.nearest_neighbour(enrolled)]
    if fitted.trees is not None:
        others.insert(0, fitted.trees)
    for system in others:
        rule = calibrated_rule(system, split, first, CONFIRM_MINUTES)
        results.append(score(system, rule, scopes, true_conditions, labels, first.window))
    explained = episode_evidence(results[0].figures.outcomes, scopes, first)
    return Comparison(results, systems[0], systems[0].references, scopes, explained)


def _library(
    path: Path, model: Model, enrolled: Sequence[Example], split: TrainingSplit, now: datetime
) -> list[Reference]:
    """Make a new library with one reference for each example, and calibrate it on the split."""
    for old in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        old.unlink(missing_ok=True)
    minutes = split.calibration
    if model.manifest.encoder == "recurrent":
        networks = sorted(str(name) for name in minutes["network"].unique())[:MAX_SLOW_NETWORKS]
        minutes = minutes.filter(pl.col("network").cast(pl.String).is_in(networks))
    nodes = minutes["node"].cast(pl.String).unique().to_list()
    labels = split.calibration_labels.filter(pl.col("node").cast(pl.String).is_in(nodes))
    with Library.open(path, create=True) as library:
        library.add(enrol_examples(enrolled, model, created=now))
        calibrate_library(minutes, labels, model, library)
        return library.references()


def episode_evidence(
    episodes: Sequence[Episode], scopes: Sequence[EvaluationScope], model: Model
) -> dict[tuple[str, datetime], list[str]]:
    """The evidence of each episode at its first right verdict, or at the end of the fault if there was none."""
    by_episode: dict[tuple[str, datetime], list[str]] = {}
    for scope in scopes:
        series = scope.series
        of_node = [episode for episode in episodes if episode.node == series.node]
        moments = [_moment(episode) for episode in of_node]
        last = (np.array(moments, np.int64) - series.first_us) // series.interval_us
        last = np.clip(last, 0, len(series) - 1)
        profile = model.profile(series, scope.baseline_minutes)
        lines = evidence(series, profile, model, last, max_features=3)
        by_episode |= {(episode.node, episode.start): each for episode, each in zip(of_node, lines, strict=True)}
    return by_episode


def _moment(episode: Episode) -> int:
    """µs within the minute to explain: the minute that ends with the first right verdict, else the last of the fault."""
    if episode.delay_minutes is None:
        return round(episode.end.timestamp() * 1e6) - 1
    return round(episode.start.timestamp() * 1e6 + episode.delay_minutes * 60e6) - 1
