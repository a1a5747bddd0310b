"""Windows whose fault has a given severity: how mild may a fault be and still be found?"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from faultprint.windows.labelling import fault_rows
from faultprint_lab.benchmark.trials import SeverityRange


def only_severity(
    true_conditions: pl.DataFrame, labels: pl.DataFrame, severity: SeverityRange, window: int, interval: timedelta
) -> pl.DataFrame:
    """True conditions (`evaluation.truth.truth`), null for windows with a minute of a fault of other or unknown severity."""
    above, up_to = severity
    in_range = (pl.col("severity") > above) & (pl.col("severity") <= up_to)
    other_faults = fault_rows(labels).filter(~in_range.fill_null(False))
    node, minute = true_conditions["node"].cast(pl.String).to_numpy(), true_conditions["minute"].to_numpy()
    excluded = np.zeros(len(true_conditions), np.bool_)
    for name, start, end in other_faults.select(pl.col("node").cast(pl.String), "start", "end").iter_rows():
        first, last = (
            np.datetime64(moment.replace(tzinfo=None)) for moment in (start - interval, end + (window - 1) * interval)
        )
        excluded |= (node == name) & (minute > first) & (minute < last)
    return true_conditions.with_columns(pl.when(pl.Series(~excluded)).then("truth").alias("truth"))
