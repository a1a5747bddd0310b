"""The training loop, with a task that only counts steps and moves the clock."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from faultprint.training.loop import TrainingPlan, fit
from faultprint.training.models.task import Step
from faultprint.training.score import centroids, effective_rank, macro_f1, nearest_centroid


class Counter:
    """Every step takes a second and adds one to its only weight; scores come from a list."""

    def __init__(self, scores: list[float]) -> None:
        self.network = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(self.network.weight)
        self.scores = iter(scores)
        self.now = 0.0
        self.done: list[float] = []

    def clock(self) -> float:
        return self.now

    def step(self, done: float) -> Step:
        self.done.append(done)
        self.now += 1
        with torch.no_grad():
            self.network.weight += 1
        return Step(1.0, 10, 100, 5, 0.5, np.eye(3, dtype=np.float32))

    def validate(self) -> float:
        return next(self.scores)


def run(scores: list[float], plan: TrainingPlan, **more: object) -> tuple[Counter, object]:
    task = Counter(scores)
    return task, fit(task, plan, clock=task.clock, **more)  # type: ignore[arg-type]


def test_steps_get_the_completed_share_of_the_training() -> None:
    by_steps, _ = run([0.1, 0.2], TrainingPlan(epochs=2, steps=2, patience=9))
    assert by_steps.done == [0, 0.25, 0.5, 0.75]
    by_seconds, _ = run([0.1, 0.2], TrainingPlan(epochs=9, steps=2, patience=9, max_seconds=4))
    assert by_seconds.done == [0, 0.25, 0.5, 0.75]


def test_the_best_state_is_kept_and_the_stop_is_early() -> None:
    task, history = run([0.1, 0.5, 0.4, 0.3, 0.9], TrainingPlan(epochs=9, steps=2, patience=2))
    assert task.network.weight.item() == 4
    assert (history.best_epoch, len(history.epochs)) == (1, 4)
    assert history.stopped == "no better score in 2 epochs"
    assert (history.windows, history.triplets, history.step_seconds) == (80, 800, 8)
    assert history.epochs[0].active_share == pytest.approx(0.05)


def test_the_time_limit_ends_training_within_an_epoch() -> None:
    seen: list[tuple[int, int]] = []
    task, history = run(
        [0.5, 0.6], TrainingPlan(9, 4, 9, max_seconds=6), progress=lambda done, total: seen.append((done, total))
    )
    assert history.stopped == "budget of time spent"
    assert task.network.weight.item() == 6
    assert seen == [(i, 6) for i in range(1, 7)]


def test_progress_counts_steps_without_a_budget() -> None:
    seen: list[tuple[int, int]] = []
    run([0.5, 0.6], TrainingPlan(2, 2, 9), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_effective_dimensions() -> None:
    rng = np.random.default_rng(1)
    ball, line = rng.normal(size=(5000, 6)), np.outer(rng.normal(size=50), rng.normal(size=6))
    assert effective_rank(ball) == pytest.approx(6, rel=0.02)
    assert effective_rank(line + 7) == pytest.approx(1)
    assert effective_rank(np.ones((5, 6))) == 0


def test_nearest_centroid_and_macro_f1() -> None:
    vectors = np.array([[0, 0], [1, 0], [3, 0], [0, 5]], dtype=np.float32)
    known = centroids(vectors[2:], np.array([1, 2]), 4)
    assert np.array_equal(known[:3], [[0, 0], [3, 0], [0, 5]])
    assert np.isnan(known[3]).all()
    predicted = nearest_centroid(vectors, known)
    assert predicted.tolist() == [0, 0, 1, 2]
    # F1 of 0: 2/3 (one of two correct), of 1: 1, of 2: 1; with 3 never found.
    assert macro_f1(np.array([0, 3, 1, 2]), predicted) == pytest.approx((2 / 3 + 1 + 1 + 0) / 4)
