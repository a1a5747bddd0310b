"""What was true of every minute's window, and which windows are scored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from faultprint.cases.scope import EvaluationScope
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

    The truth of a minute is that of the window of `window` minutes that ends with it, by the posts' rule
    (`windows.labelling`). Minutes without a whole window before them have none. Raises LabelError.
    """
    check_label_nodes(labels, [series.node for series in nodes])
    names = fault_names(labels)
    frames = []
    for series in nodes:
        windows = label_windows(label_minutes(labels, series, names), window)
        condition = np.full(len(series), None, dtype=object)
        exposed = np.zeros(len(series), np.int16)
        words = np.array([*windows.conditions, None], dtype=object)  # UNSCORED, -1, points at the None
        assert words[UNSCORED] is None
        condition[windows.last_minute] = words[windows.code]
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


def truth_of_windows(known: pl.DataFrame, place: EvaluationScope) -> pl.DataFrame:
    """The rows of `known` (as `truth` makes it) for the windows that end at `place.last_minutes`, in their order."""
    own = known.filter(pl.col("node") == place.series.node)
    at = {moment: row for row, moment in enumerate(own["minute"].dt.epoch("us").to_list())}
    return own[[at[moment] for moment in place.series.minute_us[place.last_minutes].tolist()]]


def scored(verdicts: pl.DataFrame, known: pl.DataFrame, counted: pl.DataFrame) -> pl.DataFrame:
    """node, minute, truth, exposed, verdict, ongoing: the truth set to null where `counted` (node, minute) has no row.

    Every system is judged on the same `counted` windows, and on the verdict of every minute; a minute that a system
    says nothing of counts as its being wrong.
    """
    keys = ["node", "minute"]
    marked = known.join(counted.select(*keys, pl.lit(True).alias("counts")), on=keys, how="left")
    said = verdicts.select(*keys, pl.col("condition").cast(pl.String).alias("verdict"), "ongoing")
    return (
        marked.with_columns(pl.when(pl.col("counts")).then(pl.col("truth")).alias("truth"))
        .drop("counts")
        .join(said, on=keys, how="left")
        .with_columns(pl.col("verdict").fill_null("warming-up"), pl.col("ongoing").fill_null(False))
        .sort(*keys)
    )
