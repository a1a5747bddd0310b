"""The movie of a training: the watched windows' vectors after every epoch, on three axes that stay, as one HTML page."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from faultprint.arrays import Float32Array
from faultprint.errors import UsageError
from faultprint.files import check_folder, replacing
from faultprint.reports import html
from faultprint.reports.html import plain
from faultprint.training.animation.probe_set import ProbeSet
from faultprint.training.animation.recorder import EmbeddingAnimation
from faultprint.training.data.dataset import NORMAL_CODE
from faultprint.training.score import nearest, references
from faultprint.training.train import TrainingReport

SUFFIX: Final = ".html"
_UNITS: Final = 1000
"""Whole numbers from the origin to the furthest point: finer than a screen shows, and short to write."""
_ROOM: Final = 40
"""Units around the outermost points."""


def check(path: Path) -> None:
    """Raise UsageError unless a movie can be written there."""
    if path.suffix.lower() != SUFFIX:
        raise UsageError(f"A movie is an HTML page, but {path} does not end in {SUFFIX}; give it such a name.")
    check_folder(path)


def write(training: TrainingReport, path: Path) -> None:
    """Write the movie of a filmed training to `path`, all or nothing."""
    text = html.filled("animation", ["report.css", "animation.css"], page(training))
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def page(training: TrainingReport) -> dict[str, Any]:
    """The page's data: who is shown, where everything is in every frame, and the course of the training.

    Places are whole numbers x, y, z, x, …, within the same `ranges` of x, y and z in all frames; `kept` is the number of epochs
    after which the weights were kept.
    """
    film = training.film
    assert film is not None
    who, done = film.watched, sorted(film.frames)
    kept = min(done, key=lambda number: abs(number - training.course["best_epoch"] - 1))
    axes, drawn_on = _axes(film.frames[kept], kept)
    known = [references(film.frames[n][~who.held_out], who.code[~who.held_out], len(who.conditions)) for n in done]
    drawn = np.stack([film.frames[number] @ axes.T for number in done])
    scale = _UNITS / (float(np.abs(drawn).max()) or 1.0)
    low, high = drawn.min(axis=(0, 1)) * scale, drawn.max(axis=(0, 1)) * scale
    return {
        "title": "The training, epoch by epoch",
        "facts": _facts(training, who),
        "axes": drawn_on,
        "conditions": list(who.conditions),
        "code": who.code.tolist(),
        "held_out": who.held_out.astype(int).tolist(),
        "text": _words(who),
        "ranges": [[round(a) - _ROOM, round(b) + _ROOM] for a, b in zip(low.tolist(), high.tolist(), strict=True)],
        "kept": kept,
        "frames": [
            {
                "done": number,
                "points": _whole(places * scale),
                "marks": [None if np.isnan(mark).any() else _whole(mark @ axes.T * scale) for mark in marks],
                "right": _right(film, number, marks),
            }
            for number, places, marks in zip(done, drawn, known, strict=True)
        ],
        "epochs": training.course["epochs"],
        "stopped": training.course["stopped"],
    }


def _axes(vectors: Float32Array, kept: int) -> tuple[Float32Array, str]:
    """(3, D) the axes that all frames are drawn on, and what to say of them.

    Principal axes, not linear discriminants: these know the labels and stretch the space, so that they part conditions in the
    picture that the matching, which goes by plain distances, cannot part.
    """
    count = vectors.shape[1]
    if count == 3:
        return np.eye(3, dtype=np.float32), "The network gives three numbers, which are the three axes."
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    _, size, axes = np.linalg.svd(centred, full_matrices=False)
    explained = round(100 * float((size[:3] ** 2).sum() / ((size**2).sum() or 1.0)))
    text = (
        f"The network gives {count} numbers. They are drawn on the three axes along which these hours differ most after epoch "
        f"{kept}, whose weights were kept (principal components, {explained} % of the variation). Such axes only turn the "
        "space: they know no labels and nothing is drawn further apart than it is."
    )
    return axes[:3].astype(np.float32), text


def _whole(places: Float32Array) -> list[int]:
    whole: list[int] = np.rint(places).astype(np.int64).ravel().tolist()
    return whole


def _right(film: EmbeddingAnimation, number: int, known: Float32Array) -> list[float | None]:
    """Share of the windows that are nearest to their own condition's mark: of those trained on, of those held out."""
    who = film.watched
    hit = nearest(film.frames[number], known) == who.code
    parts = (hit[~who.held_out], hit[who.held_out])
    return [round(float(part.mean()), 4) if len(part) else None for part in parts]


def _facts(training: TrainingReport, who: ProbeSet) -> list[list[str]]:
    return [
        ["preset", training.preset],
        ["trained on", _networks(len(training.networks))],
        ["held out", _networks(len(training.held_out))],
        ["shown", f"{len(who.node)} hours, the same in every epoch"],
        ["seed", str(training.seed)],
    ]


def _networks(count: int) -> str:
    return f"{count} network{'s' * (count > 1)}"


def _words(who: ProbeSet) -> list[str]:
    """What to show on hovering over every window."""
    words = []
    for index, end, code, exposed, held in zip(who.node, who.end, who.code, who.exposed, who.held_out, strict=True):
        series = who.nodes[index].series
        moment = datetime.fromtimestamp(int(series.minute_us[end]) / 1e6, UTC)
        faulty = "" if code == NORMAL_CODE else f", {exposed} faulty minutes"
        side = "held out" if held else "trained on"
        words.append(f"{plain(series.node)}, hour to {moment:%Y-%m-%d %H:%M}{faulty}<br>{side}")
    return words
