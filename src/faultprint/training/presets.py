"""The presets: what `faultprint train --preset` offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from faultprint.training.config import Hyperparameters
from faultprint.training.data.dataset import TrainingSet
from faultprint.training.loop import TrainingPlan
from faultprint.training.models.pooled_task import PooledTask
from faultprint.training.models.reference_task import ReferenceTask
from faultprint.training.models.task import TrainingTask


@dataclass(frozen=True, slots=True)
class Preset:
    """A network with its training.

    task                  makes the training task from (training networks, held-out networks, random generator)
    plan                  how long it trains by default
    calibration_windows   largest number of windows of a held-out node that calibrate the model
    tunable               true if `task` takes `hyperparameters`
    """

    task: Callable[..., TrainingTask]
    plan: TrainingPlan
    calibration_windows: int
    tunable: bool = False

    def build_task(
        self,
        train: TrainingSet,
        held_out: TrainingSet,
        rng: np.random.Generator,
        hyperparameters: Hyperparameters | None = None,
    ) -> TrainingTask:
        """The training task, with these hyperparameters if they are given."""
        if hyperparameters is None:
            return self.task(train, held_out, rng)
        return self.task(train, held_out, rng, hyperparameters=hyperparameters)


_REFERENCE_PLAN: Final = TrainingPlan(epochs=20, steps=50, patience=8)
PRESETS: Final[Mapping[str, Preset]] = {
    "default": Preset(PooledTask, TrainingPlan(epochs=20, steps=40, patience=8), 2000, tunable=True),
    "reference-lstm": Preset(ReferenceTask, _REFERENCE_PLAN, 100),
    "reference-lstm-3d": Preset(partial(ReferenceTask, three_dimensions=True), _REFERENCE_PLAN, 100),
}
"""The product's presets. `reference-lstm` reproduces the 2017 baseline; `-3d` is its variant with three dimensions."""
