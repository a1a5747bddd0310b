"""The diagnosis of one node: which of its traffic is normal, and which incidents the rest holds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import polars as pl

from faultprint.cases.baseline import FIRST_HOUR, FIRST_MINUTES, Baseline
from faultprint.cases.decision import Rule
from faultprint.cases.identify import JudgedNode, judge
from faultprint.cases.matching import Matcher
from faultprint.cases.reference import Reference
from faultprint.embedding.model import WHOLE_WINDOW_SHARE, Model
from faultprint.errors import ModelError, UsageError
from faultprint.monitor.detect.recorded import recorded_incidents
from faultprint.publish.incident import Incident
from faultprint.windows.series import Series

FEW_MINUTES: Final = FIRST_MINUTES + 1
"""A node with fewer observed minutes has no hour of its own that could be its baseline."""


class NormalSource(StrEnum):
    """What counts as normal for a node."""

    FIRST = "first"
    GIVEN = "given"
    POPULATION = "population"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class DiagnosedIncident:
    """An incident, and what all its minutes together say of its last condition.

    probability   mean over the minutes with this verdict; None without a window
    runner_up     the condition that was second in most of them
    evidence      of the minute in which the condition was most probable
    resembles     the origin of the nearest reference of the condition; "" if it has none
    """

    incident: Incident
    probability: float | None
    runner_up: str | None
    evidence: tuple[str, ...]
    resembles: str


@dataclass(frozen=True, slots=True)
class NodeDiagnosis:
    """One node.

    series      its minutes
    minutes     the same as a MINUTES table, with those that count as gaps because less than half of them was observed
    kind        what counts as normal
    suspects    faults that minutes looked like which could have been the baseline
    judged      windows and verdicts; None if there are too few minutes for any
    needed      observed minutes that a verdict needs; 0 if there are verdicts
    incidents   by onset
    """

    series: Series
    minutes: pl.DataFrame
    kind: NormalSource
    suspects: tuple[str, ...]
    judged: JudgedNode | None
    needed: int
    incidents: tuple[DiagnosedIncident, ...] = ()

    @property
    def observed(self) -> int:
        """The number of observed minutes."""
        return int(self.series.observed.sum())

    @property
    def judged_minutes(self) -> int:
        """The number of minutes with a verdict."""
        return 0 if self.judged is None else int((self.judged.verdicts["condition"] != "warming-up").sum())

    @property
    def faulty_minutes(self) -> int:
        """The number of minutes with an ongoing fault."""
        return 0 if self.judged is None else int(self.judged.verdicts["ongoing"].sum())


def diagnose_node(
    series: Series,
    minutes: pl.DataFrame,
    model: Model,
    matcher: Matcher,
    rule: Rule,
    references: Sequence[Reference],
    baseline: Baseline | None = None,
) -> NodeDiagnosis:
    """The diagnosis of one node.

    minutes   the MINUTES table of all nodes
    baseline  default: its first hour; what is normal for many nodes, if it has no hour or each of its hours looks like a
              fault

    Raises UsageError for a baseline that is given and cannot be used.
    """
    suspects: dict[str, None] = {}
    minutes = minutes.filter(pl.col("node").cast(pl.String) == series.node)

    def suspect(node: str, condition: str) -> None:
        suspects[condition] = None

    kind, judged = NormalSource.NONE, None
    if baseline is not None:
        kind = NormalSource.POPULATION if baseline.kind == "population" else NormalSource.GIVEN
        judged = judge(series, model, matcher, rule, baseline, suspect)
    elif int(series.observed.sum()) >= FEW_MINUTES:
        try:
            judged = judge(series, model, matcher, rule, FIRST_HOUR, suspect)
        except UsageError:
            judged = None  # its minutes have too many gaps to be a baseline
        kind = NormalSource.FIRST
    if judged is None or (baseline is None and not _speaks(judged)):
        kind, judged = _by_population(series, model, matcher, rule, judged)
    if judged is None or not _speaks(judged):
        return NodeDiagnosis(series, minutes, NormalSource.NONE, tuple(suspects), None, _needed(model))
    incidents = recorded_incidents(
        judged.verdicts,
        {series.node: series.network},
        interval_us=series.interval_us,
        persistence=rule.persistence,
    )
    diagnosed = tuple(_diagnosed(incident, judged, references) for incident in incidents)
    return NodeDiagnosis(series, minutes, kind, tuple(suspects), judged, 0, diagnosed)


def _by_population(
    series: Series, model: Model, matcher: Matcher, rule: Rule, otherwise: JudgedNode | None
) -> tuple[NormalSource, JudgedNode | None]:
    """The verdicts against what is normal for many nodes; `otherwise` if the model does not tell that."""
    try:
        return NormalSource.POPULATION, judge(series, model, matcher, rule, Baseline.population())
    except ModelError:
        return NormalSource.FIRST, otherwise


def _speaks(judged: JudgedNode) -> bool:
    """Whether there is any verdict."""
    return bool((judged.verdicts["condition"] != "warming-up").any())


def _needed(model: Model) -> int:
    return math.ceil(WHOLE_WINDOW_SHARE * model.window)


def _diagnosed(incident: Incident, judged: JudgedNode, references: Sequence[Reference]) -> DiagnosedIncident:
    why = incident.explanation
    minute_us = pl.col("minute").dt.epoch("us")
    rows = judged.verdicts.filter(
        minute_us >= incident.onset_us,
        minute_us < (incident.cleared_us or minute_us + 1),
        condition=incident.condition,
        ongoing=True,
    ).sort("minute")
    sure = rows.filter(pl.col("probability").is_not_null())
    if sure.is_empty():
        return DiagnosedIncident(incident, why.probability, why.runner_up, why.evidence, "")
    best = sure.row(sure["probability"].arg_max() or 0, named=True)
    second = Counter(name for name in sure["runner_up"].to_list() if name is not None).most_common(1)
    mean = sure["probability"].cast(pl.Float64).mean()
    return DiagnosedIncident(
        incident,
        mean if isinstance(mean, float) else None,
        second[0][0] if second else None,
        tuple(best["evidence"] or ()),
        _resembles(incident, sure, judged, references),
    )


def _resembles(incident: Incident, minutes: pl.DataFrame, judged: JudgedNode, references: Sequence[Reference]) -> str:
    """Where the nearest reference of the incident's condition comes from. `minutes`: the VERDICTS of the incident."""
    windows = judged.windows
    ends = windows.series.minute_us[windows.last_minute]
    inside = np.isin(ends, minutes["minute"].dt.epoch("us").to_numpy())
    named = [reference for reference in references if reference.condition == incident.condition]
    if not inside.any() or not named:
        return ""
    vector = windows.vectors[inside].mean(axis=0)
    nearest = min(named, key=lambda reference: float(np.linalg.norm(reference.vector - vector)))
    return nearest.comment or f"{nearest.node}, {nearest.start:%Y-%m-%d %H:%M}"
