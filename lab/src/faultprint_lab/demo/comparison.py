"""The demo's contest: every system is taught from the same lessons and meets the same unseen nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from faultprint.cases.calibration import calibrate_library, rule_for
from faultprint.cases.enrol import Example, enrol_examples, examples, medoid_examples
from faultprint.cases.evidence import evidence
from faultprint.cases.library import Library
from faultprint.cases.reference import Reference
from faultprint.cases.scope import EvaluationScope, evaluation_scopes
from faultprint.embedding.model import Model
from faultprint.evaluation.episodes import Episode
from faultprint.evaluation.truth import truth
from faultprint_lab.baselines.compare import (
    PERSISTENCE,
    FittedBaselines,
    SystemResult,
    TrainingSplit,
    calibrated,
    score,
)
from faultprint_lab.baselines.systems import Embedding, System

SLOW_NETWORKS: Final = 2


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of it; `references` are those of the model that comes first, `ours`."""

    outcomes: list[SystemResult]
    ours: Embedding
    references: list[Reference]
    places: list[EvaluationScope]
    evidence: Mapping[tuple[str, datetime], list[str]]


def compare_systems(
    models: Mapping[str, Model],
    lessons: TrainingSplit,
    minutes: pl.DataFrame,
    labels: pl.DataFrame,
    folder: Path,
    *,
    students: Callable[[], FittedBaselines],
    now: datetime,
    say: Callable[[str], None],
) -> Comparison:
    """Teach every model one example a fault from the lessons, and judge all on unseen minutes.

    The example is the most typical in the space of the model that comes first (`cases.enrol.typical`). The models'
    libraries are left in `folder`, as NAME.db. Every system's rule is set on the lessons' kept networks. `students` is
    asked for the baselines last, since they may still be learning beside.
    """
    ours = next(iter(models.values()))
    every = examples(lessons.taught, lessons.taught_labels, ours)
    taught = [every[index] for index in medoid_examples(enrol_examples(every, ours, created=now))]
    places = evaluation_scopes(minutes, ours)
    known = truth([place.series for place in places], labels, ours.window)
    systems, outcomes = [], []
    for name, model in models.items():
        say(f"Teaching {name} one example a fault, setting its threshold on networks kept aside, asking it …")
        path = folder / f"{name}.db"
        systems.append(Embedding(name, model, _library(path, model, taught, lessons, now)))
        with Library.open(path) as library:
            rule = rule_for(model, library, PERSISTENCE)
        outcomes.append(score(systems[-1], rule, places, known, labels, model.window))
    learnt = students()
    others: list[System] = (
        [learnt.neighbour(taught)] if learnt.trees is None else [learnt.trees, learnt.neighbour(taught)]
    )
    for system in others:
        rule = calibrated(system, lessons, ours, PERSISTENCE)
        outcomes.append(score(system, rule, places, known, labels, ours.window))
    reasons = why(outcomes[0].figures.outcomes, places, ours)
    return Comparison(outcomes, systems[0], systems[0].references, places, reasons)


def _library(
    path: Path, model: Model, taught: Sequence[Example], lessons: TrainingSplit, now: datetime
) -> list[Reference]:
    """A fresh library with a reference for each example, and its rules set on the kept networks.

    A recurrent encoder makes some hundred vectors a second where a pooled one makes ten thousands: it is calibrated on
    SLOW_NETWORKS of them, so that the demo ends in time.
    """
    for old in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        old.unlink(missing_ok=True)
    kept = lessons.kept
    if model.manifest.encoder == "recurrent":
        networks = sorted(str(name) for name in kept["network"].unique())[:SLOW_NETWORKS]
        kept = kept.filter(pl.col("network").cast(pl.String).is_in(networks))
    nodes = kept["node"].cast(pl.String).unique().to_list()
    labels = lessons.kept_labels.filter(pl.col("node").cast(pl.String).is_in(nodes))
    with Library.open(path, create=True) as library:
        library.add(enrol_examples(taught, model, created=now))
        calibrate_library(kept, labels, model, library)
        return library.references()


def why(
    episodes: Sequence[Episode], places: Sequence[EvaluationScope], model: Model
) -> dict[tuple[str, datetime], list[str]]:
    """The evidence of each episode at the first right verdict, or at the fault's end if there was none."""
    found: dict[tuple[str, datetime], list[str]] = {}
    for place in places:
        series = place.series
        own = [episode for episode in episodes if episode.node == series.node]
        moments = [_moment(episode) for episode in own]
        last = (np.array(moments, np.int64) - series.first_us) // series.interval_us
        last = np.clip(last, 0, len(series) - 1)
        profile = model.profile(series, place.baseline_minutes)
        for episode, words in zip(own, evidence(series, profile, model, last, named=3), strict=True):
            found[episode.node, episode.start] = words
    return found


def _moment(episode: Episode) -> int:
    """µs within the minute that the evidence is of: the one that ended with the first right verdict."""
    if episode.delay is None:
        return round(episode.end.timestamp() * 1e6) - 1
    return round(episode.start.timestamp() * 1e6 + episode.delay * 60e6) - 1
