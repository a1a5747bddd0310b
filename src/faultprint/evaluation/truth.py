"""The true condition of every window, and which windows are scored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from faultprint.cases.scope import EvaluationScope
from faultprint.tables import WARMING_UP
from faultprint.windows.labelling import (
    UNSCORED,
    check_label_nodes,
    fault_names,
    label_minutes,
    label_windows,
)
from faultprint.windows.series import Series


def truth(nodes: Sequence[Series], labels: pl.DataFrame, window: int) -> pl.DataFrame:
    """node, minute, truth (null: not scored), exposed (faulty minutes): a row for every observed minute.

    The truth of a minute is that of the window of `window` minutes that ends with it (`windows.labelling`). Minutes
    without a whole window before them have none. Raises LabelError.
    """
    check_label_nodes(labels, [series.node for series in nodes])
    names = fault_names(labels)
    frames = []
    for series in nodes:
        windows = label_windows(label_minutes(labels, series, names), window)
        condition = np.full(len(series), None, dtype=object)
        exposed = np.zeros(len(series), np.int16)
        scored_windows = windows.code != UNSCORED
        conditions = np.array(windows.conditions, dtype=object)
        condition[windows.last_minute[scored_windows]] = conditions[windows.code[scored_windows]]
        exposed[windows.last_minute] = windows.fault_minutes
        rows = np.flatnonzero(series.observed)
        frames.append(
            pl.DataFrame(
                {
                    "node": [series.node] * len(rows),
                    "minute": pl.Series(series.minute_us[rows]).cast(pl.Datetime("us", "UTC")),
                    "truth": pl.Series(condition[rows].tolist(), dtype=pl.String),
                    "exposed": exposed[rows],
                }
            )
        )
    return pl.concat(frames)


def truth_of_windows(true_conditions: pl.DataFrame, scope: EvaluationScope) -> pl.DataFrame:
    """The rows of `true_conditions` (from `truth`) for the windows that end at the scope's `last_minutes`, in order."""
    node = true_conditions.filter(pl.col("node") == scope.series.node)
    row_of = {moment: row for row, moment in enumerate(node["minute"].dt.epoch("us").to_list())}
    return node[[row_of[moment] for moment in scope.series.minute_us[scope.last_minutes].tolist()]]


def scored(verdicts: pl.DataFrame, true_conditions: pl.DataFrame, counted: pl.DataFrame) -> pl.DataFrame:
    """node, minute, truth, exposed, verdict, ongoing: the truth is null unless `counted` (node, minute) has the minute.

    All systems are scored on the same `counted` windows, and on their verdict of every minute. A minute without a verdict
    counts as wrong.
    """
    keys = ["node", "minute"]
    marked = true_conditions.join(counted.select(*keys, pl.lit(True).alias("counts")), on=keys, how="left")
    given = verdicts.select(*keys, pl.col("condition").cast(pl.String).alias("verdict"), "ongoing")
    return (
        marked.with_columns(pl.when(pl.col("counts")).then(pl.col("truth")).alias("truth"))
        .drop("counts")
        .join(given, on=keys, how="left")
        .with_columns(pl.col("verdict").fill_null(WARMING_UP), pl.col("ongoing").fill_null(False))
        .sort(*keys)
    )
