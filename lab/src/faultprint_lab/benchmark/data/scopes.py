"""The grounds of a trial: nodes with a stretch of normal traffic of a given length, and windows from a moment on."""

from __future__ import annotations

import numpy as np

from faultprint.arrays import IntArray
from faultprint.cases.centering import node_series, whole_windows
from faultprint.cases.outliers import remove_outliers
from faultprint.cases.scope import EvaluationScope
from faultprint.embedding.model import Model
from faultprint.windows.labelling import faults, minute_conditions
from faultprint_lab.baselines.recorded import Tables
from faultprint_lab.benchmark.trials import HOUR


def grounds(
    tables: Tables, model: Model, *, normal: int, history: int | None, vouched: bool = True
) -> list[EvaluationScope]:
    """Every node: as normal the last `normal` labelled minutes of the history, windows after the history.

    Up to an hour they are in a row, if the history holds so many: what an operator marks is a stretch. Not `vouched` for, they are
    the last minutes whatever their labels, sifted (`cases.sifting`).

    `history` is in minutes from the node's first; None: until there is an hour of normal minutes, whatever `normal` is, so that
    windows are the same for all variants. Nodes whose history holds too few normal minutes are left out.
    """
    minutes, labels = tables
    names, found = faults(labels), []
    for series in node_series(minutes, model):
        quiet = np.flatnonzero(minute_conditions(labels, series, names).normal & series.observed)
        begin = history if history is not None else int(quiet[HOUR - 1]) + 1 if len(quiet) >= HOUR else len(series)
        before = quiet if vouched else np.flatnonzero(series.observed)
        before = before[before < begin]
        ends = whole_windows(series, model.window)
        ends = ends[ends >= begin]
        if len(before) < normal or not len(ends):
            continue
        chosen = np.zeros(len(series), np.bool_)
        chosen[_last(before, normal)] = True
        if not vouched:
            chosen = remove_outliers(series, chosen, model)
        # What lies further back is nobody's business, and would only be worked through for nothing.
        start = max(0, min([begin - 2 * model.window, *np.flatnonzero(chosen)[:1].tolist()]))
        found.append(EvaluationScope(series.part(start, len(series)), chosen[start:], ends - start, begin - start))
    return found


def _last(minutes: IntArray, count: int) -> IntArray:
    """The last `count` of these ascending minutes; up to an hour those that are in a row, where there are."""
    if 0 < count <= HOUR:
        unbroken = np.flatnonzero(minutes[count - 1 :] - minutes[: len(minutes) - count + 1] == count - 1)
        if len(unbroken):
            return minutes[unbroken[-1] : unbroken[-1] + count]
    return minutes[len(minutes) - count :]
