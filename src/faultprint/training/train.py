"""From minutes and labels to an artefact file: the one way in."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from faultprint.embedding.model_file import save
from faultprint.errors import UsageError
from faultprint.features.catalogue import SIP_CATALOGUE, Catalogue
from faultprint.files import check_folder
from faultprint.training.animation.probe_set import probe_set
from faultprint.training.animation.recorder import EmbeddingAnimation
from faultprint.training.augment.augment import augmented
from faultprint.training.augment.template import FaultTemplate, rare_faults
from faultprint.training.checkpoint import Checkpoint
from faultprint.training.config import Hyperparameters
from faultprint.training.data.dataset import TrainingSet, training_set
from faultprint.training.device import device as found_device
from faultprint.training.device import seeded
from faultprint.training.identity import identity
from faultprint.training.log import Listener
from faultprint.training.loop import Clock, Progress, TrainerState, TrainingPlan, fit
from faultprint.training.models.export import calibrated, model_artifact
from faultprint.training.models.pooled_task import PooledTask
from faultprint.training.models.reference_task import ReferenceTask
from faultprint.training.models.task import TrainingTask
from faultprint.units import MINUTE_US
from faultprint.windows.series import (
    Series,
)

WINDOW: Final = 60
HELD_OUT: Final = 0.2
"""Share of the networks that training never sees: they steer the early stop and calibrate the thresholds."""
_RETELLING: Final = 2
"""Beside the seed, of the generator that tells examples again."""
_FILM: Final = 1
"""Beside the seed, of the generator that draws the windows of a film: filming must change nothing else."""


@dataclass(frozen=True, slots=True)
class Preset:
    """How a preset is made, how long it trains by default, and how many windows of a held-out node calibrate it.

    `tunable`: its task takes `settings`.
    """

    task: Callable[..., TrainingTask]
    plan: TrainingPlan
    calibration_windows: int
    tunable: bool = False

    def made(
        self,
        train: TrainingSet,
        held_out: TrainingSet,
        rng: np.random.Generator,
        settings: Hyperparameters | None = None,
    ) -> TrainingTask:
        """Its task, with other settings than its own where they are given."""
        if settings is None:
            return self.task(train, held_out, rng)
        return self.task(train, held_out, rng, settings=settings)


PRESETS: Final[Mapping[str, Preset]] = {
    "default": Preset(PooledTask, TrainingPlan(epochs=20, steps=40, patience=8), 2000, tunable=True),
    "posts": Preset(ReferenceTask, TrainingPlan(epochs=20, steps=50, patience=8), 100),
    "posts-3d": Preset(
        partial(ReferenceTask, three_dimensions=True), TrainingPlan(epochs=20, steps=50, patience=8), 100
    ),
}


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What came of a training.

    `model` is the artefact's id, `networks` were trained on, `held_out` were not; `score` is the best macro-F1 on these;
    rates count time spent in steps alone; `export_difference` is that between torch and ONNX Runtime; `course` the loop's;
    `retold` are the faults that were told again; `resumed_after` epochs were found done in the checkpoint; `film` is for a
    movie, where one was asked for.
    """

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
    retold: tuple[str, ...] = ()
    resumed_after: int = 0
    film: EmbeddingAnimation | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON; without the film."""
        found = asdict(replace(self, film=None))
        del found["film"]
        return found


def train(
    minutes: pl.DataFrame | Sequence[Series],
    labels: pl.DataFrame,
    out: Path,
    *,
    preset: str = "default",
    settings: Hyperparameters | None = None,
    seed: int = 1,
    max_seconds: float | None = None,
    epochs: int | None = None,
    progress: Progress | None = None,
    catalogue: Catalogue = SIP_CATALOGUE,
    interval_us: int = MINUTE_US,
    augment_rare: int = 0,
    templates: Sequence[FaultTemplate] = (),
    checkpoint: Path | None = None,
    record_animation: bool = False,
    listeners: Sequence[Listener] = (),
    presets: Mapping[str, Preset] = PRESETS,
    device: str = "cpu",
    clock: Clock = time.perf_counter,
) -> TrainingReport:
    """Train `preset` on a MINUTES (or its nodes' series) and a LABELS table and leave the artefact at `out`.

    A fifth of the networks (one at least) is held out by `seed`. Same tables, seed and number of epochs: same weights.
    `settings` are those of the default preset, where they are to be others than its own.
    Faults of which the labels give no more than `retell` examples are told again on all nodes that are trained on, and so are
    `tales`, examples from elsewhere (`training.retelling`).
    `max_seconds` bounds training and scoring, not the export; with it, and without `epochs`, training goes on until the time
    is spent. After every epoch all is written to `checkpoint`, from which a call with the same arguments goes on, a few
    hundred windows are embedded if the training is `filmed`, and the `listeners` are told. `presets` may hold others than the
    product's. `device` is one of `training.device.DEVICES`; weights are the same again on the same kind of device, save that a
    training resumed on a GPU drops other units than one that was not killed. `clock` gives the seconds that `max_seconds`
    counts. Raises TableError, LabelError or UsageError.
    """
    if preset not in presets:
        raise UsageError(f"There is no preset {preset!r}; take one of {', '.join(presets)}.")
    chosen = presets[preset]
    if settings and not chosen.tunable:
        raise UsageError(f"The preset {preset!r} has no settings; leave them out, or train the preset 'default'.")
    in_force = settings or (Hyperparameters() if chosen.tunable else None)
    plan = chosen.plan.bounded(max_seconds, epochs)
    check_folder(out)
    further = {tale.condition for tale in templates}
    everything = training_set(minutes, labels, catalogue, window=WINDOW, interval_us=interval_us, further=further)
    rng = np.random.default_rng(seed)
    held = _held_out(everything, rng)
    if every := [*(rare_faults(everything, labels, augment_rare) if augment_rare else ()), *templates]:
        everything = augmented(everything, labels, every, np.random.default_rng([seed, _RETELLING]), but=held)
    told = tuple(sorted({tale.condition for tale in every}))
    seen, held_out = everything.of(frozenset(everything.networks) - held), everything.of(held)
    where = found_device(device)
    with seeded(seed, where):
        task = chosen.made(seen, held_out, rng, settings)
        film = EmbeddingAnimation(probe_set(seen, held_out, np.random.default_rng([seed, _FILM]))) if record_animation else None
        of = identity(preset, seed, plan, everything, settings=in_force)
        kept = Checkpoint(checkpoint, of, task, rng, film) if checkpoint else None
        standing = kept.restore() if kept else None
        resumed_after = len(standing.course.epochs) if standing else 0
        course = fit(task, plan, progress, clock, standing=standing, after=_after_epoch(task, film, kept, listeners))
        task.network.cpu()
    record = {
        "seed": seed,
        "device": where.type,
        "networks": list(seen.networks),
        "held_out": list(held_out.networks),
        **({"retold": list(told)} if told else {}),
        **({"settings": in_force.as_dict()} if in_force else {}),
        **course.as_dict(),
    }
    artefact, difference = model_artifact(task, preset, seen, interval_us, record)
    artefact = calibrated(artefact, seen, held_out, rng, chosen.calibration_windows)
    save(artefact, out)
    best = course.epochs[course.best_epoch]
    return TrainingReport(
        preset=preset,
        seed=seed,
        path=str(out),
        model=artefact.id,
        conditions=everything.conditions,
        networks=seen.networks,
        held_out=held_out.networks,
        score=best.score,
        effective_dimensions=best.effective_dimensions,
        windows_per_second=course.windows / course.step_seconds,
        triplets_per_second=course.triplets / course.step_seconds,
        export_difference=difference,
        course=course.as_dict(),
        retold=told,
        resumed_after=resumed_after,
        film=film,
    )


def _after_epoch(
    task: TrainingTask, film: EmbeddingAnimation | None, kept: Checkpoint | None, listeners: Sequence[Listener]
) -> Callable[[TrainerState], None]:
    look = task.watch(film.watched) if film else None

    def after(standing: TrainerState) -> None:
        course = standing.course
        if film and look:
            film.add(len(course.epochs), look(), course.best_epoch + 1)
        for listener in listeners:
            listener(course)
        # Last: what a listener has not been told is not done.
        if kept:
            kept.save(standing)

    return after


def _held_out(everything: TrainingSet, rng: np.random.Generator) -> frozenset[str]:
    """The networks that training never sees."""
    names = list(everything.networks)
    if len(names) < 2:
        raise UsageError(
            f"There is only network {names[0]!r}, but one is trained on and another held out to judge by; "
            "give minutes of two or more."
        )
    count = max(1, round(HELD_OUT * len(names)))
    return frozenset(names[i] for i in rng.permutation(len(names))[:count])
