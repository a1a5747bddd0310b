"""The loop: epochs of steps, a score after each, the best state kept, an early stop, a budget of time."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import numpy as np
from torch import Tensor

from faultprint.errors import DivergedError, UsageError
from faultprint.training.effective_rank import effective_rank
from faultprint.training.models.task import Step, TrainingTask

Progress = Callable[[int, int], None]
Clock = Callable[[], float]

_UNBOUNDED: Final = 1_000_000
"""Epochs that no budget of time reaches."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How long to train: at most `epochs` of `steps` batches, `patience` epochs without a better score, and a budget of
    seconds that covers steps and scoring (none: no limit)."""

    epochs: int
    steps: int
    patience: int
    max_seconds: float | None = None

    def bounded(self, max_seconds: float | None, epochs: int | None) -> TrainingPlan:
        """This plan with other bounds; with seconds and without epochs it goes on until the time is spent. Raises UsageError."""
        if (max_seconds is not None and max_seconds <= 0) or (epochs is not None and epochs < 1):
            raise UsageError("A training needs at least one epoch and more than no time; give larger bounds.")
        if epochs is not None:
            return replace(self, epochs=epochs, max_seconds=max_seconds)
        if max_seconds is not None:
            return replace(self, epochs=_UNBOUNDED, patience=_UNBOUNDED, max_seconds=max_seconds)
        return self


@dataclass(frozen=True, slots=True)
class Epoch:
    """Means over one epoch's batches; `score` is macro-F1 on the networks held out, `learning_rate` the last batch's."""

    loss: float
    active_share: float
    effective_dimensions: float
    score: float
    seconds: float
    windows_per_second: float
    learning_rate: float


@dataclass(slots=True)
class History:
    """What a training went through; `stopped` says why it ended, and is empty before."""

    epochs: list[Epoch] = field(default_factory=list)
    windows: int = 0
    triplets: int = 0
    step_seconds: float = 0.0
    seconds: float = 0.0
    best_epoch: int = 0
    stopped: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON; `from_dict` reads it back equal."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> History:
        """Raises TypeError or KeyError for anything else than `as_dict` gives."""
        return cls(**{**found, "epochs": [Epoch(**epoch) for epoch in found["epochs"]]})


@dataclass(slots=True)
class TrainerState:
    """Where a training stands between two epochs: with the task's own state, all that going on needs."""

    course: History
    best_score: float
    best_state: dict[str, Tensor]


def fit(
    task: TrainingTask,
    plan: TrainingPlan,
    progress: Progress | None = None,
    clock: Clock = time.perf_counter,
    standing: TrainerState | None = None,
    after: Callable[[TrainerState], None] = lambda standing: None,
) -> History:
    """Train; the task's network ends in its best state. With a budget, progress counts seconds, else steps.

    A training goes on from `standing`, to which the task must have been restored. `after` is called before the first epoch
    and after every one; what it takes counts into the budget. Raises DivergedError where the loss is no number any more.
    """
    here = standing or TrainerState(History(), -1.0, copy.deepcopy(task.network.state_dict()))
    course, cost = here.course, 0.0
    begin = clock() - course.seconds
    after(here)
    while not course.stopped:
        number, started = len(course.epochs), clock()
        steps: list[Step] = []
        while len(steps) < plan.steps and not course.stopped:
            steps.append(task.step(_done(plan, number * plan.steps + len(steps), clock() - begin)))
            if not math.isfinite(steps[-1].loss):
                raise DivergedError(
                    f"The training diverged in epoch {number + 1}: its loss is no number any more; "
                    "lower its learning_rate."
                )
            _report(progress, plan, number * plan.steps + len(steps), clock() - begin)
            if plan.max_seconds is not None and clock() - begin + cost >= plan.max_seconds:
                course.stopped = "budget of time spent"
        stepped = clock()
        score = task.validate()
        course.step_seconds += stepped - started
        course.windows += sum(step.windows for step in steps)
        course.triplets += sum(step.triplets for step in steps)
        course.epochs.append(_epoch(steps, score, stepped - started, clock() - started))
        if score > here.best_score:
            here.best_score, here.best_state = score, copy.deepcopy(task.network.state_dict())
            course.best_epoch = number
        course.stopped = course.stopped or _over(plan, course)
        course.seconds = clock() - begin
        after(here)
        cost = clock() - stepped
    task.network.load_state_dict(here.best_state)
    task.network.eval()
    return course


def _epoch(steps: Sequence[Step], score: float, step_seconds: float, seconds: float) -> Epoch:
    return Epoch(
        loss=float(np.mean([step.loss for step in steps])),
        active_share=sum(step.active for step in steps) / max(sum(step.triplets for step in steps), 1),
        effective_dimensions=effective_rank(np.concatenate([step.vectors for step in steps[-10:]])),
        score=score,
        seconds=seconds,
        windows_per_second=sum(step.windows for step in steps) / step_seconds,
        learning_rate=steps[-1].rate,
    )


def _over(plan: TrainingPlan, course: History) -> str:
    """Why there is no epoch to come; empty if there is."""
    if len(course.epochs) >= plan.epochs:
        return "all epochs done"
    if len(course.epochs) - 1 - course.best_epoch >= plan.patience:
        return f"no better score in {plan.patience} epochs"
    return ""


def _done(plan: TrainingPlan, step: int, seconds: float) -> float:
    """The share of the training that lies behind: of its seconds where they are counted, else of its steps."""
    return min(step / (plan.epochs * plan.steps) if plan.max_seconds is None else seconds / plan.max_seconds, 1.0)


def _report(progress: Progress | None, plan: TrainingPlan, step: int, seconds: float) -> None:
    if progress is None:
        return
    if plan.max_seconds is not None:
        progress(min(int(seconds), int(plan.max_seconds)), int(plan.max_seconds))
    else:
        progress(step, plan.epochs * plan.steps)
