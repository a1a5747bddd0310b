"""A trial made ready: everything that is the same for all systems, made once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
import polars as pl

from faultprint.cases.enrol import Example, examples
from faultprint.cases.scope import EvaluationScope
from faultprint.embedding.model import Model
from faultprint.evaluation.truth import truth
from faultprint.tables import UNKNOWN
from faultprint_lab.baselines.compare import TrainingSplit, split_networks
from faultprint_lab.baselines.recorded import PREFIX, Tables, joined
from faultprint_lab.benchmark.cache import Cache
from faultprint_lab.benchmark.competitors.competitor import BenchmarkSplit
from faultprint_lab.benchmark.competitors.encoders import trained
from faultprint_lab.benchmark.data.datasets import Dataset, Datasets, only
from faultprint_lab.benchmark.data.scopes import grounds
from faultprint_lab.benchmark.data.severity import of_strength
from faultprint_lab.benchmark.splits import Sizes
from faultprint_lab.benchmark.trials import HOUR, BenchmarkTrial

_DRAW: Final = 11
"""Beside the suite's seed, of the generator that draws references."""


@dataclass(frozen=True, slots=True)
class PreparedTrial:
    """`places` are met and `kept` set the rules; `known` is the truth (`evaluate.truth`), in which faults that nobody is
    taught are "unknown"; `strange` are these; `given` are the examples that everybody is taught beyond the lessons, `own` those
    from a node's own past."""

    school: BenchmarkSplit
    places: Sequence[EvaluationScope]
    kept: Sequence[EvaluationScope]
    kept_labels: pl.DataFrame
    labels: pl.DataFrame
    known: pl.DataFrame
    hidden: tuple[str, ...]
    strange: frozenset[str]
    given: Sequence[Example]
    own: Mapping[str, Sequence[Example]]
    model: Model


def make_ready(trial: BenchmarkTrial, stages: Datasets, cache: Cache, sizes: Sizes) -> PreparedTrial:
    """Trains the default preset where no trial did before. Raises as training and `cases.enrol` do."""
    stage = stages.stage(trial)
    identity = trial.learning | {"sizes": _learning_sizes(sizes), "files": stages.fingerprint(trial.data)}
    model = trained(cache, "default", stage.learn, identity, seed=trial.seed, seconds=sizes.seconds)
    lessons = split_networks(*stage.learn, model, trial.seed)
    kept_tables = _kept(trial, lessons, stage)
    lessons = TrainingSplit(lessons.taught, lessons.taught_labels, *kept_tables)
    every = lessons.taught, lessons.taught_labels
    pool = _like(trial, every) or every
    school = BenchmarkSplit(
        stage.learn, stage.lessons, lessons, examples(*pool, model), model, identity, cache, trial.seed, sizes.seconds
    )
    meet = stage.meet
    if trial.later:
        meet = only(meet, {str(name) for name in lessons.taught["network"].unique()})
    places = grounds(meet, model, normal=trial.normal, history=stage.history, vouched=trial.vouched)
    labels = meet[1].filter(pl.col("node").cast(pl.String).is_in([place.series.node for place in places]))
    known = truth([place.series for place in places], labels, model.window) if places else pl.DataFrame()
    if trial.strength and places:
        known = of_strength(
            known, labels, trial.strength, model.window, timedelta(microseconds=model.manifest.interval_us)
        )
    given, own = _given(trial, stage, pool, meet, model)
    strange = frozenset(stage.hidden if trial.hidden and not trial.hidden.shots else ())
    return PreparedTrial(
        school=school,
        places=places,
        kept=grounds(kept_tables, model, normal=min(trial.normal, HOUR), history=None),
        kept_labels=kept_tables[1],
        labels=called_unknown(labels, "condition", strange),
        known=known,
        hidden=stage.hidden,
        strange=strange,
        given=given,
        own=own,
        model=model,
    )


def _learning_sizes(sizes: Sizes) -> dict[str, object]:
    """The sizes that a training depends on, beside the number of networks."""
    return {"train_days": sizes.train_days, "later_days": sizes.later_days, "later_networks": sizes.later_networks}


def _like(trial: BenchmarkTrial, tables: Tables) -> Tables | None:
    """The networks of the trial's kind of data; None, if there are none of it."""
    networks = {str(name) for name in tables[0]["network"].unique()}
    alike = {name for name in networks if name.startswith(PREFIX) == (trial.data == "bed")}
    return only(tables, alike) if alike else None


def _kept(trial: BenchmarkTrial, lessons: TrainingSplit, stage: Dataset) -> Tables:
    """What thresholds are set on: networks like those met, if any were kept."""
    every = lessons.kept, lessons.kept_labels
    found = [tables for tables in (_like(trial, every), stage.kept) if tables]
    return joined(*found) if found else every


def _given(
    trial: BenchmarkTrial, stage: Dataset, pool: Tables, meet: Tables, model: Model
) -> tuple[list[Example], dict[str, list[Example]]]:
    """Examples of the hidden faults: for all, from elsewhere; and by node, from its own past."""
    if not trial.hidden or not trial.hidden.shots:
        return [], {}
    rng = np.random.default_rng([trial.seed, _DRAW])
    nodes = pool[0]["node"].cast(pl.String).unique().to_list()
    every = examples(pool[0], stage.lessons.filter(pl.col("node").cast(pl.String).is_in(nodes)), model)
    given = _draw(every, stage.hidden, trial.hidden.shots, rng)
    if trial.hidden.origin == "elsewhere":
        return given, {}
    minutes, labels = meet
    assert stage.history is not None
    past = minutes.filter(pl.col("minute") < pl.col("minute").min().over("node") + timedelta(minutes=stage.history))
    own: dict[str, list[Example]] = {}
    for one in examples(past, labels, model):
        own.setdefault(one.series.node, []).append(one)
    return given, {node: _draw(theirs, stage.hidden, trial.hidden.shots, rng) for node, theirs in own.items()}


def _draw(every: Sequence[Example], hidden: Sequence[str], shots: int, rng: np.random.Generator) -> list[Example]:
    """So many examples of each hidden fault, of different networks as far as there are."""
    drawn: list[Example] = []
    for fault in hidden:
        own = [one for one in every if one.enrolment.condition == fault]
        order = [own[index] for index in rng.permutation(len(own))]
        rank: dict[str, int] = {}
        turns = []
        for one in order:
            rank[one.series.network] = rank.get(one.series.network, 0) + 1
            turns.append(rank[one.series.network])
        chosen = sorted(range(len(order)), key=lambda index: turns[index])[:shots]
        drawn += [order[index] for index in chosen]
    return drawn


def called_unknown(frame: pl.DataFrame, column: str, strange: frozenset[str]) -> pl.DataFrame:
    """The frame with faults that nobody is taught called what they are to be called."""
    word = pl.col(column).cast(pl.String)
    return frame.with_columns(pl.when(word.is_in(sorted(strange))).then(pl.lit(UNKNOWN)).otherwise(word).alias(column))
