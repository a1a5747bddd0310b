"""The figures of a system: of windows, false alarms, episodes and delays together.

A window is normal only if all its minutes are (`windows.labelling`). Windows without a truth are not scored: with a gap,
with unlabelled time, with maintenance, or with nothing but recovery. There is no point adjustment: a fault found once
does not make its other windows right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from faultprint.cases.calibration import false_alarms
from faultprint.cases.enrol import MIN_FAULT_MINUTES
from faultprint.evaluation.episodes import Episode, outcomes
from faultprint.tables import NORMAL, WARMING_UP
from faultprint.units import DAY_US

CLEAR_WINDOWS: Final = pl.col("truth").is_not_null() & (
    (pl.col("truth") == NORMAL) | (pl.col("exposed") >= MIN_FAULT_MINUTES)
)
"""In a table with truth and exposed: windows that are normal, or hold at least MIN_FAULT_MINUTES of their fault."""


@dataclass(frozen=True, slots=True)
class ConditionFigures:
    """The figures of one condition.

    windows    its windows in the truth
    precision  share of its verdicts that were right; None without a verdict
    recall     share of its windows that were named
    episodes, found, delay_median_minutes  its episodes, how many were found, and after how long
    """

    condition: str
    windows: int
    precision: float | None
    recall: float
    f1: float
    episodes: int
    found: int
    delay_median_minutes: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one system on one set of scored windows; None if there is nothing to measure.

    macro_f1                 mean F1 of normal and all true conditions
    macro_f1_exposed         the same over CLEAR_WINDOWS
    false_alarms             incidents that begin in a normal window, in `normal_days` of such windows
    episodes_found           share of the `episodes` in which some verdict named the fault
    delay_*_minutes          from the onset to the first right verdict
    clearing_median_minutes  from the end until the fault is no longer active
    lost_early               share of the episodes found that were reported as over before their end
    confusion                windows by truth, then by verdict
    """

    macro_f1: float
    macro_f1_exposed: float
    false_alarms_per_day: float | None
    false_alarms: int
    normal_days: float
    episodes_found: float | None
    episodes: int
    delay_median_minutes: float | None
    delay_p90_minutes: float | None
    clearing_median_minutes: float | None
    lost_early: float | None
    windows: int
    windows_exposed: int
    conditions: tuple[ConditionFigures, ...]
    confusion: dict[str, dict[str, int]]
    outcomes: tuple[Episode, ...]

    def summary(self) -> dict[str, Any]:
        """The single numbers, for JSON."""
        return {
            name: getattr(self, name) for name in self.__slots__ if name not in ("conditions", "confusion", "outcomes")
        }

    def by_condition(self) -> list[dict[str, Any]]:
        """The figures of each condition, for JSON."""
        return [asdict(row) for row in self.conditions]


def figures(scored: pl.DataFrame, labels: pl.DataFrame, *, interval_us: int, window: int) -> Figures:
    """Compare verdicts with the truth.

    scored       node, minute, truth (null: not scored), exposed (faulty minutes in the window), verdict, ongoing (the
                 fault is active); one row for each minute with a verdict
    labels       the LABELS table, for the episodes
    interval_us  length of a minute, µs
    window       minutes in a window
    """
    kept = scored.filter(pl.col("truth").is_not_null())
    clear = kept.filter(CLEAR_WINDOWS)
    episodes = tuple(outcomes(scored, labels, interval_us=interval_us, window=window))
    alarms, normal_us = _false_alarms(scored, interval_us)
    delays = _delays(episodes)
    clearings = [episode.clearing_minutes for episode in episodes if episode.clearing_minutes is not None]
    rows = condition_figures(kept, episodes)
    return Figures(
        macro_f1=_macro(rows),
        macro_f1_exposed=_macro(condition_figures(clear, ())),
        false_alarms_per_day=alarms / (normal_us / DAY_US) if normal_us else None,
        false_alarms=alarms,
        normal_days=normal_us / DAY_US,
        episodes_found=_share([episode.found for episode in episodes]),
        episodes=len(episodes),
        delay_median_minutes=nearest_rank(delays, 0.5),
        delay_p90_minutes=nearest_rank(delays, 0.9),
        clearing_median_minutes=nearest_rank(clearings, 0.5),
        lost_early=_share([episode.lost_early for episode in episodes if episode.found]),
        windows=len(kept),
        windows_exposed=len(clear),
        conditions=tuple(rows),
        confusion=confusion(kept),
        outcomes=episodes,
    )


def condition_figures(kept: pl.DataFrame, episodes: tuple[Episode, ...]) -> list[ConditionFigures]:
    """Figures of normal and of every condition in the truth, normal first. Other verdicts only count as misses."""
    truth, verdict = (np.array(kept[name].cast(pl.String).to_list(), dtype=object) for name in ("truth", "verdict"))
    rows = []
    for condition in [NORMAL, *sorted({*truth.tolist()} - {NORMAL})]:
        real, named = truth == condition, verdict == condition
        both = int((real & named).sum())
        of_condition = [episode for episode in episodes if episode.condition == condition]
        total = int(real.sum() + named.sum())
        rows.append(
            ConditionFigures(
                condition=condition,
                windows=int(real.sum()),
                precision=both / int(named.sum()) if named.any() else None,
                recall=both / int(real.sum()) if real.any() else 0.0,
                f1=2 * both / total if total else 0.0,
                episodes=len(of_condition),
                found=sum(episode.found for episode in of_condition),
                delay_median_minutes=nearest_rank(_delays(of_condition), 0.5),
            )
        )
    return rows


def confusion(kept: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Windows by truth, then by verdict."""
    counts: dict[str, dict[str, int]] = {}
    grouped = (
        kept.group_by(pl.col("truth").cast(pl.String), pl.col("verdict").cast(pl.String)).len().sort("truth", "verdict")
    )
    for truth, verdict, number in grouped.iter_rows():
        counts.setdefault(truth, {})[verdict] = number
    return counts


def nearest_rank(values: list[float], share: float) -> float | None:
    """The nearest-rank quantile: the smallest value with at least that share at or below it."""
    return sorted(values)[max(0, int(np.ceil(share * len(values))) - 1)] if values else None


def _delays(episodes: Sequence[Episode]) -> list[float]:
    return [episode.delay_minutes for episode in episodes if episode.delay_minutes is not None]


def _share(marks: list[bool]) -> float | None:
    return sum(marks) / len(marks) if marks else None


def _macro(rows: list[ConditionFigures]) -> float:
    return float(np.mean([row.f1 for row in rows]))


def _false_alarms(scored: pl.DataFrame, interval_us: int) -> tuple[int, int]:
    """The incidents that begin in a normal window, and the time in µs that normal windows cover."""
    alarms = normal = 0
    for _, timeline in scored.group_by("node"):
        rows = timeline.sort("minute")
        conditions = np.array(rows["verdict"].cast(pl.String).to_list(), dtype=object)
        _, verdict = np.unique(conditions.astype(str), return_inverse=True)
        alarming = (conditions != NORMAL) & (conditions != WARMING_UP)
        is_normal = (rows["truth"] == NORMAL).fill_null(False).to_numpy()
        minute_us = rows["minute"].dt.epoch("us").to_numpy()
        alarms += false_alarms(verdict, alarming, is_normal, minute_us, interval_us)
        normal += int(is_normal.sum()) * interval_us
    return alarms, normal
