"""The scopes of a trial: nodes with a given amount of normal traffic, and the windows to score."""

from __future__ import annotations

import numpy as np

from faultprint.arrays import IntArray
from faultprint.cases.baseline import remove_outliers
from faultprint.cases.centering import node_series, whole_windows
from faultprint.cases.scope import EvaluationScope
from faultprint.embedding.model import Model
from faultprint.windows.labelling import fault_names, label_minutes
from faultprint_lab.baselines.recorded import Tables
from faultprint_lab.benchmark.trials import HOUR


def trial_scopes(
    tables: Tables, model: Model, *, normal: int, history: int | None, trusted: bool = True
) -> list[EvaluationScope]:
    """The nodes of a trial: `normal` minutes of normal traffic from the history, and the windows after the history.

    The minutes are the last of the history that are labelled normal; up to an hour of them are consecutive if possible, as
    an operator would mark an interval. If not `trusted`, they are the last minutes whatever their label, without outliers
    (`cases.baseline.remove_outliers`).

    `history` is in minutes from the first minute of the node. None: the history ends when the node has an hour of normal
    minutes, whatever `normal` is, so that all variants score the same windows. Nodes with too few normal minutes in their
    history are left out.
    """
    minutes, labels = tables
    names, scopes = fault_names(labels), []
    for series in node_series(minutes, model):
        normal_minutes = np.flatnonzero(label_minutes(labels, series, names).normal & series.observed)
        begin = history if history is not None else _end_of_hour(normal_minutes, len(series))
        candidates = normal_minutes if trusted else np.flatnonzero(series.observed)
        candidates = candidates[candidates < begin]
        last_minutes = whole_windows(series, model.window)
        last_minutes = last_minutes[last_minutes >= begin]
        if len(candidates) < normal or not len(last_minutes):
            continue
        chosen = np.zeros(len(series), np.bool_)
        chosen[latest_minutes(candidates, normal)] = True
        if not trusted:
            chosen = remove_outliers(series, chosen, model)
        # Earlier minutes have no influence on the result and would only cost time.
        start = max(0, min([begin - 2 * model.window, *np.flatnonzero(chosen)[:1].tolist()]))
        part = series.slice(start, len(series))
        scopes.append(EvaluationScope(part, chosen[start:], last_minutes - start, begin - start))
    return scopes


def _end_of_hour(normal_minutes: IntArray, length: int) -> int:
    """The index after the first HOUR normal minutes; `length` if there are fewer."""
    return int(normal_minutes[HOUR - 1]) + 1 if len(normal_minutes) >= HOUR else length


def latest_minutes(minutes: IntArray, count: int) -> IntArray:
    """The last `count` of these ascending minutes; up to an hour they are consecutive, if that many follow one another."""
    if 0 < count <= HOUR:
        consecutive = np.flatnonzero(minutes[count - 1 :] - minutes[: len(minutes) - count + 1] == count - 1)
        if len(consecutive):
            return minutes[consecutive[-1] : consecutive[-1] + count]
    return minutes[len(minutes) - count :]
