"""A node's windows as cases see them: vectors minus the mean vector of the node's normal traffic.

The subtraction is what lets a reference from one network speak of another: a fault moves every node away
from its own normal in a similar direction (../docs/matching.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.embedding.model import ENOUGH, Model, NodeBaseline
from faultprint.errors import UsageError
from faultprint.units import microseconds
from faultprint.windows.series import Series, series

Stretch = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class CenteredWindows:
    """Windows of one node: `vectors` (N, D) float32, minus normal; `last_minute` (N,) int64 index into the
    series.

    `chosen` (T,) bool: the minutes taken as normal traffic; none, where the node is a stranger.
    """

    series: Series
    chosen: BoolArray
    normal: NodeBaseline
    vectors: Float32Array
    last_minute: IntArray


def center(series: Series, model: Model, normal: BoolArray | None, ends: IntArray | None = None) -> CenteredWindows:
    """The node's windows that end at minutes `ends` (default: all), its traffic in the minutes `normal` (T,)
    as normal; None: nothing is known of it, and it is judged as a stranger.

    Raises ModelError for other minutes than the model's, or where it knows no strangers, UsageError where the normal minutes
    are too few.
    """
    if normal is None:
        normal, own = np.zeros(len(series), np.bool_), model.population_baseline
    else:
        own = model.baseline(series, normal)
    embedded = model.embed(series, own.profile, ends=ends)
    return CenteredWindows(series, normal, own, embedded.vectors - own.mean, embedded.last_minute)


def node_series(minutes: pl.DataFrame, model: Model) -> list[Series]:
    """Every node of a MINUTES table as the model wants it. Raises TableError or ModelError."""
    return series(minutes, model.catalogue.names, model.manifest.interval_us)


def minutes_within(series: Series, stretch: Stretch) -> BoolArray:
    """(T,) bool: intervals that lie wholly within the stretch [start, end)."""
    start, end = (microseconds(moment) for moment in stretch)
    return (series.minute_us >= start) & (series.minute_us + series.interval_us <= end)


def whole_windows(series: Series, window: int) -> IntArray:
    """(N,) last minutes of the windows that are observed well enough for a vector (`embedding.model`)."""
    seen = np.convolve(series.observed, np.ones(window, np.int64))[: len(series)]
    return np.flatnonzero(series.observed & (seen >= np.ceil(ENOUGH * window)))


def first_minutes(series: Series, number: int, before: int = 0) -> BoolArray:
    """(T,) bool: the first `number` observed intervals after `before` others. Raises UsageError if there are fewer."""
    seen = np.flatnonzero(series.observed)[before:]
    if number < 1 or len(seen) < number:
        raise UsageError(
            f"Node {series.node!r} has {len(seen)} observed minutes, but its profile needs {number}; give more "
            "minutes, or a shorter profile."
        )
    chosen = np.zeros(len(series), np.bool_)
    chosen[seen[:number]] = True
    return chosen


def normal_minutes(
    series: Series, normal: Mapping[str, Stretch] | Stretch | None, number: int
) -> tuple[BoolArray, int]:
    """(T,) bool, the minutes vouched for as normal, and the index of the minute from which verdicts are
        given.
     `normal`: a stretch for all nodes, one a node by name, or None for each node's first `number` observed
    minutes; in that case verdicts begin after them. Raises UsageError.
    """
    given = given_minutes(series, normal)
    if given is not None:
        return given, 0
    chosen = first_minutes(series, number)
    return chosen, int(np.flatnonzero(chosen)[-1]) + 1


def given_minutes(series: Series, normal: Mapping[str, Stretch] | Stretch | None) -> BoolArray | None:
    """(T,) bool, the node's minutes within the stretch that `normal` names, as above; None, if it names none. Raises UsageError."""
    stretch = normal.get(series.node) if isinstance(normal, Mapping) else normal
    if stretch is None:
        return None
    chosen = minutes_within(series, stretch) & series.observed
    if not chosen.any():
        start, end = (moment.isoformat() for moment in stretch)
        raise UsageError(
            f"Node {series.node!r} has no minutes within {start} to {end}, which was given as normal; give another "
            "stretch."
        )
    return chosen
