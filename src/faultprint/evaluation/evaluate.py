"""Evaluation: the figures of a model with its library on labelled minutes."""

from __future__ import annotations

import numpy as np
import polars as pl

from faultprint.arrays import BoolArray
from faultprint.cases.baseline import FIRST_HOUR, Baseline, OnSuspect, select
from faultprint.cases.centering import CenteredWindows, center, node_series
from faultprint.cases.decision import Rule, verdict_names
from faultprint.cases.identify import minute_verdicts, ongoing
from faultprint.cases.library import Library
from faultprint.cases.matching import Matcher
from faultprint.cases.thresholds import matcher_for, rule_for
from faultprint.embedding.model import Model
from faultprint.errors import UsageError
from faultprint.evaluation.metrics import Figures, figures
from faultprint.evaluation.truth import scored, truth
from faultprint.progress import Progress
from faultprint.windows.series import Series


def evaluate(
    minutes: pl.DataFrame,
    labels: pl.DataFrame,
    model: Model,
    library: Library,
    *,
    baseline: Baseline = FIRST_HOUR,
    persistence: int = 3,
    rule: Rule | None = None,
    progress: Progress | None = None,
    on_suspect: OnSuspect = lambda node, condition: None,
) -> Figures:
    """The figures of the verdicts that `cases.identify` gives with the same arguments, against a LABELS table.

    Windows of a node's baseline are not scored, nor are minutes before its end. Raises TableError, LabelError, ModelError,
    LibraryError or UsageError.
    """
    matcher = matcher_for(model, library.for_model(model.id, model.dimensions))
    rule = rule or rule_for(model, library, persistence)
    nodes = node_series(minutes, model)
    if not nodes:
        raise UsageError("The minutes are of no node, so there is nothing to evaluate; give another table.")
    true_conditions = truth(nodes, labels, model.window)
    verdicts, counted = [], []
    for done, series in enumerate(nodes, start=1):
        selected = select(series, baseline, model, matcher, on_suspect)
        windows = center(series, model, selected.baseline)
        verdicts.append(_verdicts(windows, model, matcher, rule, selected.begin))
        scored_windows = np.zeros(len(series), np.bool_)
        scored_windows[windows.last_minute[windows.last_minute >= selected.begin]] = True
        counted.append(_minutes(series, scored_windows & ~selected.minutes))
        if progress:
            progress(done, len(nodes))
    table = scored(pl.concat(verdicts), true_conditions, pl.concat(counted))
    return figures(table, labels, interval_us=model.manifest.interval_us, window=model.window)


def _verdicts(windows: CenteredWindows, model: Model, matcher: Matcher, rule: Rule, begin: int) -> pl.DataFrame:
    """node, minute, condition, ongoing: of every observed minute of one node."""
    series, matches = windows.series, matcher.match(windows.vectors)
    codes = minute_verdicts(matches, windows.last_minute, series, rule, begin)
    return _minutes(series, series.observed).with_columns(
        condition=pl.Series(verdict_names(codes, matches.conditions), dtype=pl.String),
        ongoing=pl.Series(ongoing(windows, codes, model, matcher, rule)),
    )


def _minutes(series: Series, chosen: BoolArray) -> pl.DataFrame:
    """node, minute: the `chosen` (T,) minutes of a node."""
    start = pl.Series(series.minute_us[chosen]).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame({"node": [series.node] * len(start), "minute": start})
