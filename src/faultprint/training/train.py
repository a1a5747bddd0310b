"""Training: from minutes and labels to a model file."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from faultprint.embedding.model_file import ModelArtifact, write_artifact
from faultprint.errors import UsageError
from faultprint.features.catalogue import SIP_CATALOGUE, Catalogue
from faultprint.files import check_folder
from faultprint.progress import Progress
from faultprint.training.animation import EmbeddingAnimation, probe_set
from faultprint.training.augment.augmentation import augment
from faultprint.training.augment.template import rare_faults
from faultprint.training.checkpoint import Checkpoint
from faultprint.training.config import Hyperparameters, TrainingConfig
from faultprint.training.data.dataset import TrainingSet, training_set
from faultprint.training.device import seeded, select_device
from faultprint.training.identity import identity
from faultprint.training.log import Listener
from faultprint.training.loop import Clock, History, TrainerState, fit
from faultprint.training.models.export import calibrate_artifact, model_artifact
from faultprint.training.models.task import TrainingTask
from faultprint.training.presets import PRESETS, Preset
from faultprint.units import MINUTE_US
from faultprint.windows.series import Series

WINDOW: Final = 60
"""Minutes of a window."""
HELD_OUT: Final = 0.2
"""Share of the networks that is held out: they decide on early stopping and calibrate the thresholds."""
_ANIMATION_STREAM: Final = 1
_AUGMENTATION_STREAM: Final = 2
"""Second part of the seeds of separate random generators, so that an animation or augmentation does not change other draws."""


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """The result of a training.

    model                 id of the model
    networks, held_out    networks that it was trained on, and that were held out
    score                 best macro-F1 on the held-out networks
    windows_per_second,
    triplets_per_second   rates of the training steps alone
    export_difference     largest difference between the vectors of torch and ONNX Runtime
    history               `History.as_dict`
    augmented_faults      faults that were augmented
    resumed_after         number of epochs that came from the checkpoint
    animation             the embedding animation, if one was recorded
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
    history: dict[str, Any]
    augmented_faults: tuple[str, ...] = ()
    resumed_after: int = 0
    animation: EmbeddingAnimation | None = None

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON, without the animation."""
        document = asdict(replace(self, animation=None))
        del document["animation"]
        return {_STORED_KEYS.get(name, name): value for name, value in document.items()}


_STORED_KEYS: Final = {"history": "course", "augmented_faults": "retold"}
"""JSON keys of the report that differ from the names here."""


@dataclass(frozen=True, slots=True)
class _Data:
    """The data of a training: all of it, and its parts."""

    complete: TrainingSet
    train: TrainingSet
    held_out: TrainingSet
    augmented_faults: tuple[str, ...]


def train(
    minutes: pl.DataFrame | Sequence[Series],
    labels: pl.DataFrame,
    out: Path,
    config: TrainingConfig = TrainingConfig(),  # noqa: B008 - frozen
    *,
    catalogue: Catalogue = SIP_CATALOGUE,
    interval_us: int = MINUTE_US,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
    record_animation: bool = False,
    listeners: Sequence[Listener] = (),
    presets: Mapping[str, Preset] = PRESETS,
    clock: Clock = time.perf_counter,
) -> TrainingReport:
    """Train on a MINUTES table (or the series of its nodes) and a LABELS table, and write the model file `out`.

    A fifth of the networks, at least one, is held out. The same data and `config` give the same weights on the same kind of
    device. A training without a time limit also gives the same weights if it was resumed, except on a GPU.

    progress           called with the completed steps, or with seconds if there is a time limit
    checkpoint         file that is written after every epoch; a call with the same arguments resumes from it
    record_animation   embed some hundred windows after every epoch
    listeners          called after every epoch
    presets            the presets to choose from
    clock              gives the seconds that `max_seconds` counts

    Raises TableError, LabelError or UsageError.
    """
    preset, hyperparameters = _choose_preset(config, presets)
    plan = preset.plan.with_limits(config.max_seconds, config.epochs)
    check_folder(out)
    rng = np.random.default_rng(config.seed)
    data = _prepare_data(minutes, labels, catalogue, interval_us, config, rng)
    device = select_device(config.device)
    with seeded(config.seed, device):
        task = preset.build_task(data.train, data.held_out, rng, config.hyperparameters)
        animation = _new_animation(data, config.seed) if record_animation else None
        file = None
        if checkpoint:
            key = identity(config.preset, config.seed, plan, data.complete, hyperparameters=hyperparameters)
            file = Checkpoint(checkpoint, key, task, rng, animation)
        state = file.restore() if file else None
        resumed_after = len(state.history.epochs) if state else 0
        on_epoch = _epoch_callback(task, animation, file, listeners)
        history = fit(task, plan, progress, clock, state=state, on_epoch=on_epoch)
        task.network.cpu()
    record = _record(config, device.type, data, hyperparameters, history)
    artifact, difference = model_artifact(task, config.preset, data.train, interval_us, record)
    artifact = calibrate_artifact(artifact, data.train, data.held_out, rng, preset.calibration_windows)
    write_artifact(artifact, out)
    report = _report(config, out, artifact, data, history, difference)
    return replace(report, resumed_after=resumed_after, animation=animation)


def _choose_preset(config: TrainingConfig, presets: Mapping[str, Preset]) -> tuple[Preset, Hyperparameters | None]:
    """The preset, and the hyperparameters that it trains with (None if it has none)."""
    if config.preset not in presets:
        raise UsageError(f"There is no preset {config.preset!r}; choose one of {', '.join(presets)}.")
    preset = presets[config.preset]
    if config.hyperparameters and not preset.tunable:
        raise UsageError(
            f"The preset {config.preset!r} has no settings; leave the settings out, or train the preset 'default'."
        )
    return preset, config.hyperparameters or (Hyperparameters() if preset.tunable else None)


def _prepare_data(
    minutes: pl.DataFrame | Sequence[Series],
    labels: pl.DataFrame,
    catalogue: Catalogue,
    interval_us: int,
    config: TrainingConfig,
    rng: np.random.Generator,
) -> _Data:
    """The training set, augmented if the configuration says so, split into training and held-out networks."""
    extra_faults = {template.condition for template in config.templates}
    complete = training_set(
        minutes, labels, catalogue, window=WINDOW, interval_us=interval_us, extra_faults=extra_faults
    )
    held_out = _draw_held_out(complete, rng)
    rare = rare_faults(complete, labels, config.augment_rare) if config.augment_rare else []
    if templates := [*rare, *config.templates]:
        augmentation_rng = np.random.default_rng([config.seed, _AUGMENTATION_STREAM])
        complete = augment(complete, labels, templates, augmentation_rng, exclude=held_out)
    faults = tuple(sorted({template.condition for template in templates}))
    train_networks = frozenset(complete.networks) - held_out
    return _Data(complete, complete.select(train_networks), complete.select(held_out), faults)


def _draw_held_out(data: TrainingSet, rng: np.random.Generator) -> frozenset[str]:
    """The names of the networks that are held out."""
    names = list(data.networks)
    if len(names) < 2:
        raise UsageError(
            f"The only network with usable minutes is {names[0]!r}, but training needs one more to hold out; give minutes of two "
            "or more networks."
        )
    count = max(1, round(HELD_OUT * len(names)))
    return frozenset(names[i] for i in rng.permutation(len(names))[:count])


def _new_animation(data: _Data, seed: int) -> EmbeddingAnimation:
    return EmbeddingAnimation(probe_set(data.train, data.held_out, np.random.default_rng([seed, _ANIMATION_STREAM])))


def _epoch_callback(
    task: TrainingTask,
    animation: EmbeddingAnimation | None,
    checkpoint: Checkpoint | None,
    listeners: Sequence[Listener],
) -> Callable[[TrainerState], None]:
    """What `fit` calls after every epoch."""
    embed = task.probe_embedder(animation.probes) if animation else None

    def on_epoch(state: TrainerState) -> None:
        history = state.history
        if animation and embed:
            animation.add(len(history.epochs), embed(), history.best_epoch + 1)
        for listener in listeners:
            listener(history)
        # The checkpoint is last: an epoch counts as done only when all listeners have seen it.
        if checkpoint:
            checkpoint.save(state)

    return on_epoch


def _record(
    config: TrainingConfig, device: str, data: _Data, hyperparameters: Hyperparameters | None, history: History
) -> dict[str, Any]:
    """The manifest's record of the training. Its keys are stored."""
    return {
        "seed": config.seed,
        "device": device,
        "networks": list(data.train.networks),
        "held_out": list(data.held_out.networks),
        **({"retold": list(data.augmented_faults)} if data.augmented_faults else {}),
        **({"settings": hyperparameters.as_dict()} if hyperparameters else {}),
        **history.as_dict(),
    }


def _report(
    config: TrainingConfig, out: Path, artifact: ModelArtifact, data: _Data, history: History, difference: float
) -> TrainingReport:
    best = history.epochs[history.best_epoch]
    return TrainingReport(
        preset=config.preset,
        seed=config.seed,
        path=str(out),
        model=artifact.id,
        conditions=data.complete.conditions,
        networks=data.train.networks,
        held_out=data.held_out.networks,
        score=best.score,
        effective_dimensions=best.effective_dimensions,
        windows_per_second=history.windows / history.step_seconds,
        triplets_per_second=history.triplets / history.step_seconds,
        export_difference=difference,
        history=history.as_dict(),
        augmented_faults=data.augmented_faults,
    )
