"""Calibration: distances on held-out networks, from which the case library derives its thresholds.

They are measured as in operation: a normal hour of a held-out node gives its profile and its normal mean. The references are
the mean vectors of the training networks. The vectors come from the exported graphs on ONNX Runtime.

    normal_distance      ‖v‖ of normal windows (v: vector minus normal mean)
    fault_distance       ‖v − r‖ of fault windows to the reference r of their own fault
    fault_to_normal      ‖v‖ of fault windows
    normal_ratio         distance to the nearest fault's reference over ‖v‖, for normal windows; correct if above 1
    normal_margin        ‖v‖ minus the distance to the nearest fault's reference, for normal windows; correct if below 0
    fault_margin         ‖v‖ minus the distance to the own fault's reference, for fault windows; correct if above 0
    runner_up_margin     distance to the nearest reference of another condition minus that to the own, for fault windows

Each is {"quantiles": values at QUANTILES, "windows": number of windows}. Fault windows hold ten or more faulty minutes.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from faultprint.arrays import Float32Array, IntArray
from faultprint.embedding.model import Model
from faultprint.training.data.dataset import NORMAL_CODE, TrainingNode, TrainingSet
from faultprint.training.data.window_index import MIN_FAULT_MINUTES, WindowIndex
from faultprint.training.score import centroids
from faultprint.windows.series import Series

QUANTILES: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999)
PROFILES: Final = 3
"""Number of different normal hours that give the profile of every held-out node."""
_MIN_DISTANCE: Final = 1e-6
"""Smallest distance to normal in a ratio."""


def calibrate(
    model: Model, train: TrainingSet, held_out: TrainingSet, rng: np.random.Generator, max_windows: int
) -> dict[str, Any]:
    """The manifest's `calibration`.

    For each profile of a held-out node at most `max_windows` windows are measured. A reference is the mean of `max_windows` / 10
    windows.
    """
    known = _references(model, train, rng, max_windows // 10)
    vectors, code = _embed_held_out(model, held_out, rng, max_windows)
    distance = np.sqrt(np.maximum(((vectors[:, None] - known[None]) ** 2).sum(axis=2), 0))
    normal, fault = code == NORMAL_CODE, (code != NORMAL_CODE) & ~np.isnan(known[code]).any(axis=1)
    rows = np.flatnonzero(fault)
    to_own = distance[rows, code[rows]]
    to_others = distance[rows].copy()
    to_others[np.arange(len(rows)), code[rows]] = np.nan
    to_normal = distance[:, NORMAL_CODE]
    nearest_fault = np.nanmin(distance[:, 1:], axis=1)
    measured = {
        "normal_distance": to_normal[normal],
        "fault_distance": to_own,
        "fault_to_normal": to_normal[rows],
        "normal_ratio": nearest_fault[normal] / np.maximum(to_normal[normal], _MIN_DISTANCE),
        "normal_margin": to_normal[normal] - nearest_fault[normal],
        "fault_margin": to_normal[rows] - to_own,
        "runner_up_margin": np.nanmin(to_others, axis=1) - to_own if len(rows) else to_own,
    }
    summary = {name: _summary(values) for name, values in measured.items()}
    return {"levels": list(QUANTILES), "networks": len(held_out.networks), "profile_minutes": model.window, **summary}


def _summary(values: npt.NDArray[Any]) -> dict[str, Any]:
    quantiles = np.quantile(values, QUANTILES) if len(values) else np.zeros(0)
    return {"quantiles": [round(float(q), 6) for q in quantiles], "windows": len(values)}


def _references(model: Model, train: TrainingSet, rng: np.random.Generator, count: int) -> Float32Array:
    """(K, D) mean vectors over the training networks. Every node has the profile of a random normal hour."""
    windows = WindowIndex(train)
    drawn = [(code, *windows.draw(code, rng)) for code in windows.codes if code != NORMAL_CODE for _ in range(count)]
    vectors, codes = [], []
    for index in sorted({node for _, node, _ in drawn}):
        node = train.nodes[index]
        ends = np.array(sorted({end for _, i, end in drawn if i == index}), dtype=np.int64)
        baseline = model.baseline(_random_normal_hour(node, rng, model.window))
        embedded = model.embed(node.series, baseline.profile, ends=ends)
        vectors.append(embedded.vectors - baseline.mean)
        codes.append(node.code[embedded.last_minute].astype(np.int64))
    return centroids(np.concatenate(vectors), np.concatenate(codes), len(train.conditions))


def _random_normal_hour(node: TrainingNode, rng: np.random.Generator, window: int) -> Series:
    hour = int(rng.choice(node.normal_hours))
    return node.series.slice(hour, hour + window)


def _embed_held_out(
    model: Model, held_out: TrainingSet, rng: np.random.Generator, max_windows: int
) -> tuple[Float32Array, IntArray]:
    """Vectors (N, D) of held-out windows, relative to the normal mean of their node, and their codes (N,)."""
    vectors, codes = [], []
    for node in held_out.nodes:
        clear_fault = (node.code > NORMAL_CODE) & (node.fault_minutes >= MIN_FAULT_MINUTES)
        ends = np.flatnonzero((node.code == NORMAL_CODE) | clear_fault)
        if len(ends) > max_windows:
            ends = np.sort(rng.choice(ends, size=max_windows, replace=False))
        for _ in range(PROFILES):
            baseline = model.baseline(_random_normal_hour(node, rng, model.window))
            embedded = model.embed(node.series, baseline.profile, ends=ends)
            vectors.append(embedded.vectors - baseline.mean)
            codes.append(node.code[embedded.last_minute].astype(np.int64))
    return np.concatenate(vectors), np.concatenate(codes)
