"""How a network's equipment answers in trouble: one of several ways, drawn once a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np


@dataclass(frozen=True, slots=True)
class DrawnAnswer:
    """How a piece of equipment answers in trouble: `codes` with `weights`, after `seconds` × a log-normal of `spread`."""

    codes: tuple[int, ...]
    weights: tuple[float, ...]
    seconds: float
    spread: float


Choice = tuple[tuple[int, ...], tuple[float, float], float]
"""Status codes that go together, the range of seconds after which they come, and the spread about it."""

_TIMER, _WORK = 0.015, 0.5

REACTIONS: Final[dict[str, tuple[tuple[Choice, ...], ...]]] = {
    # REGISTER, then INVITE and the like, when the I- or S-CSCF gets no answer on Cx.
    "hss": (
        (
            ((408,), (4.0, 6.0), _TIMER),
            ((504,), (1.5, 10.0), _TIMER),
            ((500,), (1.5, 10.0), _TIMER),
            ((480,), (2.0, 8.0), _TIMER),
            ((500, 403), (0.05, 0.4), _WORK),
            ((503, 504), (0.05, 6.0), _WORK),
        ),
        (
            ((500,), (5.0, 8.0), _TIMER),
            ((500, 480), (1.5, 9.0), _TIMER),
            ((504,), (2.0, 10.0), _TIMER),
            ((404, 480), (0.1, 5.0), _WORK),
            ((500, 503), (0.05, 0.5), _WORK),
        ),
    ),
    # The same, when the HSS answers with an error.
    "hss-errors": (
        (
            ((500,), (0.002, 0.1), _WORK),
            ((480,), (0.002, 0.1), _WORK),
            ((504,), (0.002, 0.1), _WORK),
            ((403,), (0.002, 0.1), _WORK),
            ((403, 500), (0.002, 0.1), _WORK),
        ),
        (((500,), (0.002, 0.1), _WORK), ((480, 500), (0.002, 0.1), _WORK), ((404,), (0.002, 0.1), _WORK)),
    ),
    # What the node tells the handset when nothing comes back from Mw, then the core when nothing comes back from Gm.
    "no-answer": (
        (
            ((504,), (31.8, 32.2), 0.003),
            ((408,), (31.8, 32.2), 0.003),
            ((408,), (4.0, 20.0), _TIMER),
            ((504,), (5.0, 24.0), _TIMER),
            ((503,), (6.0, 16.0), _TIMER),
        ),
        (
            ((408,), (4.0, 32.0), _TIMER),
            ((480,), (4.0, 32.0), _TIMER),
            ((504,), (4.0, 32.0), _TIMER),
            ((503, 408), (8.0, 32.0), _TIMER),
        ),
    ),
    # A dead S-CSCF, when the host still refuses or the next hop notices.
    "scscf": (
        (
            ((503,), (0.01, 0.2), _WORK),
            ((504,), (3.0, 16.0), _TIMER),
            ((500, 503), (0.02, 0.5), _WORK),
            ((480,), (0.05, 8.0), _WORK),
            ((408,), (4.0, 12.0), _TIMER),
        ),
    ),
    "dns": (
        (
            ((478,), (0.002, 0.05), _WORK),
            ((478, 503), (1.0, 6.0), _WORK),
            ((503,), (0.5, 10.0), _TIMER),
            ((500,), (0.5, 8.0), _WORK),
        ),
    ),
    "as": (
        (
            ((500,), (0.05, 0.6), _WORK),
            ((503,), (0.02, 0.4), _WORK),
            ((408,), (2.0, 10.0), _TIMER),
            ((504, 500), (2.0, 12.0), _TIMER),
            ((500, 503, 480), (0.1, 3.0), _WORK),
        ),
    ),
    "pcrf": (
        (
            ((503,), (1.0, 10.0), _TIMER),
            ((500,), (1.0, 10.0), _TIMER),
            ((503, 500), (0.05, 0.5), _WORK),
            ((488, 503), (0.5, 6.0), _TIMER),
            ((488,), (0.5, 6.0), _TIMER),
        ),
    ),
    "overload": ((((503,), (0.002, 0.1), _WORK), ((503, 500), (0.01, 0.5), _WORK), ((480, 503), (0.01, 0.3), _WORK)),),
    # Stray requests from strangers.
    "stranger": ((((403,), (0.002, 0.05), _WORK), ((404, 403), (0.01, 0.2), _WORK), ((401,), (0.02, 0.2), _WORK)),),
}


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number whose logarithm is evenly spread from `low`'s to `high`'s."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def draw_reactions(rng: np.random.Generator) -> dict[str, tuple[DrawnAnswer, ...]]:
    """How one network's equipment answers, by trouble."""
    return {trouble: draw_answers(rng, choices) for trouble, choices in REACTIONS.items()}


def draw_answers(rng: np.random.Generator, choices: tuple[tuple[Choice, ...], ...]) -> tuple[DrawnAnswer, ...]:
    """One choice of each group."""
    answers = []
    for options in choices:
        codes, (low, high), spread = options[rng.integers(len(options))]
        weights = rng.dirichlet(np.arange(len(codes), 0, -1) * 2.0)
        answers.append(DrawnAnswer(codes, tuple(float(w) for w in weights), log_uniform(rng, low, high), spread))
    return tuple(answers)
