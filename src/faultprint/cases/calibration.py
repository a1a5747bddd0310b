"""How far from normal is far enough: the rule's thresholds, set on labelled traffic that taught nothing.

A fault's reference must be nearer than `closer` times the distance to normal before the verdict leaves normal. It is set
to the loosest value that keeps to a number of false alarms a day on networks that neither trained the model nor gave a
reference: looser ones raise more alarms than an operator bears, stricter ones find fewer faults and later. A ratio has no
scale: it serves a node with two requests a minute and one with two thousand.

What is named with more doubt than all but five in a hundred fault windows that are named rightly, on the node where these are
most doubtful, is unknown: pooled, the nodes that are easy to tell would set a bound that others cannot keep. That holds for the
faults that occur in the traffic it is set on; one that was taught otherwise is named in all doubt, since nobody knows how
sure its name can be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from faultprint.arrays import BoolArray, Float64Array, IntArray
from faultprint.cases.alarms import false_alarms
from faultprint.cases.decision import Rule, debounce, faulty, raw_verdicts
from faultprint.cases.enrol import MIN_FAULT_MINUTES
from faultprint.cases.library import Library
from faultprint.cases.matching import NORMAL_INDEX, Matcher, Matches
from faultprint.cases.reference import Reference
from faultprint.cases.scope import EvaluationScope, labelled_scopes
from faultprint.embedding.model import Model
from faultprint.errors import LabelError, LibraryError, ModelError
from faultprint.units import DAY_US
from faultprint.windows.labelling import faults, minute_conditions, window_conditions

ALARMS_PER_DAY: Final = 0.5
"""False alarms a node and day that a rule may raise where it is calibrated."""
RIGHT: Final = 0.95
"""Share of each node's fault windows that are named rightly which must not become unknown for doubt."""
_LEAST_RIGHT: Final = 50
"""Windows below which a quantile says nothing."""
ODD: Final = 2.0
"""Times the allowed alarms beyond which a node's count no more: one odd node among a few must not set the rule for all."""
USUAL: Final = 0.9
"""Share of normal windows that are not to be nearer to a fault's reference than to normal, wherever they lie."""
_CANDIDATES: Final = 60


@dataclass(frozen=True, slots=True)
class CalibrationSet:
    """One node's windows; `quiet` (N,) where the truth is normal, `minute_us` (N,) starts of last minutes, `own` (N,) index
    into the conditions of the fault that a window shows clearly (EXPOSURE of its minutes), -1 where it shows none or one
    without a reference."""

    matches: Matches
    minute_us: IntArray
    quiet: BoolArray
    interval_us: int
    own: IntArray


def alarms_per_day(tracks: Sequence[CalibrationSet], rule: Rule, of_one: float = float("inf")) -> float:
    """False alarms a node and day of normal windows under the rule; each node counts with at most `of_one` a day."""
    alarms = days = 0.0
    for track in tracks:
        claimed = raw_verdicts(track.matches, np.ones(len(track.quiet), np.bool_), rule)
        verdict, _ = debounce(claimed, rule.persistence)
        alarming = faulty(verdict)
        own = int(track.quiet.sum()) * track.interval_us / DAY_US
        raised = false_alarms(verdict, alarming, track.quiet, track.minute_us, track.interval_us)
        alarms += min(raised, of_one * own) if own else 0
        days += own
    return alarms / days if days else 0.0


def calibrate(
    tracks: Sequence[CalibrationSet],
    *,
    persistence: int = 1,
    most: float = ALARMS_PER_DAY,
    loosest: float = 1.0,
    unknown_beyond: float = float("inf"),
    unknown_doubt: Mapping[str, float] | None = None,
) -> Rule:
    """The rule with the largest `closer` that raises at most `most` false alarms a day on these tracks.

    A node counts with at most ODD times as many, so that among several a single one, whose normal is not what its first
    hour promised, does not decide for all.

    Candidates are quantiles of the distance to the nearest fault over that to normal, in the normal windows, up to
    `loosest` (above 1 a fault wins though normal is nearer: that has a sense for probabilities, not for references).
    """
    ratios = np.concatenate([_ratio(track.matches)[track.quiet] for track in tracks]) if tracks else np.zeros(0)
    ratios = ratios[ratios < loosest]
    # Alarms come from the few windows in the tail, so that is where candidates must lie close together.
    levels = np.geomspace(1 / max(len(ratios), 1), 1, _CANDIDATES)
    candidates = np.unique(np.append(np.quantile(ratios, levels), 0.99 * ratios.min()))[::-1] if len(ratios) else ratios
    rules = [
        Rule(
            max_distance_ratio=float(closer),
            unknown_radius=unknown_beyond,
            persistence=persistence,
            max_uncertainty=unknown_doubt or {},
        )
        for closer in (*([loosest] if np.isfinite(loosest) else []), *candidates)
    ]
    of_one = ODD * most or float("inf")
    fit = (rule for rule in rules if alarms_per_day(tracks, rule, of_one) <= most)
    return next(fit, rules[-1] if rules else Rule())


def max_uncertainty(tracks: Sequence[CalibrationSet]) -> dict[str, float]:
    """Of every fault that is named rightly, the doubt that on every track the share RIGHT of the windows named rightly keep to;
    empty if no track has enough of them."""
    bounds, words = [], set[str]()
    for track in tracks:
        right = (track.own >= 0) & (track.matches.nearest == track.own)
        words |= {track.matches.conditions[code] for code in np.unique(track.own[right]).tolist()}
        if right.sum() >= _LEAST_RIGHT:
            bounds.append(float(np.quantile(track.matches.uncertainty[right], RIGHT)))
    return dict.fromkeys(sorted(words), max(bounds)) if bounds else {}


def calibration_sets(
    places: Sequence[EvaluationScope], labels: pl.DataFrame, match: Callable[[EvaluationScope], Matches], window: int
) -> list[CalibrationSet]:
    """The windows of labelled nodes that verdicts are given on. `match` gives distances of the windows at `ends`."""
    found, names = [], faults(labels)
    for place in places:
        series = place.series
        windows = window_conditions(minute_conditions(labels, series, names), window)
        normal = np.zeros(len(series), np.bool_)
        normal[windows.last_minute] = windows.code == 0
        asked = place.last_minutes >= place.begin
        ends, matches = place.last_minutes[asked], match(place).part(asked)
        index = {word: number for number, word in enumerate(matches.conditions) if word in names}
        known = np.array([index.get(word, -1) for word in windows.conditions], np.int64)
        own = np.full(len(series), -1)
        own[windows.last_minute] = np.where(
            (windows.code >= 0) & (windows.exposed >= MIN_FAULT_MINUTES), known[windows.code], -1
        )
        found.append(CalibrationSet(matches, series.minute_us[ends], normal[ends], series.interval_us, own[ends]))
    return found


def calibrate_library(
    minutes: pl.DataFrame,
    labels: pl.DataFrame,
    model: Model,
    library: Library,
    *,
    persistences: Sequence[int] = (1, 2, 3, 5),
    most: float = ALARMS_PER_DAY,
) -> list[Rule]:
    """Set the library's rules on labelled minutes and keep them there, one for each persistence.

    References that were taught by nodes of these minutes are left out, since they would fit too well. Raises
    LibraryError where none is left, LabelError where no node has an hour of normal traffic.
    """
    places = labelled_scopes(minutes, labels, model)
    if not places:
        raise LabelError(
            f"No node has {model.window} labelled normal minutes in a row, so no threshold can be set; label more of them."
        )
    networks = {place.series.network for place in places}
    references = [one for one in library.for_model(model.id, model.dimensions) if one.network not in networks]
    if not references:
        raise LibraryError(
            "Every reference in the library was taught by the networks given to calibrate it; give minutes of another network."
        )
    matcher = matcher_for(model, references)

    def match(place: EvaluationScope) -> Matches:
        own = model.baseline(place.series, place.baseline_minutes)
        embedded = model.embed(place.series, own.profile, ends=place.last_minutes)
        return matcher.match(embedded.vectors - own.mean)

    found = calibration_sets(places, labels, match, model.window)
    beyond, doubt = unknown_radius(model), max_uncertainty(found)
    rules = [
        calibrate(found, persistence=number, most=most, unknown_beyond=beyond, unknown_doubt=doubt)
        for number in persistences
    ]
    library.set_rules(model.id, rules)
    return rules


def matcher_for(model: Model, references: Sequence[Reference]) -> Matcher:
    """The search through references made by this model."""
    return Matcher.of(references, model.dimensions, min_norm(model))


def min_norm(model: Model) -> float:
    """How long a fault's reference is at least: twice the distance that USUAL of the normal windows keep to, since what lies
    nearer to a reference than to normal is further from normal than half of that. 0 if the model does not tell."""
    return 2 * (_quantile(model, "normal_distance", USUAL) or 0.0)


def rule_for(model: Model, library: Library, persistence: int = 1) -> Rule:
    """The rule to identify by: the one calibrated with the library's references, else the model's own.

    The model's rests on held-out networks and the training networks' mean vectors as references
    (`training.calibration`): a fault must be nearer by what all but one in a hundred normal windows keep to
    ("normal_ratio", where the model has it; else the nearest wins), and what lies further from every reference than
    nearly all fault windows from theirs, and than nearly all normal windows from normal, is unknown.
    """
    if (kept := library.rule(model.id, persistence)) is not None:
        return kept
    return Rule(
        max_distance_ratio=min(1.0, closer) if (closer := _quantile(model, "normal_ratio", 0.01)) is not None else 1.0,
        unknown_radius=unknown_radius(model),
        persistence=persistence,
    )


def unknown_radius(model: Model) -> float:
    """The distance from all references beyond which a window is unknown; infinite if the model does not tell."""
    bounds = [_quantile(model, "fault_distance", 0.99), _quantile(model, "normal_distance", 0.999)]
    known = [bound for bound in bounds if bound is not None]
    return max(known) if known else float("inf")


def normal_radius(model: Model) -> float:
    """The distance from normal that 99 of 100 normal windows keep to. Raises ModelError if the model does not tell."""
    if (found := _quantile(model, "normal_distance", 0.99)) is None:
        raise ModelError("The model does not tell how far from normal its normal windows lay; train it anew.")
    return found


def _quantile(model: Model, name: str, level: float) -> float | None:
    """A quantile from the artefact's calibration; None where it has none (hand-made or damaged: then it is not used)."""
    levels, measured = model.manifest.calibration.get("levels"), model.manifest.calibration.get(name)
    if not isinstance(levels, list) or level not in levels or not isinstance(measured, dict):
        return None
    values = measured.get("quantiles")
    if not isinstance(values, list) or len(values) != len(levels):
        return None
    value = values[levels.index(level)]
    return float(value) if isinstance(value, int | float) and np.isfinite(value) else None


def _ratio(matches: Matches) -> Float64Array:
    """(N,) distance to the nearest fault over that to normal; infinite where the window lies at the origin."""
    normal = matches.distances[:, NORMAL_INDEX].astype(np.float64)
    faults = np.delete(matches.distances, NORMAL_INDEX, axis=1).min(axis=1, initial=np.inf)
    ratios = np.full(len(normal), np.inf)
    np.divide(faults, normal, out=ratios, where=normal > 0)
    return ratios
