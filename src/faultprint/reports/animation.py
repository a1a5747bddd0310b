"""The page of an embedding animation: the vectors of the probe windows after every epoch, on three fixed axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from faultprint.arrays import Float32Array
from faultprint.errors import UsageError
from faultprint.files import check_folder, replacing
from faultprint.reports import html
from faultprint.reports.html import escape_plotly
from faultprint.training.animation import EmbeddingAnimation, ProbeSet
from faultprint.training.data.dataset import NORMAL_CODE
from faultprint.training.score import centroids, nearest_centroid
from faultprint.training.train import TrainingReport
from faultprint.units import moment

SUFFIX: Final = ".html"
_UNITS: Final = 1000
"""Distance of the farthest point from the origin, in whole numbers: finer than a screen shows, and short in JSON."""
_MARGIN: Final = 40
"""Units around the outermost points."""


def check(path: Path) -> None:
    """Raise UsageError if no animation can be written to `path`."""
    if path.suffix.lower() != SUFFIX:
        raise UsageError(f"An animation is an HTML page, but {path} does not end in {SUFFIX}; give a name that does.")
    check_folder(path)


def write(training: TrainingReport, path: Path) -> None:
    """Write the animation of a training to `path`. The file is replaced as a whole."""
    text = html.fill_page("animation", ["report.css", "animation.css"], page_data(training))
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def page_data(training: TrainingReport) -> dict[str, Any]:
    """The data of the page: the windows, their positions in every frame, and the metrics of every epoch.

    Positions are whole numbers x, y, z, x, …, within the same `ranges` of x, y and z in all frames. `kept` is the number of
    epochs after which the weights were saved.
    """
    animation = training.animation
    assert animation is not None
    probes, frames = animation.probes, sorted(animation.frames)
    kept = min(frames, key=lambda number: abs(number - training.history["best_epoch"] - 1))
    axes, axes_text = _axes(animation.frames[kept], kept)
    code, conditions = probes.code[~probes.held_out], len(probes.conditions)
    marks = [centroids(animation.frames[number][~probes.held_out], code, conditions) for number in frames]
    projected = np.stack([animation.frames[number] @ axes.T for number in frames])
    scale = _UNITS / (float(np.abs(projected).max()) or 1.0)
    low, high = projected.min(axis=(0, 1)) * scale, projected.max(axis=(0, 1)) * scale
    return {
        "title": "Embedding animation",
        "facts": _facts(training, probes),
        "axes": axes_text,
        "conditions": list(probes.conditions),
        "code": probes.code.tolist(),
        "held_out": probes.held_out.astype(int).tolist(),
        "text": _tooltips(probes),
        "ranges": [[round(a) - _MARGIN, round(b) + _MARGIN] for a, b in zip(low.tolist(), high.tolist(), strict=True)],
        "kept": kept,
        "frames": [
            {
                "done": number,
                "points": _whole(points * scale),
                "marks": [None if np.isnan(mark).any() else _whole(mark @ axes.T * scale) for mark in frame_marks],
                "right": _correct_shares(animation, number, frame_marks),
            }
            for number, points, frame_marks in zip(frames, projected, marks, strict=True)
        ],
        "epochs": training.history["epochs"],
        "stopped": training.history["stopped"],
    }


def _axes(vectors: Float32Array, kept: int) -> tuple[Float32Array, str]:
    """(3, D) the axes of all frames, and a text about them.

    They are principal axes. Linear discriminants would use the labels and distort the space, so the picture would separate
    conditions that matching, which uses plain distances, cannot separate.
    """
    count = vectors.shape[1]
    if count == 3:
        return np.eye(3, dtype=np.float32), "The vectors have three dimensions, which are the three axes."
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    _, size, axes = np.linalg.svd(centred, full_matrices=False)
    explained = round(100 * float((size[:3] ** 2).sum() / ((size**2).sum() or 1.0)))
    text = (
        f"The vectors have {count} dimensions. The axes are the first three principal components after epoch {kept}, whose "
        f"weights were saved ({explained} % of the variance). They only rotate the space and use no labels."
    )
    return axes[:3].astype(np.float32), text


def _whole(positions: Float32Array) -> list[int]:
    whole: list[int] = np.rint(positions).astype(np.int64).ravel().tolist()
    return whole


def _correct_shares(animation: EmbeddingAnimation, number: int, marks: Float32Array) -> list[float | None]:
    """Shares of the training and of the held-out windows that are nearest to the mark of their own condition."""
    probes = animation.probes
    correct = nearest_centroid(animation.frames[number], marks) == probes.code
    sides = (correct[~probes.held_out], correct[probes.held_out])
    return [round(float(side.mean()), 4) if len(side) else None for side in sides]


def _facts(training: TrainingReport, probes: ProbeSet) -> list[list[str]]:
    return [
        ["preset", training.preset],
        ["training", _networks(len(training.networks))],
        ["held out", _networks(len(training.held_out))],
        ["points", f"{len(probes.node)} hours, the same in every epoch"],
        ["seed", str(training.seed)],
    ]


def _networks(count: int) -> str:
    return f"{count} network{'s' * (count > 1)}"


def _tooltips(probes: ProbeSet) -> list[str]:
    """The tooltip of every window."""
    texts = []
    for index, end, code, fault_minutes, held_out in zip(
        probes.node, probes.end, probes.code, probes.fault_minutes, probes.held_out, strict=True
    ):
        series = probes.nodes[index].series
        last = moment(int(series.minute_us[end]))
        faulty = "" if code == NORMAL_CODE else f", {fault_minutes} faulty minutes"
        side = "held out" if held_out else "training"
        texts.append(f"{escape_plotly(series.node)}, hour to {last:%Y-%m-%d %H:%M}{faulty}<br>{side}")
    return texts
