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
from faultprint.reports.html import plain
from faultprint.tables import MAINTENANCE, NORMAL, RECOVERY, UNKNOWN, WARMING_UP
from faultprint_lab.baselines.compare import SystemResult

_DAY_MS: Final = 86_400_000
_POINTS_OF_NORMAL: Final = 700
_POINTS: Final = 2500


def conditions(outcomes: Sequence[SystemResult], references: Sequence[Reference]) -> list[str]:
    """All conditions in the order in which they are listed: normal, faults by name, then what is no fault."""
    words = {NORMAL, UNKNOWN, *(reference.condition for reference in references)}
    for outcome in outcomes:
        for name in ("truth", "verdict"):
            words |= {str(word) for word in outcome.scored[name].drop_nulls().unique()}
    last = (RECOVERY, MAINTENANCE, UNKNOWN, WARMING_UP)
    return [NORMAL, *sorted(words - {NORMAL, *last}), *(word for word in last if word in words)]


def system(
    outcome: SystemResult, name: str, evidence: Mapping[tuple[str, datetime], Sequence[str]] | None = None
) -> dict[str, Any]:
    """One system's figures and tables; `evidence` by (node, onset) of the episode."""
    found = outcome.figures
    episodes = [
        _episode(episode, (evidence or {}).get((episode.node, episode.start), ())) for episode in found.outcomes
    ]
    return {
        "key": outcome.name,
        "name": name,
        "figures": found.summary() | {"outcomes": episodes},
        "conditions": [asdict(row) for row in found.conditions],
        "confusion": found.confusion,
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
    """One node's lanes: (name, frame with node and minute, column with the words) from top to bottom.

    The first lane gets a shadow from each moment in `ended` on, where a fault is over and only the window remembers it.
    """
    step = interval_us // 1000
    drawn: list[dict[str, Any]] = []
    begin, end = [], []
    for name, frame, column in lanes:
        rows = frame.filter(pl.col("node").cast(pl.String) == node).sort("minute")
        minute_ms = rows["minute"].dt.epoch("ms").to_numpy()
        words = rows[column].cast(pl.String).to_list()
        drawn.append({"name": name, "runs": runs(minute_ms, words, step), "shadow": []})
        begin.append(int(minute_ms[0]))
        end.append(int(minute_ms[-1]) + step)
    moments = [milliseconds(moment) for moment in ended]
    drawn[0]["shadow"] = [[moment, moment + (window - 1) * step] for moment in moments]
    return {"node": node, "start": min(begin), "end": max(end), "day_ms": _DAY_MS, "lanes": drawn}


def runs(minute_ms: IntArray, words: Sequence[str | None], step: int) -> list[list[Any]]:
    """[[start ms, end ms, word], …]: stretches of one word, parted by gaps; without a word there is no stretch."""
    found: list[list[Any]] = []
    for at, word in zip(minute_ms.tolist(), words, strict=True):
        if found and found[-1][2] == word and found[-1][1] == at:
            found[-1][1] = at + step
        else:
            found.append([at, at + step, word])
    return [run for run in found if run[2] is not None]


def cloud(vectors: Float32Array, table: pl.DataFrame, references: Sequence[Reference], seed: int) -> dict[str, Any]:
    """The windows' vectors (N, D) and the references, on the three axes along which the windows differ most (PCA).

    `table` has a row a vector: node, minute, truth, verdict. Windows without a truth are left out.
    """
    truth = np.array(table["truth"].to_list(), dtype=object)
    chosen = _sample(truth, np.random.default_rng(seed))
    kept = vectors[chosen].astype(np.float64)
    _, size, axes = np.linalg.svd(kept - kept.mean(axis=0), full_matrices=False)
    axes = axes[:3]
    explained = round(100 * float((size[:3] ** 2).sum() / (size**2).sum()))
    taught = np.array([reference.vector for reference in references], np.float64).reshape(len(references), -1)
    words = [f"reference: {plain(one.condition)}<br>taught by {plain(one.node)}" for one in references]
    return {
        "groups": _groups(kept @ axes.T, truth[chosen], table[chosen]),
        "references": {
            **_axes(np.vstack([np.zeros((1, len(axes))), taught @ axes.T])),
            "condition": [NORMAL, *(reference.condition for reference in references)],
            "text": ["the node's own normal", *words],
        },
        "text": f"Every point is an hour of a node's traffic, its {vectors.shape[1]} numbers drawn on the three axes "
        f"along which they differ most ({explained} % of the variation), coloured by what was true. Diamonds are the "
        "references: the nearest one gives the verdict (in all dimensions, not in three). A node's own normal lies "
        "at the diamond named normal. Drag to turn, scroll to zoom.",
    }


def _groups(points: Float64Array, truth: NDArray[np.object_], table: pl.DataFrame) -> list[dict[str, Any]]:
    """The points of each condition, normal first, with what to show on hovering."""
    moments = table["minute"].dt.strftime("%Y-%m-%d %H:%M").to_list()
    verdicts = table["verdict"].to_list()
    groups = []
    for condition in [NORMAL, *sorted({*truth} - {NORMAL})]:
        here = np.flatnonzero(truth == condition)
        words = [f"{moments[i]}<br>truth: {plain(condition)}<br>verdict: {plain(verdicts[i])}" for i in here]
        groups.append({"condition": condition, **_axes(points[here]), "text": words})
    return groups


def _axes(points: Float64Array) -> dict[str, list[float]]:
    padded = np.zeros((len(points), 3))
    padded[:, : points.shape[1]] = points
    return {name: [round(float(value), 4) for value in padded[:, index]] for index, name in enumerate("xyz")}


def _sample(truth: NDArray[np.object_], rng: np.random.Generator) -> IntArray:
    known = truth != None  # noqa: E711 - elementwise
    normal, faulty = np.flatnonzero(truth == NORMAL), np.flatnonzero(known & (truth != NORMAL))
    normal = rng.permutation(normal)[:_POINTS_OF_NORMAL]
    faulty = rng.permutation(faulty)[: _POINTS - len(normal)]
    return np.sort(np.concatenate([normal, faulty]))
