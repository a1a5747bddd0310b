"""One trial of a tuning study: cross-validation over the networks, with given hyperparameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from faultprint.errors import UsageError
from faultprint.training.config import Hyperparameters
from faultprint.training.data.dataset import TrainingSet
from faultprint.training.device import seeded
from faultprint.training.loop import Clock, TrainerState, TrainingPlan, fit
from faultprint.training.presets import Preset

Fold = tuple[TrainingSet, TrainingSet]
"""(training networks, held-out networks)"""
OnFoldEpoch = Callable[[int, int, float], None]
"""Called after an epoch with the fold, the number of its completed epochs, and the sum of the best scores of all folds so far."""


@dataclass(frozen=True, slots=True)
class TuningTrial:
    """Trainings of `preset`, one for each of the `folds`, each as long as `plan` says. `clock` gives the seconds."""

    preset: Preset
    folds: Sequence[Fold]
    plan: TrainingPlan
    seed: int
    device: torch.device
    clock: Clock

    def score(
        self, hyperparameters: Hyperparameters, on_fold_epoch: OnFoldEpoch = lambda fold, epochs, total: None
    ) -> float:
        """Mean over the folds of the best epoch's macro-F1 on the held-out networks. Raises DivergedError."""
        total = 0.0
        for fold in range(len(self.folds)):
            total += self._fold_score(fold, hyperparameters, total, on_fold_epoch)
        return total / len(self.folds)

    def _fold_score(
        self, fold: int, hyperparameters: Hyperparameters, previous: float, on_fold_epoch: OnFoldEpoch
    ) -> float:
        def on_epoch(state: TrainerState) -> None:
            if state.history.epochs:
                on_fold_epoch(fold, len(state.history.epochs), previous + state.best_score)

        rng = np.random.default_rng(self.seed)
        with seeded(self.seed, self.device):
            task = self.preset.build_task(*self.folds[fold], rng, hyperparameters)
            history = fit(task, self.plan, clock=self.clock, on_epoch=on_epoch)
        return history.epochs[history.best_epoch].score


def assign_folds(training_set: TrainingSet, count: int, seed: int) -> list[Fold]:
    """Assign the networks at random to `count` folds. Every network is held out once. Raises UsageError."""
    names = training_set.networks
    if not 2 <= count <= len(names):
        raise UsageError(
            f"{len(names)} networks cannot be divided into {count} folds; give a number of folds from 2 to the number of networks."
        )
    order = np.random.default_rng(seed).permutation(len(names))
    held_out = [frozenset(names[i] for i in order[fold::count]) for fold in range(count)]
    return [(training_set.select(frozenset(names) - networks), training_set.select(networks)) for networks in held_out]
