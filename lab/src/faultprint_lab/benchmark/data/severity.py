"""The truth of faults of some strength alone: how mild a fault may be and still be seen."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from faultprint.windows.labelling import of_faults

Strength = tuple[float, float]
"""More than the first, at most the second, of LABELS' `severity`."""


def of_strength(
    known: pl.DataFrame, labels: pl.DataFrame, strength: Strength, window: int, interval: timedelta
) -> pl.DataFrame:
    """`known` (as `evaluate.truth.truth` makes it), without a truth where a window holds a minute of a fault of another strength,
    or of one that the labels do not tell."""
    least, most = strength
    wanted = (pl.col("severity") > least) & (pl.col("severity") <= most)
    others = of_faults(labels).filter(~wanted.fill_null(False))
    node, minute = known["node"].cast(pl.String).to_numpy(), known["minute"].to_numpy()
    touched = np.zeros(len(known), np.bool_)
    for name, start, end in others.select(pl.col("node").cast(pl.String), "start", "end").iter_rows():
        first, last = (
            np.datetime64(moment.replace(tzinfo=None)) for moment in (start - interval, end + (window - 1) * interval)
        )
        touched |= (node == name) & (minute > first) & (minute < last)
    return known.with_columns(pl.when(pl.Series(~touched)).then("truth").alias("truth"))
