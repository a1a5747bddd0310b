"""From labels to the condition of every minute, and of every window.

The rule for windows is that of the posts which this work follows: a window is normal only if all its minutes are;
otherwise it bears the fault that holds most of them (of two with equally many, the later).
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
"""The code of a minute that no label covers."""
UNSCORED: Final = -1
"""The code of a window that is neither trained on nor scored."""

_LABELS_OF_THE_TABLE: Final = (NORMAL, RECOVERY, MAINTENANCE)
_FIRST_FAULT: Final = len(_LABELS_OF_THE_TABLE)


@dataclass(frozen=True, slots=True)
class MinuteConditions:
    """(T,) int16 codes into `conditions`, which starts with normal, recovery, maintenance; UNLABELLED where no label is."""

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
    """Conditions of the windows that end at minutes `window - 1` to `T - 1`.

    `code` is (T - window + 1,) int16 into `conditions`, UNSCORED where the window bears none; `exposed` is the number of
    faulty minutes in it.
    """

    conditions: tuple[str, ...]
    window: int
    code: npt.NDArray[np.int16]
    exposed: npt.NDArray[np.int16]

    @property
    def last_minute(self) -> IntArray:
        """Index of every window's last minute in its series."""
        return np.arange(self.window - 1, self.window - 1 + len(self.code), dtype=np.int64)


def of_faults(labels: pl.DataFrame) -> pl.DataFrame:
    """The rows of a LABELS table in which a fault was there."""
    return labels.filter(~pl.col("condition").cast(pl.String).is_in(_LABELS_OF_THE_TABLE))


def faults(labels: pl.DataFrame) -> tuple[str, ...]:
    """The names of the faults in a LABELS table, sorted. Raises LabelError for a word that names no condition."""
    words = sorted(str(word) for word in labels.get_column("condition").unique().to_list())
    strange = [
        word for word in words if word in RESERVED_CONDITIONS.difference(_LABELS_OF_THE_TABLE) or not word.strip()
    ]
    if strange:
        raise LabelError(f"A label's condition is {strange[0]!r}, which is a verdict and no condition; name the fault.")
    return tuple(word for word in words if word not in _LABELS_OF_THE_TABLE)


def check_nodes(labels: pl.DataFrame, nodes: Sequence[str]) -> None:
    """Raise LabelError if a label speaks of a node that has no minutes."""
    strange = sorted(set(labels.get_column("node").cast(pl.String).unique().to_list()).difference(nodes))
    if strange:
        raise LabelError(
            f"The labels speak of node {strange[0]!r}, which has no minutes; remove these labels or add its minutes."
        )


def minute_conditions(labels: pl.DataFrame, series: Series, names: Sequence[str]) -> MinuteConditions:
    """The condition of every minute of `series`, from the rows of a LABELS table that name its node.

    A minute belongs to a fault (to recovery, to maintenance) if any of it lies in such a label; it is normal only if all
    of it does. Where one minute has several, a fault goes before maintenance, that before recovery, and of two faults the
    later counts. `names` are the faults' names (see `faults`). Raises LabelError for labels that overlap or end before
    they start.
    """
    conditions = (*_LABELS_OF_THE_TABLE, *names)
    code = np.full(len(series), UNLABELLED, dtype=np.int16)
    start, end, words = _stretches(labels, series.node)
    first = start - series.first_us
    last = end - series.first_us
    # Whole minutes for normal (start rounded up, end down), touched minutes for the rest (start down, end up).
    ranks = {NORMAL: 0, RECOVERY: 1, MAINTENANCE: 2}
    order = sorted(range(len(words)), key=lambda i: (ranks.get(words[i], _FIRST_FAULT), start[i]))
    for i in order:
        word = words[i]
        if word == NORMAL:
            low, high = -(-first[i] // series.interval_us), last[i] // series.interval_us
        else:
            low, high = first[i] // series.interval_us, -(-last[i] // series.interval_us)
        code[max(low, 0) : max(high, 0)] = conditions.index(word)
    return MinuteConditions(conditions, code)


def _stretches(labels: pl.DataFrame, node: str) -> tuple[IntArray, IntArray, list[str]]:
    """Start and end (µs) and condition of the node's labels in order of time, neighbours of one condition joined."""
    rows = labels.filter(pl.col("node").cast(pl.String) == node).sort("start", "end")
    start = rows.get_column("start").dt.epoch("us").to_numpy().astype(np.int64)
    end = rows.get_column("end").dt.epoch("us").to_numpy().astype(np.int64)
    words = [str(word) for word in rows.get_column("condition").to_list()]
    wrong = np.flatnonzero(end <= start)
    if len(wrong):
        row = rows.row(int(wrong[0]), named=True)
        raise LabelError(
            f"A label of node {node!r} ends at {row['end']}, which is not after its start {row['start']}; correct one of them."
        )
    overlapping = np.flatnonzero(start[1:] < end[:-1])
    if len(overlapping):
        i = int(overlapping[0])
        row = rows.row(i + 1, named=True)
        raise LabelError(
            f"Labels of node {node!r} overlap: {words[i + 1]!r} starts at {row['start']}, while {words[i]!r} still lasts; "
            "shorten one of them."
        )
    if not len(start):
        return start, end, words
    joins = np.array([words[i] != words[i - 1] or start[i] != end[i - 1] for i in range(1, len(words))], dtype=np.bool_)
    heads = np.flatnonzero(np.concatenate(([True], joins)))
    tails = np.append(heads[1:] - 1, len(words) - 1)
    return start[heads], end[tails], [words[i] for i in heads]


def window_conditions(minutes: MinuteConditions, window: int) -> WindowConditions:
    """What every window of `window` minutes bears, by the posts' rule.

    All minutes normal: normal. Else the fault with most minutes in the window; of two with equally many, the one whose last
    minute is later. Only normal and recovery minutes, or any minute of maintenance or without a label: unscored.
    """
    if window < 1:
        raise ValueError(f"a window of {window} minutes cannot be labelled")
    total = max(len(minutes.code) - window + 1, 0)
    if not total:
        empty = np.zeros(0, dtype=np.int16)
        return WindowConditions(minutes.conditions, window, empty, empty.copy())
    normal = _in_window(minutes.normal, window)
    barred = _in_window(
        (minutes.code == UNLABELLED) | (minutes.code == _LABELS_OF_THE_TABLE.index(MAINTENANCE)), window
    )
    code = np.full(total, UNSCORED, dtype=np.int16)
    code[normal == window] = 0
    most = np.zeros(total, dtype=np.int64)
    latest = np.full(total, -1, dtype=np.int64)
    for fault in range(_FIRST_FAULT, len(minutes.conditions)):
        here = minutes.code == fault
        if not here.any():
            continue
        count = _in_window(here, window)
        seen = np.maximum.accumulate(np.where(here, np.arange(len(here)), -1))[window - 1 :]
        better = (count > 0) & ((count > most) | ((count == most) & (seen > latest)))
        code[better] = fault
        most[better] = count[better]
        latest[better] = seen[better]
    code[barred > 0] = UNSCORED
    return WindowConditions(minutes.conditions, window, code, _in_window(minutes.faulty, window).astype(np.int16))


def _in_window(flag: BoolArray, window: int) -> IntArray:
    """How many of each window's minutes are flagged."""
    total = np.concatenate(([0], np.cumsum(flag, dtype=np.int64)))
    return total[window:] - total[:-window]
