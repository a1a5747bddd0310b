"""What the case library needs to set its thresholds: distances on networks that the model was not trained on.

Everything is measured as it will be at work: one hour of a held-out node's normal traffic gives its profile and its normal
mean; references are the training networks' mean vectors; vectors come from the exported graphs on ONNX Runtime.

    normal_distance      ‖v‖ of normal windows (v: vector minus normal mean)
    fault_distance       ‖v − r‖ of fault windows to the reference of their own fault
    fault_to_normal      ‖v‖ of fault windows
    normal_ratio         distance to the nearest fault's reference over ‖v‖, normal windows (above 1: rightly normal)
    normal_margin        ‖v‖ minus distance to the nearest fault's reference, normal windows (below 0: rightly normal)
    fault_margin         ‖v‖ minus distance to their own fault's reference, fault windows (above 0: away from normal)
    runner_up_margin     distance to the nearest reference of another condition, minus that to their own, fault windows

Each is {"quantiles": at QUANTILES, "windows": how many}. Fault windows hold ten exposed minutes or more.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from faultprint.arrays import Float32Array, IntArray
from faultprint.embedding.model import Model
from faultprint.training.data.dataset import NORMAL_CODE, TrainingNode, TrainingSet
from faultprint.training.data.window_index import LEAST_EXPOSED, WindowIndex
from faultprint.training.score import references
from faultprint.windows.series import Series

QUANTILES: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999)
PROFILES: Final = 3
"""Hours of normal traffic tried on every held-out node."""
_NEAREST: Final = 1e-6
"""Distance to normal below which a ratio to it says no more."""


def calibrate(
    model: Model, train: TrainingSet, held_out: TrainingSet, rng: np.random.Generator, most: int
) -> dict[str, Any]:
    """The manifest's `calibration`.

    At most `most` windows of a held-out node are measured under each profile; a reference is the mean of `most` / 10 windows.
    """
    known = _references(model, train, rng, most // 10)
    vectors, code = _as_at_work(model, held_out, rng, most)
    distance = np.sqrt(np.maximum(((vectors[:, None] - known[None]) ** 2).sum(axis=2), 0))
    normal, fault = code == NORMAL_CODE, (code != NORMAL_CODE) & ~np.isnan(known[code]).any(axis=1)
    rows = np.flatnonzero(fault)
    own = distance[rows, code[rows]]
    others = distance[rows].copy()
    others[np.arange(len(rows)), code[rows]] = np.nan
    to_normal = distance[:, NORMAL_CODE]
    nearest_fault = np.nanmin(distance[:, 1:], axis=1)
    measured = {
        "normal_distance": to_normal[normal],
        "fault_distance": own,
        "fault_to_normal": to_normal[rows],
        "normal_ratio": nearest_fault[normal] / np.maximum(to_normal[normal], _NEAREST),
        "normal_margin": to_normal[normal] - nearest_fault[normal],
        "fault_margin": to_normal[rows] - own,
        "runner_up_margin": np.nanmin(others, axis=1) - own if len(rows) else own,
    }
    summary = {name: _summary(values) for name, values in measured.items()}
    return {"levels": list(QUANTILES), "networks": len(held_out.networks), "profile_minutes": model.window, **summary}


def _summary(values: npt.NDArray[Any]) -> dict[str, Any]:
    quantiles = np.quantile(values, QUANTILES) if len(values) else np.zeros(0)
    return {"quantiles": [round(float(q), 6) for q in quantiles], "windows": len(values)}


def _references(model: Model, train: TrainingSet, rng: np.random.Generator, count: int) -> Float32Array:
    """(K, D) mean vectors over the training networks, each node under the profile of an hour."""
    places = WindowIndex(train)
    drawn = [(code, *places.draw(code, rng)) for code in places.codes if code != NORMAL_CODE for _ in range(count)]
    vectors, codes = [], []
    for index in sorted({node for _, node, _ in drawn}):
        node = train.nodes[index]
        ends = np.array(sorted({end for _, i, end in drawn if i == index}), dtype=np.int64)
        normal = model.baseline(_one_hour(node, rng, model.window))
        found = model.embed(node.series, normal.profile, ends=ends)
        vectors.append(found.vectors - normal.mean)
        codes.append(node.code[found.last_minute].astype(np.int64))
    return references(np.concatenate(vectors), np.concatenate(codes), len(train.conditions))


def _one_hour(node: TrainingNode, rng: np.random.Generator, window: int) -> Series:
    hour = int(rng.choice(node.hours))
    return node.series.part(hour, hour + window)


def _as_at_work(
    model: Model, held_out: TrainingSet, rng: np.random.Generator, most: int
) -> tuple[Float32Array, IntArray]:
    vectors, codes = [], []
    for node in held_out.nodes:
        usable = (node.code == NORMAL_CODE) | ((node.code > NORMAL_CODE) & (node.exposed >= LEAST_EXPOSED))
        ends = np.flatnonzero(usable)
        if len(ends) > most:
            ends = np.sort(rng.choice(ends, size=most, replace=False))
        for _ in range(PROFILES):
            normal = model.baseline(_one_hour(node, rng, model.window))
            found = model.embed(node.series, normal.profile, ends=ends)
            vectors.append(found.vectors - normal.mean)
            codes.append(node.code[found.last_minute].astype(np.int64))
    return np.concatenate(vectors), np.concatenate(codes)
