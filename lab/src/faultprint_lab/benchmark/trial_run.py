"""One contender in one trial: learn, be taught, set the rule, be asked, be scored."""

from __future__ import annotations

import itertools
from typing import Any, Protocol, runtime_checkable

import numpy as np
import polars as pl

from faultprint.evaluation.metrics import CLEAR, condition_figures
from faultprint.evaluation.truth import of_windows
from faultprint_lab.baselines.compare import SystemResult, score
from faultprint_lab.baselines.systems import System
from faultprint_lab.benchmark.competitors.competitor import FittedSystem, Own
from faultprint_lab.benchmark.open_set import open_set
from faultprint_lab.benchmark.prepared import PreparedTrial, called_unknown
from faultprint_lab.benchmark.rules import rule_for
from faultprint_lab.benchmark.trials import BenchmarkTrial


@runtime_checkable
class MeasuredSystem(Protocol):
    """An entrant that is not only asked about windows, but measured in a way of its own; as a `Contender` otherwise."""

    @property
    def name(self) -> str: ...

    def refuses(self, trial: BenchmarkTrial) -> str: ...

    def figures(self, setting: PreparedTrial) -> dict[str, Any]:
        """By name, as `play` gives them."""
        ...


def run_trial(student: FittedSystem, setting: PreparedTrial) -> dict[str, Any]:
    """The figures, by name (`rows.FIGURES` and what they rest on); None where there is nothing to measure."""
    window = setting.model.window
    system, judged_by = _own(student, setting) if setting.own else [student.system(setting.given)] * 2
    # Vectors of an encoder have a scale, so that it may always say unknown, as the product does; other systems' doubt grows
    # with noise and with every fault they have seen little of, so that they would only lose by it where nobody asks.
    unknown = bool(setting.strange) or system.loosest <= 1
    rule = rule_for(judged_by, setting.kept, setting.kept_labels, window, unknown=unknown)
    known = called_unknown(setting.known, "truth", setting.strange)
    outcome = score(system, rule, setting.places, known, setting.labels, window)
    found = outcome.figures.summary() | {"closer": rule.max_distance_ratio, "nodes": len(setting.places)}
    return found | _of_hidden(outcome, setting) | _open(system, setting)


def _own(student: FittedSystem, setting: PreparedTrial) -> tuple[System, System]:
    """(the systems of the nodes met, each taught by its own past; the same to set the rule by).

    The rule is set on nodes that gave no reference: each is asked of one of these systems, in turn. A node that has no past
    to teach by has references from elsewhere.
    """
    if student.pooled:
        every = student.system([one for theirs in setting.own.values() for one in theirs])
        return every, every
    systems = {node: student.system(theirs) for node, theirs in setting.own.items()}
    elsewhere = student.system(setting.given)
    turns = zip(setting.kept, itertools.cycle(systems.values()), strict=False)
    return Own(systems, elsewhere), Own({place.series.node: system for place, system in turns}, elsewhere)


def _of_hidden(outcome: SystemResult, setting: PreparedTrial) -> dict[str, Any]:
    """Mean F1 of the faults that training never saw, where they were taught afterwards."""
    if not setting.hidden or setting.strange:
        return {"hidden_f1": None, "hidden_f1_exposed": None}
    kept = outcome.scored.filter(pl.col("truth").is_not_null())
    clear = kept.filter(CLEAR)

    def mean(frame: pl.DataFrame) -> float | None:
        scores = [row.f1 for row in condition_figures(frame, ()) if row.condition in setting.hidden]
        return float(np.mean(scores)) if scores else None

    return {"hidden_f1": mean(kept), "hidden_f1_exposed": mean(clear)}


def _open(system: System, setting: PreparedTrial) -> dict[str, Any]:
    """How well clear windows of faults that nobody is taught stand out from those of what is known."""
    if not setting.strange:
        return {"auroc": None, "fpr95": None}
    scores, words = [], []
    for place in setting.places:
        asked = of_windows(setting.known, place)
        clear = asked.select(CLEAR).to_series()
        scores.append(system.match(place).uncertainty[clear.to_numpy()].astype(np.float64))
        words.append(np.array(asked.filter(clear)["truth"].to_list(), dtype=object))
    found = open_set(np.concatenate(scores), np.concatenate(words), setting.strange)
    return {"auroc": found and found.auroc, "fpr95": found and found.fpr95}
