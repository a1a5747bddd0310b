"""Teaching: from a marked stretch of minutes to the reference that stands for it.

A reference is the mean of vectors, each minus the node's normal mean, over the windows that hold at least EXPOSURE
minutes of the stretch and end in it or up to AFTER minutes later: earlier windows still show mostly normal traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import polars as pl

from faultprint.arrays import BoolArray, Float32Array, IntArray
from faultprint.cases.centering import (
    CenteredWindows,
    Stretch,
    center,
    minutes_within,
    node_series,
    normal_minutes,
    whole_windows,
)
from faultprint.cases.reference import Reference, check_condition
from faultprint.embedding.model import Model
from faultprint.errors import UsageError
from faultprint.units import microseconds
from faultprint.windows.labelling import check_nodes, faults, minute_conditions
from faultprint.windows.series import Series

MIN_FAULT_MINUTES: Final = 10
"""Minutes of the fault that a window must hold before it counts as an example of it."""
MAX_LAG: Final = 30
"""Minutes after the stretch in which windows that still hold it count: a verdict has to stand while a fault leaves the
window, too. With one encoder trained briefly macro-F1 gained .05 to .09 by it, with one trained longer nothing."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A marked stretch of a node and what it was."""

    condition: str
    interval: Stretch
    comment: str = ""


def make_reference(placed: CenteredWindows, lesson: Enrolment, model: Model, created: datetime) -> Reference:
    """The reference for a lesson. Raises UsageError if no window shows it well, LibraryError for its name."""
    check_condition(lesson.condition)
    chosen = overlapping_windows(placed.series, placed.last_minute, lesson.interval, model.window)
    if not chosen.any():
        begin, finish = (at.isoformat() for at in lesson.interval)
        raise UsageError(
            f"No observed window of node {placed.series.node!r} shows {begin} to {finish}; mark a longer stretch, or one "
            f"with at least {model.window} minutes before it."
        )
    return Reference(
        condition=lesson.condition,
        vector=placed.vectors[chosen].mean(axis=0, dtype=np.float64).astype(np.float32),
        model=model.id,
        node=placed.series.node,
        network=placed.series.network,
        start=lesson.interval[0],
        end=lesson.interval[1],
        windows=int(chosen.sum()),
        created=created,
        comment=lesson.comment,
    )


def overlapping_windows(
    series: Series,
    last_minute: IntArray,
    stretch: Stretch,
    window: int,
    until: datetime | None = None,
) -> BoolArray:
    """(N,) bool: which of the windows of `window` minutes show a stretch.

    They hold EXPOSURE whole minutes of it (all, if it has fewer), and end within it or at most AFTER minutes later, but
    before `until`.
    """
    start, end = (microseconds(at) - series.first_us for at in stretch)
    first, beyond = -(-start // series.interval_us), end // series.interval_us
    limit = beyond + MAX_LAG
    if until is not None:
        limit = min(limit, max(beyond, (microseconds(until) - series.first_us) // series.interval_us))
    exposed = np.minimum(last_minute + 1, beyond) - np.maximum(last_minute + 1 - window, first)
    enough = max(1, min(MIN_FAULT_MINUTES, beyond - first))
    return (exposed >= enough) & (last_minute < limit)


def enrol(
    minutes: pl.DataFrame,
    lesson: Enrolment,
    model: Model,
    *,
    created: datetime,
    node: str | None = None,
    normal: Stretch | None = None,
    profile_minutes: int = 60,
) -> Reference:
    """Teach one stretch of one node's minutes (a MINUTES table).

    `node` may be left out where there is but one; `normal` is its normal stretch (default: its first `profile_minutes`
    observed minutes), and holds nothing of what is taught. Raises TableError, ModelError, UsageError or LibraryError.
    """
    nodes = node_series(minutes, model)
    names = [series.node for series in nodes]
    if node is None and len(nodes) != 1:
        raise UsageError(
            f"The minutes speak of {len(nodes)} nodes ({', '.join(names[:5])}); say which one to learn from."
        )
    chosen = [series for series in nodes if node in (None, series.node)]
    if not chosen:
        raise UsageError(f"There are no minutes of node {node!r}; the nodes are {', '.join(names[:20])}.")
    quiet, _ = normal_minutes(chosen[0], normal, profile_minutes)
    if (quiet & minutes_within(chosen[0], lesson.interval)).any():
        begin, finish = (at.isoformat() for at in lesson.interval)
        raise UsageError(
            f"Minutes of the stretch {begin} to {finish} would be taken as node {chosen[0].node!r}'s normal, of which it is to be "
            "a departure; name another stretch as normal."
        )
    return make_reference(center(chosen[0], model, quiet), lesson, model, created)


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled episode that can be learnt from: `ends` are the last minutes of the windows that show it."""

    series: Series
    baseline_minutes: BoolArray
    ends: IntArray
    enrolment: Enrolment


def examples(minutes: pl.DataFrame, labels: pl.DataFrame, model: Model) -> list[Example]:
    """Every fault episode of a LABELS table that some window shows well enough, by node and time.

    Normal is the hour (a window of minutes) of the node's labelled normal traffic that ends last before the
    episode, or begins first after it: at work an hour is what there is. Raises TableError, ModelError or
    LabelError.
    """
    nodes = node_series(minutes, model)
    check_nodes(labels, [series.node for series in nodes])
    names, found = faults(labels), []
    for series in nodes:
        own = labels.filter(pl.col("node").cast(pl.String) == series.node).sort("start")
        quiet = minute_conditions(own, series, names).normal & series.observed
        hours = np.flatnonzero(_run_length(quiet) >= model.window)  # last minutes of whole normal hours
        whole = whole_windows(series, model.window)
        episodes = [row for row in own.iter_rows(named=True) if str(row["condition"]) in names and len(hours)]
        for row, following in zip(episodes, [*episodes[1:], None], strict=False):
            stretch = (row["start"], row["end"])
            until = following["start"] if following else None
            ends = whole[overlapping_windows(series, whole, stretch, model.window, until)]
            if len(ends):
                before = np.searchsorted(hours, ends[0])
                last = int(hours[max(before - 1, 0)])
                normal = np.zeros(len(series), np.bool_)
                normal[last - model.window + 1 : last + 1] = True
                comment = "" if row["severity"] is None else f"severity {row['severity']:.2f}"
                found.append(Example(series, normal, ends, Enrolment(str(row["condition"]), stretch, comment)))
    return found


def one_per_condition(found: Sequence[Example], seed: int) -> list[Example]:
    """One example of each condition, drawn with equal chances, by name of condition."""
    rng = np.random.default_rng(seed)
    groups: dict[str, list[Example]] = {}
    for example in found:
        groups.setdefault(example.enrolment.condition, []).append(example)
    return [groups[name][int(rng.integers(len(groups[name])))] for name in sorted(groups)]


def medoid_examples(references: Sequence[Reference]) -> list[int]:
    """Of each condition the index of the reference that is nearest to the others of it, by condition."""
    return medoid_indices([one.vector for one in references], [one.condition for one in references])


def medoid_indices(vectors: Sequence[Float32Array], conditions: Sequence[str]) -> list[int]:
    """Of each condition the index of the vector with the least sum of distances to the others of it, by condition."""
    groups: dict[str, list[int]] = {}
    for index, condition in enumerate(conditions):
        groups.setdefault(condition, []).append(index)
    chosen = []
    for _, group in sorted(groups.items()):
        members = np.stack([vectors[index] for index in group]).astype(np.float64)
        apart = np.linalg.norm(members[:, None] - members[None], axis=2).sum(axis=1)
        chosen.append(group[int(np.argmin(apart))])
    return chosen


def enrol_examples(
    found: Sequence[Example],
    model: Model,
    *,
    created: datetime,
    progress: Callable[[int, int], None] | None = None,
) -> list[Reference]:
    """Teach each of the examples."""
    references = []
    for done, example in enumerate(found, start=1):
        placed = center(example.series, model, example.baseline_minutes, example.ends)
        references.append(make_reference(placed, example.enrolment, model, created))
        if progress:
            progress(done, len(found))
    return references


def _run_length(flag: BoolArray) -> IntArray:
    """(T,) how many flags in a row end at each place."""
    index = np.arange(1, len(flag) + 1)
    return index - np.maximum.accumulate(np.where(flag, 0, index))
