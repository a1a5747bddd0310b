"""Episodes of a fault, and what a system said of each: found or not, how late, how late it cleared."""

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
    """One fault stretch of the labels with the outcome; minutes are None where there is none.

    `delay` runs from the onset to the end of the interval with the first right verdict, `clearing` from the fault's end
    to the end of the interval in which it is first told to be over: its verdict is normal, or the recent minutes are
    (`cases.clearing`). `lost` tells whether that was said before the end. `said` is the non-normal verdict given most
    often meanwhile.
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

    `scored`: node, minute, truth (null: not scored), verdict, ongoing; one row a minute. An episode's time runs from its onset
    to its end plus a window (the last windows that hold a faulty minute), but stops at the next episode's onset on that
    node.
    """
    faults = fault_rows(labels).sort("node", "start")
    found: list[Episode] = []
    for key, rows in faults.group_by("node", maintain_order=True):
        timeline = scored.filter(pl.col("node").cast(pl.String) == str(key[0])).sort("minute")
        if timeline.is_empty():
            continue
        minute = timeline["minute"].dt.epoch("us").to_numpy()
        verdict = np.array(timeline["verdict"].cast(pl.String).to_list(), dtype=object)
        there = timeline["ongoing"].to_numpy()
        counted = timeline["truth"].is_not_null().to_numpy()
        onsets = [*rows["start"].dt.epoch("us").to_list(), np.iinfo(np.int64).max]
        for row, onset, following in zip(rows.iter_rows(named=True), onsets, onsets[1:], strict=False):
            end = int(row["end"].timestamp() * 1e6)
            last = min(end + (window - 1) * interval_us, following)
            episode = (minute + interval_us > onset) & (minute < last)
            if (episode & counted).any():
                after = (minute + interval_us > end) & (minute < following)
                found.append(_outcome(row, minute + interval_us, verdict, there, episode & counted, after))
    return found


def _outcome(
    row: dict[str, object],
    told: IntArray,
    verdict: NDArray[np.object_],
    there: BoolArray,
    during: BoolArray,
    after: BoolArray,
) -> Episode:
    onset, end = row["start"], row["end"]
    assert isinstance(onset, datetime) and isinstance(end, datetime)
    right = np.flatnonzero(during & (verdict == row["condition"]))
    said = verdict[during & (verdict != NORMAL)]
    words, counts = np.unique(said.astype(str), return_counts=True)
    clearing, lost = None, False
    if len(right):
        since = told > told[right[0]]
        over = np.flatnonzero(after & ~there & since)
        clearing = _minutes(told[over[0]], end) if len(over) else None
        lost = bool((since & ~there & (told <= round(end.timestamp() * 1e6))).any())
    severity = row.get("severity")
    return Episode(
        node=str(row["node"]),
        condition=str(row["condition"]),
        start=onset,
        end=end,
        severity=float(severity) if isinstance(severity, float) else None,
        found=bool(len(right)),
        delay_minutes=_minutes(told[right[0]], onset) if len(right) else None,
        clearing_minutes=clearing,
        lost_early=lost,
        main_verdict=str(words[np.argmax(counts)]) if len(words) else None,
    )


def _minutes(told: int, since: datetime) -> float:
    return (int(told) - round(since.timestamp() * 1e6)) / MINUTE_US
