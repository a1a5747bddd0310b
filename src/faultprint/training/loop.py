"""The training loop: epochs of steps, a score after each epoch, the best weights, early stopping and a time limit."""

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
from faultprint.progress import Progress
from faultprint.training.models.task import Step, TrainingTask
from faultprint.training.score import effective_rank

Clock = Callable[[], float]
"""Returns the current time in seconds."""

_UNLIMITED: Final = 1_000_000
"""Number of epochs that no time limit reaches."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How long to train.

    epochs        largest number of epochs
    steps         batches per epoch
    patience      epochs without a better score after which training stops early
    max_seconds   time limit for steps and scoring; None: no limit
    """

    epochs: int
    steps: int
    patience: int
    max_seconds: float | None = None

    def with_limits(self, max_seconds: float | None, epochs: int | None) -> TrainingPlan:
        """This plan with other limits. With seconds and without epochs, it trains until the time limit.

        Raises UsageError for limits of 0 or less.
        """
        if max_seconds is not None and max_seconds <= 0:
            raise UsageError(f"The time limit is {max_seconds:g} seconds, but it must be above 0; give a larger limit.")
        if epochs is not None and epochs < 1:
            raise UsageError(
                f"The number of epochs is {epochs}, but training needs at least one epoch; give a larger number."
            )
        if epochs is not None:
            return replace(self, epochs=epochs, max_seconds=max_seconds)
        if max_seconds is not None:
            return replace(self, epochs=_UNLIMITED, patience=_UNLIMITED, max_seconds=max_seconds)
        return self


@dataclass(frozen=True, slots=True)
class Epoch:
    """Metrics of one epoch: means over its batches.

    loss                   loss
    active_share           share of the triplets that violate the margin
    effective_dimensions   effective rank of the last batches
    score                  macro-F1 on the held-out networks
    seconds                duration, with the scoring
    windows_per_second     embedded windows per second, without the scoring
    learning_rate          learning rate of the last batch
    """

    loss: float
    active_share: float
    effective_dimensions: float
    score: float
    seconds: float
    windows_per_second: float
    learning_rate: float


@dataclass(slots=True)
class History:
    """The course of a training. `stopped` is the reason for the end, empty while it runs. `best_epoch` counts from 0."""

    epochs: list[Epoch] = field(default_factory=list)
    windows: int = 0
    triplets: int = 0
    step_seconds: float = 0.0
    seconds: float = 0.0
    best_epoch: int = 0
    stopped: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The history as JSON; `from_dict` is the inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> History:
        """Read the result of `as_dict`. Raises TypeError or KeyError for anything else."""
        return cls(**{**document, "epochs": [Epoch(**epoch) for epoch in document["epochs"]]})


@dataclass(slots=True)
class TrainerState:
    """The state of a training between two epochs. With the state of the task, it is all that resuming needs."""

    history: History
    best_score: float
    best_state: dict[str, Tensor]


def fit(
    task: TrainingTask,
    plan: TrainingPlan,
    progress: Progress | None = None,
    clock: Clock = time.perf_counter,
    state: TrainerState | None = None,
    on_epoch: Callable[[TrainerState], None] = lambda state: None,
) -> History:
    """Train the task. At the end its network has the best weights. Progress counts seconds if there is a limit, else steps.

    With `state`, training resumes; the task must be restored to the same state before. `on_epoch` is called before the first
    epoch and after every epoch, and its time counts. Raises DivergedError if the loss is not finite.
    """
    state = state or TrainerState(History(), -1.0, copy.deepcopy(task.network.state_dict()))
    history, overhead = state.history, 0.0
    begin = clock() - history.seconds
    on_epoch(state)
    while not history.stopped:
        number, started = len(history.epochs), clock()
        steps: list[Step] = []
        while len(steps) < plan.steps and not history.stopped:
            steps.append(task.step(_share_done(plan, number * plan.steps + len(steps), clock() - begin)))
            if not math.isfinite(steps[-1].loss):
                raise DivergedError(
                    f"Training diverged in epoch {number + 1}: its loss is not a finite number; lower the learning_rate."
                )
            _report_progress(progress, plan, number * plan.steps + len(steps), clock() - begin)
            if plan.max_seconds is not None and clock() - begin + overhead >= plan.max_seconds:
                history.stopped = "budget of time spent"
        stepped = clock()
        score = task.validate()
        _record_epoch(history, steps, score, stepped - started, clock() - started)
        if score > state.best_score:
            state.best_score, state.best_state = score, copy.deepcopy(task.network.state_dict())
            history.best_epoch = number
        history.stopped = history.stopped or _stop_reason(plan, history)
        history.seconds = clock() - begin
        on_epoch(state)
        # The scoring of the next epoch must fit into the time limit, too.
        overhead = clock() - stepped
    task.network.load_state_dict(state.best_state)
    task.network.eval()
    return history


def _record_epoch(history: History, steps: Sequence[Step], score: float, step_seconds: float, seconds: float) -> None:
    history.step_seconds += step_seconds
    history.windows += sum(step.windows for step in steps)
    history.triplets += sum(step.triplets for step in steps)
    epoch = Epoch(
        loss=float(np.mean([step.loss for step in steps])),
        active_share=sum(step.active for step in steps) / max(sum(step.triplets for step in steps), 1),
        effective_dimensions=effective_rank(np.concatenate([step.vectors for step in steps[-10:]])),
        score=score,
        seconds=seconds,
        windows_per_second=sum(step.windows for step in steps) / step_seconds,
        learning_rate=steps[-1].rate,
    )
    history.epochs.append(epoch)


def _stop_reason(plan: TrainingPlan, history: History) -> str:
    """Why training ends after this epoch; empty if it continues."""
    if len(history.epochs) >= plan.epochs:
        return "all epochs done"
    if len(history.epochs) - 1 - history.best_epoch >= plan.patience:
        return f"no better score in {plan.patience} epochs"
    return ""


def _share_done(plan: TrainingPlan, step: int, seconds: float) -> float:
    """The completed share of the training, 0 to 1: of its seconds if they are limited, else of its steps."""
    return min(step / (plan.epochs * plan.steps) if plan.max_seconds is None else seconds / plan.max_seconds, 1.0)


def _report_progress(progress: Progress | None, plan: TrainingPlan, step: int, seconds: float) -> None:
    if progress is None:
        return
    if plan.max_seconds is not None:
        progress(min(int(seconds), int(plan.max_seconds)), int(plan.max_seconds))
    else:
        progress(step, plan.epochs * plan.steps)
