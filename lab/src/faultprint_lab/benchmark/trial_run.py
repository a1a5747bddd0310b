"""One competitor in one trial: enrol examples, set the decision rule, score the windows."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
import polars as pl

from faultprint.cases.calibration import CalibrationSet, calibrate, calibration_sets, max_uncertainty
from faultprint.cases.decision import Rule
from faultprint.cases.matching import NORMAL_INDEX
from faultprint.cases.scope import EvaluationScope
from faultprint.evaluation.metrics import CLEAR_WINDOWS, condition_figures
from faultprint.evaluation.truth import truth_of_windows
from faultprint_lab.baselines.compare import CONFIRM_MINUTES, SystemResult, score
from faultprint_lab.baselines.systems import System
from faultprint_lab.benchmark.competitors.competitor import FittedSystem, PerNodeSystem
from faultprint_lab.benchmark.open_set import open_set
from faultprint_lab.benchmark.prepared import PreparedTrial, with_unknown
from faultprint_lab.benchmark.trials import BenchmarkTrial

_FAULT_QUANTILE: Final = 0.99
_NORMAL_QUANTILE: Final = 0.999


@runtime_checkable
class MeasuredSystem(Protocol):
    """A participant with measurements of its own, instead of verdicts on windows."""

    @property
    def name(self) -> str: ...

    def exclusion_reason(self, trial: BenchmarkTrial) -> str:
        """As `Competitor.exclusion_reason`."""
        ...

    def figures(self, prepared: PreparedTrial) -> dict[str, Any]:
        """Figures by name, as `run_trial` returns them."""
        ...


def run_trial(fitted: FittedSystem, prepared: PreparedTrial) -> dict[str, Any]:
    """The figures by name (`results_file.FIGURES`, and counts behind them); None where there is nothing to measure."""
    window = prepared.model.window
    if prepared.enrolled_by_node:
        system, calibration_system = _per_node(fitted, prepared)
    else:
        system = calibration_system = fitted.with_examples(prepared.enrolled)
    # Vectors of an encoder have a scale, so that it may always answer "unknown", as the product does. The uncertainty of
    # other systems grows with noise and with every fault that they saw little of: "unknown" would only cost them.
    unknown = bool(prepared.unknown_faults) or system.max_ratio <= 1
    calibration = prepared.calibration_scopes, prepared.calibration_labels
    rule = decision_rule(calibration_system, *calibration, window, unknown=unknown)
    true_conditions = with_unknown(prepared.true_conditions, "truth", prepared.unknown_faults)
    result = score(system, rule, prepared.scopes, true_conditions, prepared.labels, window)
    figures = result.figures.summary() | {"closer": rule.max_distance_ratio, "nodes": len(prepared.scopes)}
    return figures | _hidden_fault_figures(result, prepared) | _open_set_figures(system, prepared)


def decision_rule(
    system: System, scopes: Sequence[EvaluationScope], labels: pl.DataFrame, window: int, *, unknown: bool
) -> Rule:
    """The rule by `cases.calibration`, set on networks that neither trained the system nor gave a reference.

    It answers "unknown" only if `unknown`.
    """
    sets = calibration_sets(scopes, labels, system.match, window)
    radius, uncertainty = (_unknown_radius(sets), max_uncertainty(sets)) if unknown else (float("inf"), None)
    return calibrate(
        sets,
        persistence=CONFIRM_MINUTES,
        max_ratio=system.max_ratio,
        unknown_radius=radius,
        max_uncertainty=uncertainty,
    )


def _unknown_radius(sets: Sequence[CalibrationSet]) -> float:
    """The distance beyond which a window is unknown.

    99 % of clear fault windows are nearer to their own condition, and 99.9 % of normal windows are nearer to normal.
    """
    fault_distances = [each.matches.distance_to(each.fault)[each.fault >= 0] for each in sets]
    normal_distances = [each.matches.distances[each.normal, NORMAL_INDEX] for each in sets]
    bounds = [
        float(np.quantile(values, quantile))
        for parts, quantile in ((fault_distances, _FAULT_QUANTILE), (normal_distances, _NORMAL_QUANTILE))
        if parts and len(values := np.concatenate(parts))
    ]
    return max(bounds) if bounds else float("inf")


def _per_node(fitted: FittedSystem, prepared: PreparedTrial) -> tuple[System, System]:
    """(the system with each node's own examples, the system that sets the rule).

    The rule is set on nodes without examples of their own: they take the examples of the scored nodes in turn. A node
    without examples of its own has those from other networks.
    """
    if fitted.retrains:
        pooled = [example for examples in prepared.enrolled_by_node.values() for example in examples]
        system = fitted.with_examples(pooled)
        return system, system
    systems = {node: fitted.with_examples(examples) for node, examples in prepared.enrolled_by_node.items()}
    default = fitted.with_examples(prepared.enrolled)
    turns = zip(prepared.calibration_scopes, itertools.cycle(systems.values()), strict=False)
    calibration_systems = {scope.series.node: system for scope, system in turns}
    return PerNodeSystem(systems, default), PerNodeSystem(calibration_systems, default)


def _hidden_fault_figures(result: SystemResult, prepared: PreparedTrial) -> dict[str, Any]:
    """Mean F1 of the faults that training never saw and that were enrolled afterwards."""
    if not prepared.hidden or prepared.unknown_faults:
        return {"hidden_f1": None, "hidden_f1_exposed": None}
    counted = result.scored.filter(pl.col("truth").is_not_null())
    clear = counted.filter(CLEAR_WINDOWS)

    def mean(frame: pl.DataFrame) -> float | None:
        scores = [row.f1 for row in condition_figures(frame, ()) if row.condition in prepared.hidden]
        return float(np.mean(scores)) if scores else None

    return {"hidden_f1": mean(counted), "hidden_f1_exposed": mean(clear)}


def _open_set_figures(system: System, prepared: PreparedTrial) -> dict[str, Any]:
    """How well the uncertainty separates clear windows of unknown faults from those of known conditions."""
    if not prepared.unknown_faults:
        return {"auroc": None, "fpr95": None}
    scores, conditions = [], []
    for scope in prepared.scopes:
        windows = truth_of_windows(prepared.true_conditions, scope)
        clear = windows.select(CLEAR_WINDOWS).to_series()
        scores.append(system.match(scope).uncertainty[clear.to_numpy()].astype(np.float64))
        conditions.append(np.array(windows.filter(clear)["truth"].to_list(), dtype=object))
    figures = open_set(np.concatenate(scores), np.concatenate(conditions), prepared.unknown_faults)
    return {"auroc": figures and figures.auroc, "fpr95": figures and figures.fpr95}
