"""Enrolment: from a marked interval of minutes to the reference that stands for it.

A reference is the mean vector of the windows that overlap the interval, each minus the mean vector of the node's
baseline. A window overlaps if it holds at least MIN_FAULT_MINUTES of the interval and ends within it, or at most MAX_LAG
minutes later. Earlier windows hold mostly normal traffic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import polars as pl

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.cases.baseline import FIRST_HOUR, Baseline, OnSuspect, SelectedBaseline, select
from faultprint.cases.centering import (
    CenteredWindows,
    Interval,
    center,
    minutes_within,
    node_series,
    run_ends,
    whole_windows,
)
from faultprint.cases.reference import Reference
from faultprint.cases.thresholds import matcher_for
from faultprint.condition_name import check_condition
from faultprint.embedding.model import Model
from faultprint.errors import UsageError
from faultprint.progress import Progress
from faultprint.units import microseconds
from faultprint.windows.labelling import check_label_nodes, fault_names, label_minutes
from faultprint.windows.series import Series

MIN_FAULT_MINUTES: Final = 10
"""Minutes of the fault that a window must hold before it counts as an example of it."""
MAX_LAG: Final = 30
"""Minutes after the interval in which windows that still hold it count, because a verdict must last while a fault leaves
the window. It gained 0.05 to 0.09 macro-F1 with a briefly trained encoder, and nothing with one trained longer."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What happened in an interval of a node."""

    condition: str
    interval: Interval
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled episode to enrol.

    series            the node's minutes
    baseline_minutes  (T,) bool: the normal minutes that its vectors are measured from
    last_minutes      (N,) int64: last minutes of the windows that overlap the episode
    enrolment         what is enrolled
    """

    series: Series
    baseline_minutes: BoolArray
    last_minutes: IntArray
    enrolment: Enrolment


def enrol(
    minutes: pl.DataFrame,
    enrolment: Enrolment,
    model: Model,
    *,
    created: datetime,
    node: str | None = None,
    baseline: Baseline = FIRST_HOUR,
    references: Sequence[Reference] = (),
    on_suspect: OnSuspect = lambda node, condition: None,
) -> Reference:
    """The reference for one interval of one node of a MINUTES table.

    created     when it is enrolled
    node        may be left out if the minutes are of one node only
    baseline    how the node's baseline is chosen, as for `identify`; it must not overlap the interval
    references  the model's references in the library: a baseline that looks like one of these is suspect
    on_suspect  called with node and condition for each suspect baseline

    Raises TableError, ModelError, UsageError or LibraryError.
    """
    series = _only_node(node_series(minutes, model), node)
    selected = select(series, baseline, model, matcher_for(model, references), on_suspect)
    _check_selected(series, selected, enrolment.interval)
    return make_reference(center(series, model, selected.baseline), enrolment, model, created)


def make_reference(windows: CenteredWindows, enrolment: Enrolment, model: Model, created: datetime) -> Reference:
    """The reference for an enrolment. Raises UsageError if no window overlaps it, LibraryError for a bad name."""
    condition = check_condition(enrolment.condition)
    chosen = overlapping_windows(windows.series, windows.last_minute, enrolment.interval, model.window)
    if not chosen.any():
        start, end = (moment.isoformat() for moment in enrolment.interval)
        raise UsageError(
            f"No observed window of node {windows.series.node!r} holds enough of the interval {start} to {end}; mark a "
            f"longer interval, or one with at least {model.window} minutes before it."
        )
    return Reference(
        condition=condition,
        vector=windows.vectors[chosen].mean(axis=0, dtype=np.float64).astype(np.float32),
        model=model.id,
        node=windows.series.node,
        network=windows.series.network,
        start=enrolment.interval[0],
        end=enrolment.interval[1],
        windows=int(chosen.sum()),
        created=created,
        comment=enrolment.comment,
    )


def overlapping_windows(
    series: Series,
    last_minute: IntArray,
    interval: Interval,
    window: int,
    until: datetime | None = None,
) -> BoolArray:
    """(N,) bool: which of the windows of `window` minutes that end at `last_minute` (N,) overlap an interval.

    They hold MIN_FAULT_MINUTES whole minutes of it (all, if it has fewer). They end within it, or at most MAX_LAG minutes
    later, but before `until`.
    """
    start, end = (microseconds(moment) - series.first_us for moment in interval)
    first, beyond = -(-start // series.interval_us), end // series.interval_us
    limit = beyond + MAX_LAG
    if until is not None:
        limit = min(limit, max(beyond, (microseconds(until) - series.first_us) // series.interval_us))
    overlap = np.minimum(last_minute + 1, beyond) - np.maximum(last_minute + 1 - window, first)
    enough = max(1, min(MIN_FAULT_MINUTES, beyond - first))
    return (overlap >= enough) & (last_minute < limit)


def examples(minutes: pl.DataFrame, labels: pl.DataFrame, model: Model) -> list[Example]:
    """Every fault episode of a LABELS table that some window overlaps, by node and time.

    The baseline is the last window of minutes labelled normal that ends before the episode, or else the first after it.
    Raises TableError, ModelError or LabelError.
    """
    nodes = node_series(minutes, model)
    check_label_nodes(labels, [series.node for series in nodes])
    names, chosen = fault_names(labels), []
    for series in nodes:
        rows = labels.filter(pl.col("node").cast(pl.String) == series.node).sort("start")
        normal_ends = run_ends(label_minutes(rows, series, names).normal & series.observed, model.window)
        whole = whole_windows(series, model.window)
        episodes = [row for row in rows.iter_rows(named=True) if str(row["condition"]) in names and len(normal_ends)]
        for row, following in zip(episodes, [*episodes[1:], None], strict=False):
            interval = (row["start"], row["end"])
            until = following["start"] if following else None
            last_minutes = whole[overlapping_windows(series, whole, interval, model.window, until)]
            if len(last_minutes):
                before = np.searchsorted(normal_ends, last_minutes[0])
                end = int(normal_ends[max(before - 1, 0)])
                baseline = np.zeros(len(series), np.bool_)
                baseline[end - model.window + 1 : end + 1] = True
                comment = "" if row["severity"] is None else f"severity {row['severity']:.2f}"
                enrolment = Enrolment(str(row["condition"]), interval, comment)
                chosen.append(Example(series, baseline, last_minutes, enrolment))
    return chosen


def one_per_condition(candidates: Sequence[Example], seed: int) -> list[Example]:
    """One example of each condition, drawn with equal chances, by name of condition."""
    rng = np.random.default_rng(seed)
    groups: dict[str, list[Example]] = {}
    for example in candidates:
        groups.setdefault(example.enrolment.condition, []).append(example)
    return [groups[name][int(rng.integers(len(groups[name])))] for name in sorted(groups)]


def medoid_examples(references: Sequence[Reference]) -> list[int]:
    """For each condition, by name, the index of the reference that is nearest to its others."""
    return medoid_indices(
        [reference.vector for reference in references], [reference.condition for reference in references]
    )


def medoid_indices(vectors: Sequence[Float32Array], conditions: Sequence[str]) -> list[int]:
    """For each condition, by name, the index of the vector with the least sum of distances to its others."""
    groups: dict[str, list[int]] = {}
    for index, condition in enumerate(conditions):
        groups.setdefault(condition, []).append(index)
    chosen = []
    for _, group in sorted(groups.items()):
        members = np.stack([vectors[index] for index in group]).astype(np.float64)
        distance = np.linalg.norm(members[:, None] - members[None], axis=2).sum(axis=1)
        chosen.append(group[int(np.argmin(distance))])
    return chosen


def enrol_examples(
    chosen: Sequence[Example], model: Model, *, created: datetime, progress: Progress | None = None
) -> list[Reference]:
    """The references for examples, in their order."""
    references = []
    for done, example in enumerate(chosen, start=1):
        baseline = model.baseline(example.series, example.baseline_minutes)
        windows = center(example.series, model, baseline, example.last_minutes)
        references.append(make_reference(windows, example.enrolment, model, created))
        if progress:
            progress(done, len(chosen))
    return references


def _only_node(nodes: Sequence[Series], node: str | None) -> Series:
    """The node of that name; the only one, if no name is given. Raises UsageError."""
    names = [series.node for series in nodes]
    if node is None and len(nodes) != 1:
        raise UsageError(f"The minutes are of {len(nodes)} nodes ({', '.join(names[:5])}); name one of them.")
    for series in nodes:
        if node in (None, series.node):
            return series
    raise UsageError(f"There are no minutes of node {node!r}; the nodes are {', '.join(names[:20])}.")


def _check_selected(series: Series, selected: SelectedBaseline, interval: Interval) -> None:
    """Raise UsageError unless the baseline is fit to enrol this interval against."""
    if selected.suspect and selected.begin == len(series):
        raise UsageError(
            f"All minutes of node {series.node!r} that could be its baseline look like {selected.suspect!r}; give an "
            "interval of normal traffic as the baseline."
        )
    if (selected.minutes & minutes_within(series, interval)).any():
        start, end = (moment.isoformat() for moment in interval)
        raise UsageError(
            f"The interval {start} to {end} overlaps the baseline of node {series.node!r}, but a fault is a deviation from "
            "the baseline; choose another baseline."
        )
