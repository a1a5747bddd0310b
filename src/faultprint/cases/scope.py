"""What is evaluated of a node: its baseline, and the windows that are given verdicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from faultprint.arrays import BoolArray, IntArray
from faultprint.cases.baseline import FIRST_HOUR, Baseline, OnSuspect, select
from faultprint.cases.centering import node_series, run_ends, whole_windows
from faultprint.cases.matching import Matcher
from faultprint.embedding.model import Model
from faultprint.windows.labelling import fault_names, label_minutes
from faultprint.windows.series import Series


@dataclass(frozen=True, slots=True)
class EvaluationScope:
    """One node.

    series            its minutes
    baseline_minutes  (T,) bool: the minutes of its baseline
    last_minutes      (N,) int64: last minutes of the windows with enough observed minutes for a vector
    begin             the minute from which verdicts are given
    """

    series: Series
    baseline_minutes: BoolArray
    last_minutes: IntArray
    begin: int


def evaluation_scopes(
    minutes: pl.DataFrame,
    model: Model,
    matcher: Matcher,
    baseline: Baseline = FIRST_HOUR,
    on_suspect: OnSuspect = lambda node, condition: None,
) -> list[EvaluationScope]:
    """Every node of a MINUTES table with the baseline that `identify` takes.

    `matcher` holds the references that a suspect baseline looks like. Raises TableError, ModelError or UsageError.
    """
    scopes = []
    for series in node_series(minutes, model):
        selected = select(series, baseline, model, matcher, on_suspect)
        last_minutes = whole_windows(series, model.window)
        scopes.append(EvaluationScope(series, selected.minutes, last_minutes, selected.begin))
    return scopes


def labelled_scopes(minutes: pl.DataFrame, labels: pl.DataFrame, model: Model) -> list[EvaluationScope]:
    """The same for labelled nodes: the baseline is the first unbroken window of minutes that are labelled normal.

    Nodes without such a window are left out. Raises TableError, ModelError or LabelError.
    """
    scopes, names = [], fault_names(labels)
    for series in node_series(minutes, model):
        normal = label_minutes(labels, series, names).normal & series.observed
        ends = run_ends(normal, model.window)
        if len(ends):
            chosen = np.zeros(len(series), np.bool_)
            chosen[ends[0] - model.window + 1 : ends[0] + 1] = True
            last_minutes = whole_windows(series, model.window)
            scopes.append(EvaluationScope(series, chosen, last_minutes, int(ends[0]) + 1))
    return scopes
