"""From labels to the condition of every minute and of every window.

The rule for windows is that of the 2017 baseline. A window is normal only if all its minutes are
normal. Otherwise its condition is the fault with the most minutes in it, or the later one of two with equally many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from faultprint.arrays import BoolArray, IntArray
from faultprint.errors import LabelError
from faultprint.tables import MAINTENANCE, NORMAL, RECOVERY, RESERVED_CONDITIONS
from faultprint.windows.series import Series

UNLABELLED: Final = -1
"""Code of a minute that no label covers."""
UNSCORED: Final = -1
"""Code of a window that is neither trained on nor scored."""

_NOT_FAULTS: Final = (NORMAL, RECOVERY, MAINTENANCE)
_FIRST_FAULT: Final = len(_NOT_FAULTS)


@dataclass(frozen=True, slots=True)
class MinuteConditions:
    """The condition of every minute of a series.

    conditions   names: normal, recovery, maintenance, then the faults
    code         (T,) int16 index into `conditions`; UNLABELLED where no label covers the minute
    """

    conditions: tuple[str, ...]
    code: npt.NDArray[np.int16]

    @property
    def normal(self) -> BoolArray:
        """(T,) True where the minute is normal."""
        normal: BoolArray = self.code == 0
        return normal

    @property
    def faulty(self) -> BoolArray:
        """(T,) True where the minute belongs to a fault."""
        return self.code >= _FIRST_FAULT


@dataclass(frozen=True, slots=True)
class WindowConditions:
    """The condition of the windows that end at minutes `window - 1` to `T - 1`.

    conditions      names, as in `MinuteConditions`
    window          minutes of a window, W
    code            (T - W + 1,) int16 index into `conditions`; UNSCORED where the window has none
    fault_minutes   (T - W + 1,) int16 number of faulty minutes in the window
    """

    conditions: tuple[str, ...]
    window: int
    code: npt.NDArray[np.int16]
    fault_minutes: npt.NDArray[np.int16]

    @property
    def last_minute(self) -> IntArray:
        """Index of every window's last minute in its series."""
        return np.arange(self.window - 1, self.window - 1 + len(self.code), dtype=np.int64)


def fault_rows(labels: pl.DataFrame) -> pl.DataFrame:
    """The rows of a LABELS table that name a fault."""
    return labels.filter(~pl.col("condition").cast(pl.String).is_in(_NOT_FAULTS))


def fault_names(labels: pl.DataFrame) -> tuple[str, ...]:
    """The names of the faults in a LABELS table, sorted. Raises LabelError for a reserved or empty name."""
    names = sorted(str(name) for name in labels.get_column("condition").unique().to_list())
    invalid = [name for name in names if name in RESERVED_CONDITIONS.difference(_NOT_FAULTS) or not name.strip()]
    if invalid:
        raise LabelError(f"A label's condition is {invalid[0]!r}, which cannot name a fault; use the fault's name.")
    return tuple(name for name in names if name not in _NOT_FAULTS)


def check_label_nodes(labels: pl.DataFrame, nodes: Sequence[str]) -> None:
    """Raise LabelError if a label names a node that has no minutes."""
    unknown = sorted(set(labels.get_column("node").cast(pl.String).unique().to_list()).difference(nodes))
    if unknown:
        raise LabelError(
            f"The labels name node {unknown[0]!r}, which has no minutes; remove these labels or add its minutes."
        )


def label_minutes(labels: pl.DataFrame, series: Series, faults: Sequence[str]) -> MinuteConditions:
    """The condition of every minute of `series`, from the rows of a LABELS table that name its node.

    A minute belongs to a fault, to recovery or to maintenance if any part of it lies in such a label. It is normal only
    if all of it lies in a normal label. A fault goes before maintenance, and maintenance before recovery; of two faults
    the later counts. `faults` are the names from `fault_names`. Raises LabelError for labels that overlap or end before
    they start.
    """
    conditions = (*_NOT_FAULTS, *faults)
    code = np.full(len(series), UNLABELLED, dtype=np.int16)
    start, end, names = _label_intervals(labels, series.node)
    first = start - series.first_us
    last = end - series.first_us
    # Whole minutes for normal (start rounded up, end down), touched minutes for the rest (start down, end up).
    ranks = {NORMAL: 0, RECOVERY: 1, MAINTENANCE: 2}
    order = sorted(range(len(names)), key=lambda i: (ranks.get(names[i], _FIRST_FAULT), start[i]))
    for i in order:
        name = names[i]
        if name == NORMAL:
            low, high = -(-first[i] // series.interval_us), last[i] // series.interval_us
        else:
            low, high = first[i] // series.interval_us, -(-last[i] // series.interval_us)
        code[max(low, 0) : max(high, 0)] = conditions.index(name)
    return MinuteConditions(conditions, code)


def _label_intervals(labels: pl.DataFrame, node: str) -> tuple[IntArray, IntArray, list[str]]:
    """Start and end (µs) and condition of the node's labels in order of time, neighbours of one condition joined."""
    rows = labels.filter(pl.col("node").cast(pl.String) == node).sort("start", "end")
    start = rows.get_column("start").dt.epoch("us").to_numpy().astype(np.int64)
    end = rows.get_column("end").dt.epoch("us").to_numpy().astype(np.int64)
    names = [str(name) for name in rows.get_column("condition").to_list()]
    reversed_rows = np.flatnonzero(end <= start)
    if len(reversed_rows):
        row = rows.row(int(reversed_rows[0]), named=True)
        raise LabelError(
            f"A label of node {node!r} ends at {row['end']}, which is not after its start {row['start']}; correct one of them."
        )
    overlapping = np.flatnonzero(start[1:] < end[:-1])
    if len(overlapping):
        i = int(overlapping[0])
        row = rows.row(i + 1, named=True)
        raise LabelError(
            f"Labels of node {node!r} overlap: {names[i + 1]!r} starts at {row['start']}, before {names[i]!r} ends; "
            "shorten one of them."
        )
    if not len(start):
        return start, end, names
    joins = np.array([names[i] != names[i - 1] or start[i] != end[i - 1] for i in range(1, len(names))], dtype=np.bool_)
    heads = np.flatnonzero(np.concatenate(([True], joins)))
    tails = np.append(heads[1:] - 1, len(names) - 1)
    return start[heads], end[tails], [names[i] for i in heads]


def label_windows(minutes: MinuteConditions, window: int) -> WindowConditions:
    """The condition of every window of `window` minutes.

    All minutes normal: normal. Otherwise the fault with the most minutes in the window; of two with equally many, the one
    with the later last minute. Unscored: a window of normal and recovery minutes only, or with any minute of maintenance
    or without a label. Raises ValueError for a window below 1 minute.
    """
    if window < 1:
        raise ValueError(f"a window of {window} minutes cannot be labelled")
    total = max(len(minutes.code) - window + 1, 0)
    if not total:
        empty = np.zeros(0, dtype=np.int16)
        return WindowConditions(minutes.conditions, window, empty, empty.copy())
    normal = _count_in_window(minutes.normal, window)
    excluded = (minutes.code == UNLABELLED) | (minutes.code == _NOT_FAULTS.index(MAINTENANCE))
    code = np.full(total, UNSCORED, dtype=np.int16)
    code[normal == window] = 0
    most = np.zeros(total, dtype=np.int64)
    latest = np.full(total, -1, dtype=np.int64)
    for fault in range(_FIRST_FAULT, len(minutes.conditions)):
        active = minutes.code == fault
        if not active.any():
            continue
        count = _count_in_window(active, window)
        last = np.maximum.accumulate(np.where(active, np.arange(len(active)), -1))[window - 1 :]
        better = (count > 0) & ((count > most) | ((count == most) & (last > latest)))
        code[better] = fault
        most[better] = count[better]
        latest[better] = last[better]
    code[_count_in_window(excluded, window) > 0] = UNSCORED
    fault_minutes = _count_in_window(minutes.faulty, window).astype(np.int16)
    return WindowConditions(minutes.conditions, window, code, fault_minutes)


def _count_in_window(flag: BoolArray, window: int) -> IntArray:
    """The number of flagged minutes of each window."""
    total = np.concatenate(([0], np.cumsum(flag, dtype=np.int64)))
    return total[window:] - total[:-window]
