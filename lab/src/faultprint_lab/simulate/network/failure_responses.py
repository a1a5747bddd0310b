"""How a network's equipment responds when something fails: one of several options, drawn once a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np


@dataclass(frozen=True, slots=True)
class FailureResponse:
    """Response of a network element to a failure.

    codes, weights   status codes and their shares
    seconds          median delay
    spread           standard deviation of the logarithm of the delay
    """

    codes: tuple[int, ...]
    weights: tuple[float, ...]
    seconds: float
    spread: float


ResponseOption = tuple[tuple[int, ...], tuple[float, float], float]
"""Status codes that occur together, the range of their median delay in seconds, and the spread of the delay."""

_TIMER, _WORK = 0.015, 0.5
"""Spread of a delay that a timer causes, and of one that processing causes."""

RESPONSE_OPTIONS: Final[dict[str, tuple[tuple[ResponseOption, ...], ...]]] = {
    # The I- or S-CSCF gets no answer on Cx: response to REGISTER, then to INVITE and similar requests.
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
    # The HSS answers with an error: the same two groups.
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
    # The node gets no response: its response to the handset (nothing from Mw), then to the core (nothing from Gm).
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
    # The S-CSCF is down, and its host refuses the request or the hop before notices.
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
    # Requests from senders that are not subscribers.
    "non-subscriber": (
        (((403,), (0.002, 0.05), _WORK), ((404, 403), (0.01, 0.2), _WORK), ((401,), (0.02, 0.2), _WORK)),
    ),
}


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number between `low` and `high` whose logarithm is uniformly distributed."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def draw_failure_responses(rng: np.random.Generator) -> dict[str, tuple[FailureResponse, ...]]:
    """The responses of one network's equipment, by failure."""
    return {failure: draw_group(rng, groups) for failure, groups in RESPONSE_OPTIONS.items()}


def draw_group(rng: np.random.Generator, groups: tuple[tuple[ResponseOption, ...], ...]) -> tuple[FailureResponse, ...]:
    """Draw one option of each group."""
    responses = []
    for options in groups:
        codes, (low, high), spread = options[rng.integers(len(options))]
        weights = rng.dirichlet(np.arange(len(codes), 0, -1) * 2.0)
        responses.append(FailureResponse(codes, tuple(float(w) for w in weights), log_uniform(rng, low, high), spread))
    return tuple(responses)
