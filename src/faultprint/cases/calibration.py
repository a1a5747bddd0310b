"""Calibration: the thresholds of the rule, set on labelled traffic of networks that neither trained nor were enrolled.

max_distance_ratio  the largest ratio that keeps to a number of false alarms a day. A larger one raises more alarms than
                    an operator accepts, a smaller one finds fewer faults, and later. A ratio has no unit, so it serves a
                    node with two requests a minute and one with two thousand.
max_uncertainty     of the node that is hardest to tell, what 95 of 100 rightly named fault windows keep to. Pooled over
                    the nodes, the easy ones would set a limit that others cannot keep. Only faults that occur in this
                    traffic get a limit; nothing is known about the others.
sharpness           how sure the probabilities are (`cases.probability`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl

from faultprint.arrays import BoolArray, Float64Array, IntArray
from faultprint.cases.decision import Rule, debounce, is_fault, raw_verdicts
from faultprint.cases.enrol import MIN_FAULT_MINUTES
from faultprint.cases.library import Library
from faultprint.cases.matching import NORMAL_INDEX, Matches
from faultprint.cases.probability import fit_sharpness
from faultprint.cases.scope import EvaluationScope, labelled_scopes
from faultprint.cases.thresholds import matcher_for
from faultprint.cases.thresholds import unknown_radius as unknown_radius_of
from faultprint.embedding.model import Model
from faultprint.errors import LabelError, LibraryError
from faultprint.units import DAY_US
from faultprint.windows.labelling import fault_names, label_minutes, label_windows

ALARMS_PER_DAY: Final = 0.5
"""False alarms per node and day that a calibrated rule may raise."""
NAMED_SHARE: Final = 0.95
"""Share of each node's rightly named fault windows that must not become unknown."""
_MIN_NAMED_WINDOWS: Final = 50
"""Windows below which a quantile says nothing."""
MAX_NODE_FACTOR: Final = 2.0
"""Each node counts with at most this many times the allowed alarms: one odd node must not set the rule for all."""
_CANDIDATES: Final = 60


@dataclass(frozen=True, slots=True)
class CalibrationSet:
    """The windows of one node that verdicts are given on.

    matches      distances of N windows
    minute_us    (N,) start of each window's last minute, µs
    normal       (N,) bool: the window is labelled normal
    interval_us  length of a minute, µs
    fault        (N,) index into the matches' conditions of the fault that a window holds MIN_FAULT_MINUTES of; -1 if
                 there is none, or none with a reference
    """

    matches: Matches
    minute_us: IntArray
    normal: BoolArray
    interval_us: int
    fault: IntArray


def false_alarms(
    verdict: IntArray,
    alarming: BoolArray,
    normal: BoolArray,
    minute_us: IntArray,
    interval_us: int,
) -> int:
    """The number of incidents that begin in a normal window, for one node's verdicts in order of time.

    An incident is a run of one and the same alarming verdict in consecutive minutes. Unknown is alarming; normal and
    warming-up are not. An alarm that changes its name in normal time counts twice.

    All arguments are (N,): codes of the verdicts, which of them are alarming, where the truth is normal, and the start
    of each minute in µs.
    """
    begins = np.ones(len(verdict), np.bool_)
    begins[1:] = (verdict[1:] != verdict[:-1]) | (np.diff(minute_us) != interval_us)
    return int((begins & alarming & normal).sum())


def alarms_per_day(sets: Sequence[CalibrationSet], rule: Rule, node_limit: float = float("inf")) -> float:
    """False alarms per node and day of normal windows under the rule; a node counts with at most `node_limit` a day."""
    alarms = days = 0.0
    for node in sets:
        raw = raw_verdicts(node.matches, np.ones(len(node.normal), np.bool_), rule)
        verdict = debounce(raw[None], rule.persistence)[0][0]
        node_days = int(node.normal.sum()) * node.interval_us / DAY_US
        raised = false_alarms(verdict, is_fault(verdict), node.normal, node.minute_us, node.interval_us)
        alarms += min(raised, node_limit * node_days) if node_days else 0
        days += node_days
    return alarms / days if days else 0.0


def calibrate(
    sets: Sequence[CalibrationSet],
    *,
    persistence: int = 1,
    max_alarms_per_day: float = ALARMS_PER_DAY,
    max_ratio: float = 1.0,
    unknown_radius: float = float("inf"),
    max_uncertainty: Mapping[str, float] | None = None,
) -> Rule:
    """The rule with the largest max_distance_ratio that keeps to `max_alarms_per_day` on these nodes.

    Candidates are quantiles of the ratio of distances (nearest fault to normal) in the normal windows, up to `max_ratio`.
    A ratio above 1 lets a fault win though normal is nearer, which makes sense for probabilities only.
    """
    ratios = np.concatenate([_ratio(node.matches)[node.normal] for node in sets]) if sets else np.zeros(0)
    ratios = ratios[ratios < max_ratio]
    # Alarms come from the few windows in the tail, so candidates must lie close together there.
    levels = np.geomspace(1 / max(len(ratios), 1), 1, _CANDIDATES)
    candidates = np.unique(np.append(np.quantile(ratios, levels), 0.99 * ratios.min()))[::-1] if len(ratios) else ratios
    rules = [
        Rule(
            max_distance_ratio=float(ratio),
            unknown_radius=unknown_radius,
            persistence=persistence,
            max_uncertainty=max_uncertainty or {},
        )
        for ratio in (*([max_ratio] if np.isfinite(max_ratio) else []), *candidates)
    ]
    node_limit = MAX_NODE_FACTOR * max_alarms_per_day or float("inf")
    quiet = (rule for rule in rules if alarms_per_day(sets, rule, node_limit) <= max_alarms_per_day)
    return next(quiet, rules[-1] if rules else Rule())


def max_uncertainty(sets: Sequence[CalibrationSet]) -> dict[str, float]:
    """By fault, the uncertainty that NAMED_SHARE of the rightly named windows keep to on every node.

    Holds the faults that are rightly named at all; empty if no node has enough such windows.
    """
    bounds, conditions = [], set[str]()
    for node in sets:
        right = (node.fault >= 0) & (node.matches.nearest == node.fault)
        conditions |= {node.matches.conditions[code] for code in np.unique(node.fault[right]).tolist()}
        if right.sum() >= _MIN_NAMED_WINDOWS:
            bounds.append(float(np.quantile(node.matches.uncertainty[right], NAMED_SHARE)))
    return dict.fromkeys(sorted(conditions), max(bounds)) if bounds else {}


def calibration_sets(
    scopes: Sequence[EvaluationScope], labels: pl.DataFrame, match: Callable[[EvaluationScope], Matches], window: int
) -> list[CalibrationSet]:
    """The windows of labelled nodes. `match` gives the distances of the windows at a scope's `last_minutes`."""
    sets, names = [], fault_names(labels)
    for scope in scopes:
        series = scope.series
        windows = label_windows(label_minutes(labels, series, names), window)
        normal = np.zeros(len(series), np.bool_)
        normal[windows.last_minute] = windows.code == 0
        judged = scope.last_minutes >= scope.begin
        rows, matches = scope.last_minutes[judged], match(scope).select(judged)
        index = {name: number for number, name in enumerate(matches.conditions) if name in names}
        enrolled = np.array([index.get(name, -1) for name in windows.conditions], np.int64)
        fault = np.full(len(series), -1)
        clear = (windows.code >= 0) & (windows.fault_minutes >= MIN_FAULT_MINUTES)
        fault[windows.last_minute] = np.where(clear, enrolled[windows.code], -1)
        sets.append(CalibrationSet(matches, series.minute_us[rows], normal[rows], series.interval_us, fault[rows]))
    return sets


def calibrate_library(
    minutes: pl.DataFrame,
    labels: pl.DataFrame,
    model: Model,
    library: Library,
    *,
    persistences: Sequence[int] = (1, 2, 3, 5),
    max_alarms_per_day: float = ALARMS_PER_DAY,
) -> list[Rule]:
    """Set the library's rules on labelled minutes and store them there, one for each persistence.

    References of the same networks are left out, because they would fit too well. Raises LibraryError if no other is
    left, LabelError if no node has a window of normal traffic.
    """
    scopes = labelled_scopes(minutes, labels, model)
    if not scopes:
        raise LabelError(
            f"No node has {model.window} labelled normal minutes in a row, so no threshold can be set; label more of them."
        )
    networks = {scope.series.network for scope in scopes}
    references = [
        reference for reference in library.for_model(model.id, model.dimensions) if reference.network not in networks
    ]
    if not references:
        raise LibraryError(
            "Every reference in the library comes from the networks given to calibrate it; give minutes of another network."
        )
    matcher = matcher_for(model, references)

    def match(scope: EvaluationScope) -> Matches:
        baseline = model.baseline(scope.series, scope.baseline_minutes)
        embedded = model.embed(scope.series, baseline.profile, ends=scope.last_minutes)
        return matcher.match(embedded.vectors - baseline.mean)

    sets = calibration_sets(scopes, labels, match, model.window)
    radius, uncertainty = unknown_radius_of(model), max_uncertainty(sets)
    sharpness = fit_sharpness([(node.matches, np.where(node.normal, NORMAL_INDEX, node.fault)) for node in sets])
    rules = [
        replace(
            calibrate(
                sets,
                persistence=persistence,
                max_alarms_per_day=max_alarms_per_day,
                unknown_radius=radius,
                max_uncertainty=uncertainty,
            ),
            sharpness=sharpness,
        )
        for persistence in persistences
    ]
    library.set_rules(model.id, rules)
    return rules


def _ratio(matches: Matches) -> Float64Array:
    """(N,) distance to the nearest fault over that to normal; infinite if the window lies at the origin."""
    normal = matches.distances[:, NORMAL_INDEX].astype(np.float64)
    faults = np.delete(matches.distances, NORMAL_INDEX, axis=1).min(axis=1, initial=np.inf)
    ratios = np.full(len(normal), np.inf)
    np.divide(faults, normal, out=ratios, where=normal > 0)
    return ratios
