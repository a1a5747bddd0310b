"""Score a model with its library together with other models and baselines, on the same minutes.

Every system gets the same normal minutes of each node and the same windows. Its decision rule is set in the same way: on
networks that did not train it and gave no reference, the loosest threshold with at most
`cases.calibration.ALARMS_PER_DAY` false alarms a day. Nothing is tuned on the minutes that are scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import polars as pl

from faultprint.arrays import BoolArray, IntArray
from faultprint.cases.baseline import FIRST_HOUR, Baseline, OnSuspect
from faultprint.cases.calibration import calibrate, calibration_sets
from faultprint.cases.decision import Rule, is_fault, verdict_names
from faultprint.cases.enrol import Example, examples, one_per_condition
from faultprint.cases.identify import minute_verdicts
from faultprint.cases.library import Library
from faultprint.cases.recovery import active
from faultprint.cases.scope import EvaluationScope, evaluation_scopes, labelled_scopes
from faultprint.cases.thresholds import rule_for
from faultprint.embedding.model import Model
from faultprint.errors import UsageError
from faultprint.evaluation.metrics import Figures, figures
from faultprint.evaluation.truth import scored, truth
from faultprint.progress import Progress
from faultprint.training.data.dataset import training_set
from faultprint.windows.profile import population_profile
from faultprint_lab.baselines.summary import NormalisedSummaries
from faultprint_lab.baselines.systems import LibrarySystem, NearestReference, SummarySpace, SupportsRecovery, System
from faultprint_lab.baselines.trees import BoostedTrees, train_trees, training_windows

BASELINES: Final = ("lightgbm", "1-nn")
CONFIRM_MINUTES: Final = 2
"""Minutes that must agree. A third minute removes few more false alarms and delays every verdict by a minute."""


@dataclass(frozen=True, slots=True)
class SystemResult:
    """The verdicts of one system with their truth (`evaluation.truth.scored`), its decision rule, and its figures."""

    name: str
    rule: Rule
    scored: pl.DataFrame
    figures: Figures


@dataclass(frozen=True, slots=True)
class TrainingSplit:
    """Labelled minutes, divided by network: `train` trains and gives references, `calibration` sets the decision rules."""

    train: pl.DataFrame
    train_labels: pl.DataFrame
    calibration: pl.DataFrame
    calibration_labels: pl.DataFrame


def split_networks(minutes: pl.DataFrame, labels: pl.DataFrame, model: Model, seed: int = 1) -> TrainingSplit:
    """Divide labelled minutes by network as the training of the model did.

    If the model was trained on none of these networks, a fifth of them, drawn by `seed`, is for calibration.
    Raises UsageError for fewer than two networks.
    """
    networks = sorted(str(name) for name in minutes["network"].unique())
    if len(networks) < 2:
        raise UsageError(
            f"The labelled minutes are of {len(networks)} network. One network must train and another must set the "
            "thresholds; give minutes of two or more networks."
        )
    record = model.manifest.training.get("held_out")
    held_out = {*record} & {*networks} if isinstance(record, list) else set()
    if not held_out or held_out == {*networks}:
        order = np.random.default_rng(seed).permutation(networks)
        held_out = {str(name) for name in order[: max(1, round(0.2 * len(networks)))]}
    for_calibration = minutes["network"].cast(pl.String).is_in(sorted(held_out))
    nodes = minutes.filter(for_calibration)["node"].cast(pl.String).unique().to_list()
    labels_for_calibration = labels["node"].cast(pl.String).is_in(nodes)
    return TrainingSplit(
        minutes.filter(~for_calibration),
        labels.filter(~labels_for_calibration),
        minutes.filter(for_calibration),
        labels.filter(labels_for_calibration),
    )


@dataclass(frozen=True, slots=True)
class FittedBaselines:
    """Baselines that were fitted once on labelled minutes: LightGBM (`trees`, None if not asked for), and the space of 1-NN."""

    space: SummarySpace
    trees: BoostedTrees | None

    @classmethod
    def fit(
        cls,
        minutes: pl.DataFrame,
        labels: pl.DataFrame,
        model: Model,
        *,
        seed: int,
        max_seconds: float,
        threads: int = 2,
        trees: bool = True,
    ) -> Self:
        """Fit on minutes and labels; `max_seconds` and `threads` are for LightGBM."""
        interval_us = model.manifest.interval_us
        training = training_set(minutes, labels, model.catalogue, window=model.window, interval_us=interval_us)
        population = population_profile([node.full_profile for node in training.nodes], training.kinds)
        summaries = NormalisedSummaries(training.kinds, population, model.window)
        inputs, codes = training_windows(training, summaries, seed)
        space = SummarySpace(summaries, inputs.std(axis=0))
        if not trees:
            return cls(space, None)
        booster = train_trees(training.conditions, inputs, codes, seed=seed, max_seconds=max_seconds, threads=threads)
        return cls(space, BoostedTrees("lightgbm", booster, training.conditions, summaries))

    def nearest_neighbour(self, enrolled: Sequence[Example]) -> NearestReference:
        """1-NN with these examples, one reference each."""
        return NearestReference.from_examples(self.space, enrolled)


def train_baselines(
    split: TrainingSplit,
    model: Model,
    names: Sequence[str],
    *,
    seed: int,
    max_seconds: float,
    threads: int = 2,
) -> list[System]:
    """The named BASELINES, trained on the split; 1-NN knows one example of each fault, drawn by `seed`.

    `max_seconds` and `threads` are for LightGBM. Raises UsageError for another name.
    """
    if unknown := [name for name in names if name not in BASELINES]:
        raise UsageError(f"There is no baseline {unknown[0]!r}; choose from {', '.join(BASELINES)}.")
    fitted = FittedBaselines.fit(
        split.train,
        split.train_labels,
        model,
        seed=seed,
        max_seconds=max_seconds,
        threads=threads,
        trees="lightgbm" in names,
    )
    systems: list[System] = [] if fitted.trees is None else [fitted.trees]
    if "1-nn" in names:
        enrolled = one_per_condition(examples(split.train, split.train_labels, model), seed)
        systems.append(fitted.nearest_neighbour(enrolled))
    return systems


def calibrated_rule(system: System, split: TrainingSplit, model: Model, persistence: int) -> Rule:
    """The decision rule of the system, set on the calibration networks of the split."""
    scopes = labelled_scopes(split.calibration, split.calibration_labels, model)
    sets = calibration_sets(scopes, split.calibration_labels, system.match, model.window)
    return calibrate(sets, persistence=persistence, max_ratio=system.max_ratio)


def score(
    system: System,
    rule: Rule,
    scopes: Sequence[EvaluationScope],
    true_conditions: pl.DataFrame,
    labels: pl.DataFrame,
    window: int,
) -> SystemResult:
    """The verdicts of one system on every window, and their figures.

    `true_conditions` is `evaluation.truth.truth` of the same nodes.
    """
    verdicts, windows = [], []
    for scope in scopes:
        series = scope.series
        matches = system.match(scope)
        code = minute_verdicts(matches, scope.last_minutes, series, rule, scope.begin)
        frame = pl.DataFrame(
            {
                "node": [series.node] * len(series),
                "minute": pl.Series(series.minute_us).cast(pl.Datetime("us", "UTC")),
            }
        )
        conditions = pl.Series(verdict_names(code, matches.conditions), dtype=pl.String)
        still_active = pl.Series(fault_active(system, rule, scope, code))
        observed = frame.filter(pl.Series(series.observed))
        verdicts.append(observed.with_columns(condition=conditions, ongoing=still_active))
        counted = np.zeros(len(series), np.bool_)
        counted[scope.last_minutes[scope.last_minutes >= scope.begin]] = True
        windows.append(frame.filter(pl.Series(counted & ~scope.baseline_minutes)))
    table = scored(pl.concat(verdicts), true_conditions, pl.concat(windows))
    result = figures(table, labels, interval_us=scopes[0].series.interval_us, window=window)
    return SystemResult(system.name, rule, table, result)


def fault_active(system: System, rule: Rule, scope: EvaluationScope, code: IntArray) -> BoolArray:
    """(N,) whether the fault of each observed minute's verdict `code` is still active, if the system can tell."""
    recovered = np.zeros(len(code), np.bool_)
    fault = is_fault(code)
    if isinstance(system, SupportsRecovery) and fault.any():
        recovered[fault] = system.is_recovered(scope, rule, np.flatnonzero(scope.series.observed)[fault])
    return active(code, recovered, rule.persistence)


def compare_with_baselines(
    minutes: pl.DataFrame,
    labels: pl.DataFrame,
    model: Model,
    library: Library,
    *,
    train: tuple[pl.DataFrame, pl.DataFrame] | None = None,
    systems: Sequence[str] = BASELINES,
    baseline_seconds: float = 60,
    baseline: Baseline = FIRST_HOUR,
    persistence: int = 3,
    seed: int = 1,
    progress: Progress | None = None,
    on_suspect: OnSuspect = lambda node, condition: None,
) -> dict[str, Any]:
    """The figures of the model with its library ("default") and of the named baselines, on labelled minutes.

    `train` is (minutes, labels) of other networks, which train the baselines (`split_networks`); without it only the model
    is scored. `baseline` and `on_suspect` are as in `cases.identify`, and the model uses the same rule as `identify`.
    Returns {system: {figure: value}}. Raises TableError, LabelError, ModelError, LibraryError or UsageError.
    """
    references = library.for_model(model.id, model.dimensions)
    default = LibrarySystem("default", model, references)
    entries: list[tuple[System, Rule]] = [(default, rule_for(model, library, persistence))]
    if train is not None and systems:
        split = split_networks(*train, model, seed)
        baselines = train_baselines(split, model, systems, seed=seed, max_seconds=baseline_seconds)
        entries += [(system, calibrated_rule(system, split, model, persistence)) for system in baselines]
    scopes = evaluation_scopes(minutes, model, default.matcher, baseline, on_suspect)
    true_conditions = truth([scope.series for scope in scopes], labels, model.window)
    results = {}
    for done, (system, rule) in enumerate(entries, start=1):
        result = score(system, rule, scopes, true_conditions, labels, model.window)
        results[system.name] = result.figures.summary() | {"conditions": result.figures.by_condition()}
        if progress:
            progress(done, len(entries))
    return results
