"""A node's windows as vectors minus the mean vector of the node's baseline.

The subtraction makes references of one network usable in another: a fault moves every node away from its own
baseline in a similar direction (docs/matching.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.embedding.model import WHOLE_WINDOW_SHARE, Model, NodeBaseline
from faultprint.units import microseconds
from faultprint.windows.series import Series, build_series

Interval = tuple[datetime, datetime]
"""Start and end, with their time zones; the end is not part of it."""


@dataclass(frozen=True, slots=True)
class CenteredWindows:
    """Windows of one node.

    series       the node's minutes
    baseline     what the vectors are measured from
    vectors      (N, D) float32, minus the baseline's mean vector
    last_minute  (N,) int64 index into the series of each window's last minute
    """

    series: Series
    baseline: NodeBaseline
    vectors: Float32Array
    last_minute: IntArray


def center(
    series: Series, model: Model, baseline: NodeBaseline, last_minutes: IntArray | None = None
) -> CenteredWindows:
    """The node's windows that end at `last_minutes` (default: at every minute).

    Raises ModelError for other minutes than the model's.
    """
    embedded = model.embed(series, baseline.profile, ends=last_minutes)
    return CenteredWindows(series, baseline, embedded.vectors - baseline.mean, embedded.last_minute)


def node_series(minutes: pl.DataFrame, model: Model) -> list[Series]:
    """Every node of a MINUTES table as the model wants it. Raises TableError or ModelError."""
    return build_series(minutes, model.catalogue.names, model.manifest.interval_us)


def minutes_within(series: Series, interval: Interval) -> BoolArray:
    """(T,) bool: minutes that lie wholly within the interval."""
    start, end = (microseconds(moment) for moment in interval)
    return (series.minute_us >= start) & (series.minute_us + series.interval_us <= end)


def whole_windows(series: Series, window: int) -> IntArray:
    """(N,) last minutes of the windows with enough observed minutes for a vector (`embedding.model`)."""
    observed = np.convolve(series.observed, np.ones(window, np.int64))[: len(series)]
    return np.flatnonzero(series.observed & (observed >= np.ceil(WHOLE_WINDOW_SHARE * window)))


def run_ends(flag: BoolArray, length: int) -> IntArray:
    """The minutes that end `length` minutes in a row, all of them set in `flag` (T,)."""
    return np.flatnonzero(np.convolve(flag, np.ones(length, np.int64))[: len(flag)] == length)
