"""How settings are judged: by training on most networks and scoring on the rest, for every fold of the networks in turn."""

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
from faultprint.training.train import Preset

Fold = tuple[TrainingSet, TrainingSet]
"""(trained on, held out), whole networks each."""
After = Callable[[int, int, float], None]
"""Called with the fold, the number of its epochs done, and the sum of the folds' best scores so far."""


@dataclass(frozen=True, slots=True)
class TuningTrial:
    """A training of `preset` in each of the `folds`, each for `plan`; `clock` gives the seconds of the plan's budget."""

    preset: Preset
    folds: Sequence[Fold]
    plan: TrainingPlan
    seed: int
    where: torch.device
    clock: Clock

    def score(self, settings: Hyperparameters, after: After = lambda fold, epochs, total: None) -> float:
        """Mean over the folds of the best epoch's macro-F1 on the networks held out. Raises DivergedError."""
        total = 0.0
        for fold in range(len(self.folds)):
            total += self._score(fold, settings, total, after)
        return total / len(self.folds)

    def _score(self, fold: int, settings: Hyperparameters, before: float, after: After) -> float:
        def told(standing: TrainerState) -> None:
            if standing.course.epochs:
                after(fold, len(standing.course.epochs), before + standing.best_score)

        rng = np.random.default_rng(self.seed)
        with seeded(self.seed, self.where):
            task = self.preset.made(*self.folds[fold], rng, settings)
            course = fit(task, self.plan, clock=self.clock, after=told)
        return course.epochs[course.best_epoch].score


def assign_folds(everything: TrainingSet, count: int, seed: int) -> list[Fold]:
    """The networks dealt out by `seed` into `count` folds, each of which is held out once. Raises UsageError."""
    names = everything.networks
    if not 2 <= count <= len(names):
        raise UsageError(
            f"{len(names)} networks cannot be dealt out into {count} folds; give from 2 folds to as many as there are networks."
        )
    order = np.random.default_rng(seed).permutation(len(names))
    held = [frozenset(names[i] for i in order[fold::count]) for fold in range(count)]
    return [(everything.of(frozenset(names) - one), everything.of(one)) for one in held]
