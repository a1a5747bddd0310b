"""The loop: epochs of steps, a score after each, the best state kept, an early stop, a budget of time."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from faultprint.training.spectrum import effective_dimensions
from faultprint.training.task import Step, Task

Progress = Callable[[int, int], None]
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to train: at most `epochs` of `steps` batches, `patience` epochs without a better score, and a budget of
    seconds that covers steps and scoring (none: no limit)."""

    epochs: int
    steps: int
    patience: int
    max_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Epoch:
    """Means over one epoch's batches; `score` is macro-F1 on the networks held out."""

    loss: float
    active_share: float
    effective_dimensions: float
    score: float
    seconds: float


@dataclass(slots=True)
class Course:
    """What a training went through."""

    epochs: list[Epoch] = field(default_factory=list)
    windows: int = 0
    triplets: int = 0
    step_seconds: float = 0.0
    seconds: float = 0.0
    best_epoch: int = 0
    stopped: str = "all epochs done"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def fit(task: Task, plan: Plan, progress: Progress | None = None, clock: Clock = time.perf_counter) -> Course:
    """Train; the task's network ends in its best state. With a budget, progress counts seconds, else steps."""
    course = Course()
    begin = clock()
    best_score, best_state, last_cost = -1.0, copy.deepcopy(task.network.state_dict()), 0.0
    for number in range(plan.epochs):
        started = clock()
        steps: list[Step] = []
        for _ in range(plan.steps):
            steps.append(task.step(_done(plan, number * plan.steps + len(steps), clock() - begin)))
            _report(progress, plan, number * plan.steps + len(steps), clock() - begin)
            if plan.max_seconds is not None and clock() - begin + last_cost >= plan.max_seconds:
                course.stopped = "budget of time spent"
                break
        course.step_seconds += clock() - started
        course.windows += sum(step.windows for step in steps)
        course.triplets += sum(step.triplets for step in steps)
        scoring = clock()
        score = task.validate()
        last_cost = clock() - scoring
        course.epochs.append(
            Epoch(
                float(np.mean([step.loss for step in steps])),
                sum(step.active for step in steps) / max(sum(step.triplets for step in steps), 1),
                effective_dimensions(np.concatenate([step.vectors for step in steps[-10:]])),
                score,
                clock() - started,
            )
        )
        if score > best_score:
            best_score, best_state, course.best_epoch = score, copy.deepcopy(task.network.state_dict()), number
        if course.stopped != "all epochs done":
            break
        if number - course.best_epoch >= plan.patience:
            course.stopped = f"no better score in {plan.patience} epochs"
            break
    task.network.load_state_dict(best_state)
    task.network.eval()
    course.seconds = clock() - begin
    return course


def _done(plan: Plan, step: int, seconds: float) -> float:
    """The share of the training that lies behind: of its seconds where they are counted, else of its steps."""
    return min(step / (plan.epochs * plan.steps) if plan.max_seconds is None else seconds / plan.max_seconds, 1.0)


def _report(progress: Progress | None, plan: Plan, step: int, seconds: float) -> None:
    if progress is None:
        return
    if plan.max_seconds is not None:
        progress(min(int(seconds), int(plan.max_seconds)), int(plan.max_seconds))
    else:
        progress(step, plan.epochs * plan.steps)
