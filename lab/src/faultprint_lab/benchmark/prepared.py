"""A prepared trial: everything that is the same for all systems, computed once."""

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
from faultprint_lab.baselines.recorded import TESTBED_PREFIX, Tables, joined
from faultprint_lab.benchmark.cache import Cache
from faultprint_lab.benchmark.competitors.competitor import BenchmarkSplit
from faultprint_lab.benchmark.competitors.encoders import trained_model
from faultprint_lab.benchmark.data.datasets import Dataset, Datasets, only
from faultprint_lab.benchmark.data.scopes import trial_scopes
from faultprint_lab.benchmark.data.severity import only_severity
from faultprint_lab.benchmark.splits import Sizes
from faultprint_lab.benchmark.trials import HOUR, BenchmarkTrial

_REFERENCES_STREAM: Final = 11
"""Second seed of the generator that draws references."""


@dataclass(frozen=True, slots=True)
class PreparedTrial:
    """The input of every system in a trial.

    - `scopes` are scored; `calibration_scopes` and `calibration_labels` set the decision rule.
    - `labels` of the scored nodes and `true_conditions` of their windows (`evaluation.truth`); faults that are not enrolled
      are "unknown" there, and `unknown_faults` are their names.
    - `hidden` faults are not in the training.
    - `enrolled` examples are given to every system after the training; `enrolled_by_node` are from the node's own past.
    """

    data: BenchmarkSplit
    scopes: Sequence[EvaluationScope]
    calibration_scopes: Sequence[EvaluationScope]
    calibration_labels: pl.DataFrame
    labels: pl.DataFrame
    true_conditions: pl.DataFrame
    hidden: tuple[str, ...]
    unknown_faults: frozenset[str]
    enrolled: Sequence[Example]
    enrolled_by_node: Mapping[str, Sequence[Example]]
    model: Model


def prepare(trial: BenchmarkTrial, datasets: Datasets, cache: Cache, sizes: Sizes) -> PreparedTrial:
    """Prepare a trial; trains the default preset if the cache does not hold it. Raises as training and `cases.enrol` do."""
    dataset = datasets.dataset(trial)
    identity = trial.training | {"sizes": _training_sizes(sizes), "files": datasets.fingerprint(trial.data)}
    model = trained_model(cache, "default", dataset.train, identity, seed=trial.seed, seconds=sizes.seconds)
    split = split_networks(*dataset.train, model, trial.seed)
    calibration = _calibration_tables(trial, split, dataset)
    split = TrainingSplit(split.train, split.train_labels, *calibration)
    train = split.train, split.train_labels
    pool = _same_kind(trial, train) or train
    data = BenchmarkSplit(
        train=dataset.train,
        all_labels=dataset.all_labels,
        split=split,
        examples=examples(*pool, model),
        model=model,
        identity=identity,
        cache=cache,
        seed=trial.seed,
        seconds=sizes.seconds,
    )
    scored = dataset.scored
    if trial.temporal:
        scored = only(scored, {str(name) for name in split.train["network"].unique()})
    scopes = trial_scopes(scored, model, normal=trial.normal, history=dataset.history_minutes, trusted=trial.trusted)
    labels = scored[1].filter(pl.col("node").cast(pl.String).is_in([scope.series.node for scope in scopes]))
    enrolled, enrolled_by_node = _enrolled(trial, dataset, pool, scored, model)
    unknown_faults = frozenset(dataset.hidden if trial.hidden and not trial.hidden.shots else ())
    return PreparedTrial(
        data=data,
        scopes=scopes,
        calibration_scopes=trial_scopes(calibration, model, normal=min(trial.normal, HOUR), history=None),
        calibration_labels=calibration[1],
        labels=with_unknown(labels, "condition", unknown_faults),
        true_conditions=_true_conditions(trial, scopes, labels, model),
        hidden=dataset.hidden,
        unknown_faults=unknown_faults,
        enrolled=enrolled,
        enrolled_by_node=enrolled_by_node,
        model=model,
    )


def _true_conditions(
    trial: BenchmarkTrial, scopes: Sequence[EvaluationScope], labels: pl.DataFrame, model: Model
) -> pl.DataFrame:
    if not scopes:
        return pl.DataFrame()
    table = truth([scope.series for scope in scopes], labels, model.window)
    if not trial.severity:
        return table
    interval = timedelta(microseconds=model.manifest.interval_us)
    return only_severity(table, labels, trial.severity, model.window, interval)


def _training_sizes(sizes: Sizes) -> dict[str, object]:
    """The sizes that a training depends on, except the number of networks."""
    names = ("train_days", "temporal_days", "temporal_networks")
    return {name: getattr(sizes, name) for name in names}


def _same_kind(trial: BenchmarkTrial, tables: Tables) -> Tables | None:
    """The networks of the trial's kind of data; None if there are none."""
    networks = {str(name) for name in tables[0]["network"].unique()}
    same = {name for name in networks if name.startswith(TESTBED_PREFIX) == (trial.data == "testbed")}
    return only(tables, same) if same else None


def _calibration_tables(trial: BenchmarkTrial, split: TrainingSplit, dataset: Dataset) -> Tables:
    """Minutes and labels that set the thresholds: of networks like those scored, if there are any."""
    calibration = split.calibration, split.calibration_labels
    same_kind = [tables for tables in (_same_kind(trial, calibration), dataset.calibration) if tables]
    return joined(*same_kind) if same_kind else calibration


def _enrolled(
    trial: BenchmarkTrial, dataset: Dataset, pool: Tables, scored: Tables, model: Model
) -> tuple[list[Example], dict[str, list[Example]]]:
    """Examples of the hidden faults: from other networks, for all nodes; and by node, from its own past."""
    if not trial.hidden or not trial.hidden.shots:
        return [], {}
    rng = np.random.default_rng([trial.seed, _REFERENCES_STREAM])
    nodes = pool[0]["node"].cast(pl.String).unique().to_list()
    pool_labels = dataset.all_labels.filter(pl.col("node").cast(pl.String).is_in(nodes))
    enrolled = _draw(examples(pool[0], pool_labels, model), dataset.hidden, trial.hidden.shots, rng)
    if trial.hidden.origin == "other-networks":
        return enrolled, {}
    minutes, labels = scored
    assert dataset.history_minutes is not None
    start = pl.col("minute").min().over("node")
    past = minutes.filter(pl.col("minute") < start + timedelta(minutes=dataset.history_minutes))
    by_node: dict[str, list[Example]] = {}
    for example in examples(past, labels, model):
        by_node.setdefault(example.series.node, []).append(example)
    drawn = {node: _draw(own, dataset.hidden, trial.hidden.shots, rng) for node, own in by_node.items()}
    return enrolled, drawn


def _draw(candidates: Sequence[Example], faults: Sequence[str], shots: int, rng: np.random.Generator) -> list[Example]:
    """Up to `shots` random examples of each fault, from different networks as far as possible."""
    drawn: list[Example] = []
    for fault in faults:
        of_fault = [example for example in candidates if example.enrolment.condition == fault]
        order = [of_fault[index] for index in rng.permutation(len(of_fault))]
        count: dict[str, int] = {}
        turns = []
        for example in order:
            network = example.series.network
            count[network] = count.get(network, 0) + 1
            turns.append(count[network])
        chosen = sorted(range(len(order)), key=lambda index: turns[index])[:shots]
        drawn += [order[index] for index in chosen]
    return drawn


def with_unknown(frame: pl.DataFrame, column: str, unknown_faults: frozenset[str]) -> pl.DataFrame:
    """The frame, with "unknown" in the column instead of the unknown faults."""
    condition = pl.col(column).cast(pl.String)
    renamed = pl.when(condition.is_in(sorted(unknown_faults))).then(pl.lit(UNKNOWN)).otherwise(condition)
    return frame.with_columns(renamed.alias(column))
