"""Fault episodes of the labels, and what the verdicts made of each: found or not, how late, how long until clear."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from faultprint.arrays import BoolArray, IntArray
from faultprint.tables import NORMAL
from faultprint.units import MINUTE_US
from faultprint.windows.labelling import fault_rows


@dataclass(frozen=True, slots=True)
class Episode:
    """One fault of the labels with its result.

    node, condition, start, end, severity  from the labels
    found             some verdict named the condition
    delay_minutes     from the onset to the end of the minute with the first right verdict; None if not found
    clearing_minutes  from the fault's end to the end of the minute in which it is first no longer active: its verdict is
                      normal, or its short window is (`cases.recovery`); None if that never happens
    lost_early        the fault was reported as over before its end
    main_verdict      the most frequent verdict during the episode that is not normal; None if there is none
    """

    node: str
    condition: str
    start: datetime
    end: datetime
    severity: float | None
    found: bool
    delay_minutes: float | None
    clearing_minutes: float | None
    lost_early: bool
    main_verdict: str | None


def outcomes(scored: pl.DataFrame, labels: pl.DataFrame, *, interval_us: int, window: int) -> list[Episode]:
    """Every fault episode of the labels that a scored window could show, in order of node and time.

    `scored`: node, minute, truth (null: not scored), verdict, ongoing; one row for each minute. An episode lasts from its
    onset to its end plus a window, because the last windows still hold a faulty minute. It stops at the next onset on that
    node.
    """
    faults = fault_rows(labels).sort("node", "start")
    episodes: list[Episode] = []
    for key, rows in faults.group_by("node", maintain_order=True):
        timeline = scored.filter(pl.col("node").cast(pl.String) == str(key[0])).sort("minute")
        if timeline.is_empty():
            continue
        minute = timeline["minute"].dt.epoch("us").to_numpy()
        verdict = np.array(timeline["verdict"].cast(pl.String).to_list(), dtype=object)
        active = timeline["ongoing"].to_numpy()
        counted = timeline["truth"].is_not_null().to_numpy()
        onsets = [*rows["start"].dt.epoch("us").to_list(), np.iinfo(np.int64).max]
        for row, onset, following in zip(rows.iter_rows(named=True), onsets, onsets[1:], strict=False):
            end = int(row["end"].timestamp() * 1e6)
            last = min(end + (window - 1) * interval_us, following)
            during = (minute + interval_us > onset) & (minute < last)
            if (during & counted).any():
                after = (minute + interval_us > end) & (minute < following)
                episodes.append(_outcome(row, minute + interval_us, verdict, active, during & counted, after))
    return episodes


def _outcome(
    row: dict[str, object],
    verdict_us: IntArray,
    verdict: NDArray[np.object_],
    active: BoolArray,
    during: BoolArray,
    after: BoolArray,
) -> Episode:
    """The result of the episode in `row` from one node's minutes (T,); `verdict_us` is when each verdict was given."""
    onset, end = row["start"], row["end"]
    assert isinstance(onset, datetime) and isinstance(end, datetime)
    right = np.flatnonzero(during & (verdict == row["condition"]))
    conditions, counts = np.unique(verdict[during & (verdict != NORMAL)].astype(str), return_counts=True)
    clearing_minutes, lost_early = None, False
    if len(right):
        later = verdict_us > verdict_us[right[0]]
        cleared = np.flatnonzero(after & ~active & later)
        clearing_minutes = _minutes(verdict_us[cleared[0]], end) if len(cleared) else None
        lost_early = bool((later & ~active & (verdict_us <= round(end.timestamp() * 1e6))).any())
    severity = row.get("severity")
    return Episode(
        node=str(row["node"]),
        condition=str(row["condition"]),
        start=onset,
        end=end,
        severity=float(severity) if isinstance(severity, float) else None,
        found=bool(len(right)),
        delay_minutes=_minutes(verdict_us[right[0]], onset) if len(right) else None,
        clearing_minutes=clearing_minutes,
        lost_early=lost_early,
        main_verdict=str(conditions[np.argmax(counts)]) if len(conditions) else None,
    )


def _minutes(moment_us: int, since: datetime) -> float:
    return (int(moment_us) - round(since.timestamp() * 1e6)) / MINUTE_US
