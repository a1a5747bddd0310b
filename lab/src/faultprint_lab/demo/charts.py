"""What the report shows, as plain data: lanes of verdicts, the vectors in three dimensions, tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from faultprint.arrays import Float32Array, Float64Array, IntArray
from faultprint.cases.reference import Reference
from faultprint.evaluation.episodes import Episode
from faultprint.reports.html import escape_plotly
from faultprint.tables import MAINTENANCE, NO_TRAFFIC, NORMAL, RECOVERY, UNKNOWN, WARMING_UP
from faultprint_lab.baselines.compare import SystemResult

_DAY_MS: Final = 86_400_000
_POINTS_OF_NORMAL: Final = 700
_POINTS: Final = 2500


def conditions(results: Sequence[SystemResult], references: Sequence[Reference]) -> list[str]:
    """All conditions in the order of the legend: normal, faults by name, then conditions that are no fault."""
    names = {NORMAL, UNKNOWN, *(reference.condition for reference in references)}
    for result in results:
        for column in ("truth", "verdict"):
            names |= {str(name) for name in result.scored[column].drop_nulls().unique()}
    last = (RECOVERY, MAINTENANCE, UNKNOWN, NO_TRAFFIC, WARMING_UP)
    return [NORMAL, *sorted(names - {NORMAL, *last}), *(name for name in last if name in names)]


def system(
    result: SystemResult, name: str, evidence: Mapping[tuple[str, datetime], Sequence[str]] | None = None
) -> dict[str, Any]:
    """Figures and tables of one system; `evidence` is by (node, onset) of the episode."""
    figures = result.figures
    episodes = [
        _episode(episode, (evidence or {}).get((episode.node, episode.start), ())) for episode in figures.outcomes
    ]
    return {
        "key": result.name,
        "name": name,
        "figures": figures.summary() | {"outcomes": episodes},
        "conditions": [asdict(row) for row in figures.conditions],
        "confusion": figures.confusion,
    }


def _episode(episode: Episode, evidence: Sequence[str]) -> dict[str, Any]:
    times = {"start": milliseconds(episode.start), "end": milliseconds(episode.end)}
    return asdict(episode) | times | {"evidence": list(evidence)}


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def track(
    node: str,
    lanes: Sequence[tuple[str, pl.DataFrame, str]],
    interval_us: int,
    *,
    ended: Sequence[datetime] = (),
    window: int = 1,
) -> dict[str, Any]:
    """The lanes of one node, from top to bottom: (name, frame with node and minute, column of conditions).

    The first lane has a shadow after each moment in `ended`: the fault is over, but the window still holds it.
    """
    step = interval_us // 1000
    drawn: list[dict[str, Any]] = []
    begin, end = [], []
    for name, frame, column in lanes:
        rows = frame.filter(pl.col("node").cast(pl.String) == node).sort("minute")
        minute_ms = rows["minute"].dt.epoch("ms").to_numpy()
        conditions = rows[column].cast(pl.String).to_list()
        drawn.append({"name": name, "runs": runs(minute_ms, conditions, step), "shadow": []})
        begin.append(int(minute_ms[0]))
        end.append(int(minute_ms[-1]) + step)
    moments = [milliseconds(moment) for moment in ended]
    drawn[0]["shadow"] = [[moment, moment + (window - 1) * step] for moment in moments]
    return {"node": node, "start": min(begin), "end": max(end), "day_ms": _DAY_MS, "lanes": drawn}


def runs(minute_ms: IntArray, conditions: Sequence[str | None], step: int) -> list[list[Any]]:
    """[[start ms, end ms, condition], …]: intervals of one condition without a gap; minutes without a condition are in none."""
    intervals: list[list[Any]] = []
    for start, condition in zip(minute_ms.tolist(), conditions, strict=True):
        if intervals and intervals[-1][2] == condition and intervals[-1][1] == start:
            intervals[-1][1] = start + step
        else:
            intervals.append([start, start + step, condition])
    return [run for run in intervals if run[2] is not None]


def cloud(vectors: Float32Array, table: pl.DataFrame, references: Sequence[Reference], seed: int) -> dict[str, Any]:
    """The vectors (N, D) of windows and the references, on the three principal axes of the windows (PCA).

    `table` has one row for each vector: node, minute, truth, verdict. Windows without a truth are left out.
    """
    truth = np.array(table["truth"].to_list(), dtype=object)
    chosen = _sample(truth, np.random.default_rng(seed))
    selected = vectors[chosen].astype(np.float64)
    _, size, axes = np.linalg.svd(selected - selected.mean(axis=0), full_matrices=False)
    axes = axes[:3]
    explained = round(100 * float((size[:3] ** 2).sum() / (size**2).sum()))
    vectors_of_references = np.array([reference.vector for reference in references], np.float64).reshape(
        len(references), -1
    )
    texts = [
        f"reference: {escape_plotly(reference.condition)}<br>from {escape_plotly(reference.node)}"
        for reference in references
    ]
    return {
        "groups": _groups(selected @ axes.T, truth[chosen], table[chosen]),
        "references": {
            **_axes(np.vstack([np.zeros((1, len(axes))), vectors_of_references @ axes.T])),
            "condition": [NORMAL, *(reference.condition for reference in references)],
            "text": ["baseline of the node", *texts],
        },
        "text": f"Every point is one hour of a node's traffic: {vectors.shape[1]} numbers, drawn on the three axes with the "
        f"largest variance ({explained} % of the variance). Its colour is the true condition. Diamonds are the references; the "
        "nearest reference in all dimensions gives the verdict. The normal traffic of every node is at the diamond named "
        "normal. Drag to turn, scroll to zoom.",
    }


def _groups(points: Float64Array, truth: NDArray[np.object_], table: pl.DataFrame) -> list[dict[str, Any]]:
    """The points of each condition, normal first, with texts to show on hovering."""
    moments = table["minute"].dt.strftime("%Y-%m-%d %H:%M").to_list()
    verdicts = table["verdict"].to_list()
    groups = []
    for condition in [NORMAL, *sorted({*truth} - {NORMAL})]:
        rows = np.flatnonzero(truth == condition)
        texts = [
            f"{moments[i]}<br>truth: {escape_plotly(condition)}<br>verdict: {escape_plotly(verdicts[i])}" for i in rows
        ]
        groups.append({"condition": condition, **_axes(points[rows]), "text": texts})
    return groups


def _axes(points: Float64Array) -> dict[str, list[float]]:
    padded = np.zeros((len(points), 3))
    padded[:, : points.shape[1]] = points
    return {name: [round(float(value), 4) for value in padded[:, index]] for index, name in enumerate("xyz")}


def _sample(truth: NDArray[np.object_], rng: np.random.Generator) -> IntArray:
    labelled = truth != None  # noqa: E711 - elementwise
    normal, faulty = np.flatnonzero(truth == NORMAL), np.flatnonzero(labelled & (truth != NORMAL))
    normal = rng.permutation(normal)[:_POINTS_OF_NORMAL]
    faulty = rng.permutation(faulty)[: _POINTS - len(normal)]
    return np.sort(np.concatenate([normal, faulty]))
