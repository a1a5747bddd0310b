"""The comparison: a model with its library, other models and baselines, on the same minutes.

Every system gets the same normal minutes of each node, is asked about the same windows, and has its rule set
in the same way: on networks that trained none of them and gave no reference, the loosest threshold that keeps to
`cases.calibration.ALARMS_PER_DAY` false alarms a day. Nothing is tuned on the minutes that are reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import polars as pl

from faultprint.arrays import BoolArray, IntArray
from faultprint.cases.calibration import calibrate, calibration_sets, rule_for
from faultprint.cases.centering import Stretch
from faultprint.cases.decision import Rule, faulty
from faultprint.cases.enrol import Example, examples, one_per_condition
from faultprint.cases.identify import decide, names
from faultprint.cases.library import Library
from faultprint.cases.recovery import active
from faultprint.cases.scope import EvaluationScope, evaluation_scopes, labelled_scopes
from faultprint.embedding.model import Model
from faultprint.errors import UsageError
from faultprint.evaluation.metrics import Figures, figures
from faultprint.evaluation.truth import scored, truth
from faultprint.training.data.dataset import training_set
from faultprint.windows.profile import population
from faultprint_lab.baselines.summary import Summaries
from faultprint_lab.baselines.systems import Embedding, Nearest, SummarySpace, SupportsRecovery, System
from faultprint_lab.baselines.trees import Trees, grow, samples

BASELINES: Final = ("lightgbm", "1-nn")
PERSISTENCE: Final = 2
"""Minutes that must agree: a third removes few false alarms more, and costs every fault another minute."""


@dataclass(frozen=True, slots=True)
class SystemResult:
    """One system's verdicts with their truth (`evaluate.truth.scored`), its rule, and what they are worth."""

    name: str
    rule: Rule
    scored: pl.DataFrame
    figures: Figures


@dataclass(frozen=True, slots=True)
class TrainingSplit:
    """Labelled minutes to learn from, parted by network: `taught` trains and gives references, `kept` sets the rules."""

    taught: pl.DataFrame
    taught_labels: pl.DataFrame
    kept: pl.DataFrame
    kept_labels: pl.DataFrame


def split_networks(minutes: pl.DataFrame, labels: pl.DataFrame, model: Model, seed: int = 1) -> TrainingSplit:
    """Part labelled minutes as the model's training did; if it saw none of these networks, keep a fifth by
    `seed`.

    Raises UsageError unless there are two networks at least.
    """
    networks = sorted(str(name) for name in minutes["network"].unique())
    if len(networks) < 2:
        raise UsageError(
            f"The labelled minutes are of {len(networks)} network, but one has to train and another to set the "
            "thresholds; give two or more."
        )
    record = model.manifest.training.get("held_out")
    held = {*record} & {*networks} if isinstance(record, list) else set()
    if not held or held == {*networks}:
        order = np.random.default_rng(seed).permutation(networks)
        held = {str(name) for name in order[: max(1, round(0.2 * len(networks)))]}
    aside = minutes["network"].cast(pl.String).is_in(sorted(held))
    nodes = minutes.filter(aside)["node"].cast(pl.String).unique().to_list()
    labels_aside = labels["node"].cast(pl.String).is_in(nodes)
    return TrainingSplit(
        minutes.filter(~aside),
        labels.filter(~labels_aside),
        minutes.filter(aside),
        labels.filter(labels_aside),
    )


@dataclass(frozen=True, slots=True)
class FittedBaselines:
    """What baselines have learnt from labelled minutes: once for all that they are asked about.

    `trees` is LightGBM, unless it was not wanted; `space` is 1-NN's.
    """

    space: SummarySpace
    trees: Trees | None

    @classmethod
    def of(
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
        """Learn from minutes and labels; `max_seconds` and `threads` are LightGBM's."""
        interval_us = model.manifest.interval_us
        known = training_set(minutes, labels, model.catalogue, window=model.window, interval_us=interval_us)
        people = population([node.whole for node in known.nodes], known.kinds)
        summaries = Summaries(known.kinds, people, model.window)
        inputs, codes = samples(known, summaries, seed)
        space = SummarySpace(summaries, inputs.std(axis=0))
        if not trees:
            return cls(space, None)
        booster = grow(known.conditions, inputs, codes, seed=seed, max_seconds=max_seconds, threads=threads)
        return cls(space, Trees("lightgbm", booster, known.conditions, summaries))

    def neighbour(self, taught: Sequence[Example]) -> Nearest:
        """1-NN with these examples, one reference each."""
        return Nearest.of(self.space, taught)


def baselines(
    lessons: TrainingSplit,
    model: Model,
    wanted: Sequence[str],
    *,
    seed: int,
    max_seconds: float,
    threads: int = 2,
) -> list[System]:
    """The wanted of BASELINES, trained on the lessons; 1-NN knows one example a fault, drawn by `seed`.

    `max_seconds` and `threads` are LightGBM's. Raises UsageError for another name.
    """
    if strange := [name for name in wanted if name not in BASELINES]:
        raise UsageError(f"There is no baseline {strange[0]!r}; take from {', '.join(BASELINES)}.")
    students = FittedBaselines.of(
        lessons.taught,
        lessons.taught_labels,
        model,
        seed=seed,
        max_seconds=max_seconds,
        threads=threads,
        trees="lightgbm" in wanted,
    )
    found: list[System] = [] if students.trees is None else [students.trees]
    if "1-nn" in wanted:
        taught = one_per_condition(examples(lessons.taught, lessons.taught_labels, model), seed)
        found.append(students.neighbour(taught))
    return found


def calibrated(system: System, lessons: TrainingSplit, model: Model, persistence: int) -> Rule:
    """The system's rule, set on the networks that were kept aside."""
    places = labelled_scopes(lessons.kept, lessons.kept_labels, model)
    found = calibration_sets(places, lessons.kept_labels, system.match, model.window)
    return calibrate(found, persistence=persistence, loosest=system.loosest)


def score(
    system: System,
    rule: Rule,
    places: Sequence[EvaluationScope],
    known: pl.DataFrame,
    labels: pl.DataFrame,
    window: int,
) -> SystemResult:
    """Ask one system about every window, and score it. `known` is `evaluate.truth.truth` of these nodes."""
    said, counted = [], []
    for place in places:
        series = place.series
        matches = system.match(place)
        code = decide(matches, place.last_minutes, series, rule, place.begin)
        frame = pl.DataFrame(
            {
                "node": [series.node] * len(series),
                "minute": pl.Series(series.minute_us).cast(pl.Datetime("us", "UTC")),
            }
        )
        words = pl.Series(names(code, matches.conditions), dtype=pl.String)
        there = pl.Series(fault_active(system, rule, place, code))
        said.append(frame.filter(pl.Series(series.observed)).with_columns(condition=words, ongoing=there))
        asked = np.zeros(len(series), np.bool_)
        asked[place.last_minutes[place.last_minutes >= place.begin]] = True
        counted.append(frame.filter(pl.Series(asked & ~place.baseline_minutes)))
    table = scored(pl.concat(said), known, pl.concat(counted))
    found = figures(table, labels, interval_us=places[0].series.interval_us, window=window)
    return SystemResult(system.name, rule, table, found)


def fault_active(system: System, rule: Rule, place: EvaluationScope, code: IntArray) -> BoolArray:
    """(N,) whether the fault of each observed minute's verdict `code` is still there, as far as the system can tell."""
    calm = np.zeros(len(code), np.bool_)
    fault = faulty(code)
    if isinstance(system, SupportsRecovery) and fault.any():
        calm[fault] = system.quiet(place, rule, np.flatnonzero(place.series.observed)[fault])
    return active(code, calm, rule.persistence)


def evaluate(
    minutes: pl.DataFrame,
    labels: pl.DataFrame,
    model: Model,
    library: Library,
    *,
    train: tuple[pl.DataFrame, pl.DataFrame] | None = None,
    wanted: Sequence[str] = BASELINES,
    baseline_seconds: float = 60,
    normal: Mapping[str, Stretch] | Stretch | None = None,
    profile_minutes: int = 60,
    persistence: int = 3,
    seed: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """The figures of the model with its library ("default"), and of the wanted baselines, on labelled
    minutes.

    `train` is the (minutes, labels) of other networks, from which baselines learn (`part`); without it there
    are none. `normal` and `profile_minutes` as in `cases.identify`. The model's rule is the one that
    `identify` would use. Returns {system: {figure: value}}. Raises TableError, LabelError, ModelError,
    LibraryError or UsageError.
    """
    references = library.for_model(model.id, model.dimensions)
    ours = Embedding("default", model, references)
    entries: list[tuple[System, Rule]] = [(ours, rule_for(model, library, persistence))]
    if train is not None and wanted:
        lessons = split_networks(*train, model, seed)
        others = baselines(lessons, model, wanted, seed=seed, max_seconds=baseline_seconds)
        entries += [(system, calibrated(system, lessons, model, persistence)) for system in others]
    places = evaluation_scopes(minutes, model, normal, profile_minutes)
    known = truth([place.series for place in places], labels, model.window)
    result = {}
    for done, (system, rule) in enumerate(entries, start=1):
        outcome = score(system, rule, places, known, labels, model.window)
        result[system.name] = outcome.figures.summary() | {"conditions": outcome.figures.by_condition()}
        if progress:
            progress(done, len(entries))
    return result
