"""From distances to a verdict: when to leave normal, when to say unknown, how long to wait before changing.

    every minute   distances ─Rule→ claim: a condition, unknown, or warming-up without a window
    over minutes   claims ─persistence→ verdict

The second step is a small state machine, written as a table and used for stored minutes and live ones alike:

    state        claim           next
    warming-up   warming-up      warming-up
    warming-up   normal          normal at once: before the first claim nothing contradicts it
    any          the verdict     the verdict; rivals are forgotten
    any          another         it becomes the rival, or counts up; after `persistence` in a row, the verdict
    a verdict    warming-up      warming-up at once: without a window there is nothing to say
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from faultprint.arrays import BoolArray, IntArray
from faultprint.cases.matching import NORMAL_INDEX, Matches
from faultprint.errors import UsageError

WARMING_CODE: Final = -1
UNKNOWN_CODE: Final = -2


@dataclass(frozen=True, slots=True)
class Rule:
    """How a minute's distances become a claim.

    leave_normal   a window nearer to its node's normal than this stays normal, whatever lies near it
    closer         a fault's reference must be nearer than this many times the distance to normal (1: the nearest wins)
    unknown_beyond a window that has left normal, but lies further than this from every reference, is unknown
    unknown_doubt  by condition: named with more doubt than this it is unknown; what is not here is named in all doubt
    persistence    minutes in a row that must agree before the verdict changes (1: at once)
    """

    normal_radius: float = 0.0
    max_distance_ratio: float = 1.0
    unknown_radius: float = float("inf")
    persistence: int = 1
    max_uncertainty: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.persistence < 1:
            raise UsageError(f"A persistence of {self.persistence} minutes cannot be kept; give 1 or more.")
        for name in ("leave_normal", "closer", "unknown_beyond"):
            _check(name, getattr(self, name))
        for condition, bound in self.max_uncertainty.items():
            _check(f"unknown_doubt of {condition!r}", bound)


def _check(name: str, value: float) -> None:
    if not value >= 0:
        raise UsageError(f"{name} is {value}, but must be 0 or more; give another.")


def raw_verdicts(matches: Matches, ready: BoolArray, rule: Rule) -> IntArray:
    """(N,) codes of what each minute by itself says.

    A code is an index into `matches.conditions`, UNKNOWN_CODE or WARMING_CODE. `ready` (N,): the window is filled and
    the node has a profile.
    """
    distances = matches.distances
    normal = distances[:, NORMAL_INDEX]
    faults = distances.copy()
    faults[:, NORMAL_INDEX] = np.inf
    nearest = np.argmin(faults, axis=1)
    distance = faults[np.arange(len(faults)), nearest]
    away = normal > rule.normal_radius
    codes = np.where(away & (distance < np.float32(rule.max_distance_ratio) * normal), nearest, NORMAL_INDEX)
    codes[away & (np.minimum(distance, normal) > rule.unknown_radius)] = UNKNOWN_CODE
    bounds = np.array([rule.max_uncertainty.get(word, np.inf) for word in matches.conditions], np.float32)
    doubtful = matches.uncertainty > bounds[np.maximum(codes, NORMAL_INDEX)]
    codes[(codes > NORMAL_INDEX) & doubtful] = UNKNOWN_CODE
    codes[~ready] = WARMING_CODE
    return codes


def faulty(codes: IntArray) -> BoolArray:
    """(N,) which verdict codes are of a fault, a known or an unknown one."""
    fault: BoolArray = (codes != NORMAL_INDEX) & (codes != WARMING_CODE)
    return fault


@dataclass(frozen=True, slots=True)
class DebounceState:
    """Where one node stands: its verdict, and the rival that has been claimed `count` minutes in a row."""

    verdict: int = WARMING_CODE
    rival: int = WARMING_CODE
    count: int = 0


def step(standing: DebounceState, claim: int, persistence: int) -> DebounceState:
    """The standing after one more minute's claim."""
    if claim == WARMING_CODE:
        return DebounceState()
    if claim == standing.verdict:
        return DebounceState(claim)
    count = standing.count + 1 if claim == standing.rival else 1
    at_once = standing.verdict == WARMING_CODE and claim == NORMAL_INDEX
    if at_once or count >= persistence:
        return DebounceState(claim)
    return DebounceState(standing.verdict, claim, count)


def debounce(
    claimed: IntArray, persistence: int, standing: DebounceState | None = None
) -> tuple[IntArray, DebounceState]:
    """The verdicts (N,) that follow one node's claims in order of time, and the standing to go on from."""
    standing = standing or DebounceState()
    verdicts = np.empty_like(claimed)
    for index, claim in enumerate(claimed.tolist()):
        standing = step(standing, claim, persistence)
        verdicts[index] = standing.verdict
    return verdicts, standing


def step_all(
    standings: tuple[IntArray, IntArray, IntArray],
    claimed: IntArray,
    persistence: int,
) -> tuple[IntArray, IntArray, IntArray]:
    """`step` for many nodes at once: verdict, rival and count (N,) of each, after one more claim (N,) of each."""
    verdict, rival, count = standings
    counted = np.where(claimed == rival, count + 1, 1)
    at_once = (verdict == WARMING_CODE) & (claimed == NORMAL_INDEX)
    settled = (claimed == verdict) | (claimed == WARMING_CODE) | at_once | (counted >= persistence)
    return (
        np.where(settled, claimed, verdict),
        np.where(settled, WARMING_CODE, claimed),
        np.where(settled, 0, counted),
    )
