"""The figures by which a system is judged: windows, alarms, episodes, delays, together.

A window's truth follows the posts' rule (`windows.labelling`): normal only if all its minutes are. Windows
without a truth (a gap, unlabelled time, maintenance, nothing but recovery) are not scored. Nothing is
point-adjusted: a fault found once does not turn its other windows right.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from faultprint.cases.calibration import false_alarms
from faultprint.evaluation.episodes import Episode, outcomes
from faultprint.tables import NORMAL, WARMING_UP
from faultprint.units import DAY_US

CLEAR_EXPOSURE: Final = 10  # faulty minutes from which a window shows its fault clearly
CLEAR_WINDOWS: Final = pl.col("truth").is_not_null() & ((pl.col("truth") == NORMAL) | (pl.col("exposed") >= CLEAR_EXPOSURE))
"""Of a table with truth and exposed: windows that are normal, or show their fault clearly."""


@dataclass(frozen=True, slots=True)
class ConditionFigures:
    """One condition: precision is the share of its verdicts that were right, recall that of its windows."""

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
    """What one system achieved on one set of scored windows; a figure without anything to measure is None.

    `lost_early`: share of the episodes found that were told to be over before they were.
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
        """The plain numbers, for JSON."""
        return {
            name: getattr(self, name) for name in self.__slots__ if name not in ("conditions", "confusion", "outcomes")
        }

    def by_condition(self) -> list[dict[str, Any]]:
        """The conditions' figures, for JSON."""
        return [asdict(row) for row in self.conditions]


def figures(scored: pl.DataFrame, labels: pl.DataFrame, *, interval_us: int, window: int) -> Figures:
    """Judge verdicts against the truth.

    `scored`: node, minute, truth (null: not scored), exposed (faulty minutes in the window), verdict, ongoing; a row for
    every minute with a verdict. `labels`: the labels table, for the episodes. `interval_us`, `window`: the interval and the
    number of intervals in a window.
    """
    kept = scored.filter(pl.col("truth").is_not_null())
    clear = kept.filter(CLEAR_WINDOWS)
    episodes = tuple(outcomes(scored, labels, interval_us=interval_us, window=window))
    alarms, normal_us = _false_alarms(scored, interval_us)
    delays = [episode.delay_minutes for episode in episodes if episode.delay_minutes is not None]
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
    """Figures of normal and of every condition in the truth, normal first; other verdicts are misses only."""
    truth, verdict = (np.array(kept[name].cast(pl.String).to_list(), dtype=object) for name in ("truth", "verdict"))
    rows = []
    for condition in [NORMAL, *sorted({*truth.tolist()} - {NORMAL})]:
        real, said = truth == condition, verdict == condition
        both = int((real & said).sum())
        own = [episode for episode in episodes if episode.condition == condition]
        total = int(real.sum() + said.sum())
        rows.append(
            ConditionFigures(
                condition=condition,
                windows=int(real.sum()),
                precision=both / int(said.sum()) if said.any() else None,
                recall=both / int(real.sum()) if real.any() else 0.0,
                f1=2 * both / total if total else 0.0,
                episodes=len(own),
                found=sum(episode.found for episode in own),
                delay_median_minutes=nearest_rank([episode.delay_minutes for episode in own if episode.delay_minutes is not None], 0.5),
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


def _share(marks: list[bool]) -> float | None:
    return sum(marks) / len(marks) if marks else None


def _macro(rows: list[ConditionFigures]) -> float:
    return float(np.mean([row.f1 for row in rows]))


def _false_alarms(scored: pl.DataFrame, interval_us: int) -> tuple[int, int]:
    """Incidents that begin in a normal window (`cases.calibration.false_alarms`), and the time (µs) that such windows cover."""
    alarms = normal = 0
    for _, timeline in scored.group_by("node"):
        rows = timeline.sort("minute")
        words = np.array(rows["verdict"].cast(pl.String).to_list(), dtype=object)
        _, verdict = np.unique(words.astype(str), return_inverse=True)
        alarming = (words != NORMAL) & (words != WARMING_UP)
        quiet = (rows["truth"] == NORMAL).fill_null(False).to_numpy()
        minute_us = rows["minute"].dt.epoch("us").to_numpy()
        alarms += false_alarms(verdict, alarming, quiet, minute_us, interval_us)
        normal += int(quiet.sum()) * interval_us
    return alarms, normal
