"""From minutes and labels to an artefact file: the one way in."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
import onnxruntime
import polars as pl
import torch

import faultprint
from faultprint.embedding.artefact import Artefact, Manifest, save
from faultprint.embedding.model import Model
from faultprint.errors import ModelError, UsageError
from faultprint.features.catalogue import SIP_CATALOGUE, Catalogue
from faultprint.training.calibration import calibrate
from faultprint.training.loop import Course, Plan, Progress, fit
from faultprint.training.material import Material, material
from faultprint.training.onnx_graph import pooled_graphs, posts_graphs
from faultprint.training.pooled_task import PooledTask
from faultprint.training.posts_task import PostsTask
from faultprint.windows.levels import SPANS
from faultprint.windows.series import MINUTE_US

Preset = Literal["default", "posts", "posts-3d"]
PRESETS: Final[tuple[Preset, ...]] = get_args(Preset)

WINDOW: Final = 60
HELD_OUT: Final = 0.2
"""Share of the networks that training never sees: they steer the early stop and calibrate the thresholds."""
TOLERANCE: Final = 1e-5
"""Largest difference between torch's and ONNX Runtime's vectors that is let pass, against vectors of length about 1."""
_PLANS: Final[Mapping[Preset, Plan]] = {
    "default": Plan(epochs=12, steps=60, patience=5),
    "posts": Plan(epochs=20, steps=50, patience=8),
    "posts-3d": Plan(epochs=20, steps=50, patience=8),
}


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What came of a training: `course` is the loop's, `score` the best macro-F1 on the networks held out."""

    preset: str
    seed: int
    path: str
    model: str
    conditions: tuple[str, ...]
    networks: tuple[str, ...]
    held_out: tuple[str, ...]
    score: float
    effective_dimensions: float
    windows_per_second: float
    triplets_per_second: float
    export_difference: float
    course: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def train(
    minutes: pl.DataFrame,
    labels: pl.DataFrame,
    out: Path,
    *,
    preset: str = "default",
    seed: int = 1,
    max_seconds: float | None = None,
    epochs: int | None = None,
    progress: Progress | None = None,
    catalogue: Catalogue = SIP_CATALOGUE,
    interval_us: int = MINUTE_US,
) -> TrainingReport:
    """Train `preset` on a MINUTES and a LABELS table and leave the artefact at `out`.

    A fifth of the networks (one at least) is held out by `seed`. Same tables, seed and number of steps: same weights.
    `max_seconds` bounds training and scoring, not the export. Raises TableError, LabelError or UsageError.
    """
    if preset not in PRESETS:
        raise UsageError(f"There is no preset {preset!r}; take one of {', '.join(PRESETS)}.")
    if (max_seconds is not None and max_seconds <= 0) or (epochs is not None and epochs < 1):
        raise UsageError("A training needs at least one epoch and more than no time; give larger bounds.")
    everything = material(minutes, labels, catalogue, window=WINDOW, interval_us=interval_us)
    rng = np.random.default_rng(seed)
    seen, held_out = _split(everything, rng)
    plan = replace(_PLANS[preset], max_seconds=max_seconds)
    if epochs is not None:
        plan = replace(plan, epochs=epochs)
    elif max_seconds is not None:
        plan = replace(plan, epochs=1_000_000)
    with _one_thread(seed):
        task = PooledTask(seen, held_out, rng) if preset == "default" else PostsTask(seen, held_out, rng, three_dimensions=preset == "posts-3d")
        course = fit(task, plan, progress)
        artefact = _artefact(task, preset, everything, interval_us, seed, course, seen, held_out)
        difference = _verify(task, artefact)
    calibration = calibrate(Model(artefact), seen, held_out, rng, most=2000 if preset == "default" else 100)
    artefact = replace(artefact, manifest=replace(artefact.manifest, calibration=calibration))
    save(artefact, out)
    best = course.epochs[course.best_epoch]
    return TrainingReport(
        preset, seed, str(out), artefact.id, everything.conditions, seen.networks, held_out.networks, best.score,
        best.effective_dimensions, course.windows / course.step_seconds, course.triplets / course.step_seconds, difference,
        course.as_dict(),
    )


def _split(everything: Material, rng: np.random.Generator) -> tuple[Material, Material]:
    names = list(everything.networks)
    if len(names) < 2:
        raise UsageError(
            f"There is only network {names[0]!r}, but one is trained on and another held out to judge by; give minutes of two or more."
        )
    count = max(1, round(HELD_OUT * len(names)))
    held = frozenset(names[i] for i in rng.permutation(len(names))[:count])
    return everything.of(frozenset(names) - held), everything.of(held)


@contextmanager
def _one_thread(seed: int) -> Iterator[None]:
    """One torch thread (small models run fastest so) and a seeded torch; both given back afterwards."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.set_num_threads(1)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def _artefact(task, preset, everything, interval_us, seed, course, seen, held_out) -> Artefact:
    pooled = isinstance(task, PooledTask)
    graphs = pooled_graphs(task.network) if isinstance(task, PooledTask) else posts_graphs(task.network)
    record = {
        "seed": seed,
        "conditions": list(everything.conditions),
        "networks": list(seen.networks),
        "held_out": list(held_out.networks),
        "versions": {"faultprint": faultprint.__version__, "python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__, "onnxruntime": onnxruntime.__version__},
        **course.as_dict(),
    }
    manifest = Manifest(
        preset, "pooled" if pooled else "recurrent", everything.catalogue, interval_us, everything.window,
        task.network.dimensions, SPANS if pooled else (), task.people if isinstance(task, PooledTask) else None, record, {},
    )
    return Artefact(manifest, graphs)


def _verify(task, artefact: Artefact) -> float:
    """Largest difference between torch and ONNX Runtime over a held-out node; raises ModelError beyond TOLERANCE."""
    model = Model(artefact)
    expected, found = task.compare(model)
    scale = max(1.0, float(np.abs(expected).max()))
    difference = float(np.abs(expected - found).max()) / scale
    if difference > TOLERANCE:
        raise ModelError(f"The exported graphs differ from the trained network by {difference:.1e}, more than {TOLERANCE:.0e}; nothing was saved.")
    return difference
