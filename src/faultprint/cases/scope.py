"""The ground on which verdicts are given: a node, its normal minutes, the windows asked about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from faultprint.arrays import BoolArray, IntArray
from faultprint.cases.centering import Stretch, node_series, normal_minutes, whole_windows
from faultprint.embedding.model import Model
from faultprint.windows.labelling import faults, minute_conditions
from faultprint.windows.series import Series


@dataclass(frozen=True, slots=True)
class EvaluationScope:
    """One node.

    `normal` (T,) bool: minutes taken as normal; `ends` (N,) int64: last minutes of the windows that are whole
    enough for a vector; `begin`: the minute from which verdicts are given.
    """

    series: Series
    baseline_minutes: BoolArray
    last_minutes: IntArray
    begin: int


def evaluation_scopes(
    minutes: pl.DataFrame,
    model: Model,
    normal: Mapping[str, Stretch] | Stretch | None = None,
    profile_minutes: int = 60,
) -> list[EvaluationScope]:
    """Every node of a MINUTES table, as `cases.identify` takes it, whatever its first minutes look like.

    Raises TableError, ModelError or UsageError.
    """
    found = []
    for series in node_series(minutes, model):
        chosen, begin = normal_minutes(series, normal, profile_minutes)
        found.append(EvaluationScope(series, chosen, whole_windows(series, model.window), begin))
    return found


def labelled_scopes(minutes: pl.DataFrame, labels: pl.DataFrame, model: Model) -> list[EvaluationScope]:
    """The same for labelled nodes: as normal, the first unbroken window of minutes that the labels call so.

    Nodes without one are left out. Raises TableError, ModelError or LabelError.
    """
    found, names = [], faults(labels)
    for series in node_series(minutes, model):
        quiet = minute_conditions(labels, series, names).normal & series.observed
        hours = ends_of(quiet, model.window)
        if len(hours):
            chosen = np.zeros(len(series), np.bool_)
            chosen[hours[0] - model.window + 1 : hours[0] + 1] = True
            found.append(EvaluationScope(series, chosen, whole_windows(series, model.window), int(hours[0]) + 1))
    return found


def ends_of(chosen: BoolArray, length: int) -> IntArray:
    """(·,) the minutes that end a stretch of `length` minutes all of which are `chosen` (T,)."""
    return np.flatnonzero(np.convolve(chosen, np.ones(length, np.int64))[: len(chosen)] == length)
