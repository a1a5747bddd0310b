"""From distances to a verdict.

    every minute   distances ─Rule→ raw verdict: a condition, unknown, or warming-up without a window
    over minutes   raw verdicts ─debounce→ verdict
    at last        no request although the probe listens (`cases.silence`): no-traffic, unless the fault has a name

A verdict is held until a raw verdict has contradicted it `persistence` minutes in a row:

    verdict      raw verdict      next verdict
    any          warming-up       warming-up at once: without a window there is nothing to say
    warming-up   normal           normal at once: nothing contradicts it
    any          the same         the same; the candidate is forgotten
    any          another          the same; the other becomes the candidate, or is counted again,
                                  and is the verdict after `persistence` minutes in a row
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Self

import numpy as np

from faultprint.arrays import BoolArray, IntArray
from faultprint.cases.matching import NORMAL_INDEX, Matches
from faultprint.errors import UsageError
from faultprint.tables import NO_TRAFFIC, UNKNOWN, WARMING_UP


class VerdictCode(IntEnum):
    """Codes of verdicts that are no fault with a name; other codes are indices into the conditions.

    A monitor's state stores these numbers.
    """

    NORMAL = NORMAL_INDEX
    WARMING_UP = -1
    UNKNOWN = -2
    NO_TRAFFIC = -3


_WORDS: Final = {
    VerdictCode.WARMING_UP: WARMING_UP,
    VerdictCode.UNKNOWN: UNKNOWN,
    VerdictCode.NO_TRAFFIC: NO_TRAFFIC,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """How distances become a verdict.

    normal_radius       a window nearer to its node's baseline than this is normal, whatever lies near it
    max_distance_ratio  a fault must be nearer than this many times the distance to normal (1: the nearest wins)
    unknown_radius      a window outside normal_radius that lies further than this from every reference is unknown
    persistence         minutes in a row that must agree before the verdict changes (1: at once)
    max_uncertainty     by condition: with more uncertainty than this the window is unknown; others have no limit
    sharpness           of the probabilities (`matching.probabilities`); 1 before calibration
    """

    normal_radius: float = 0.0
    max_distance_ratio: float = 1.0
    unknown_radius: float = float("inf")
    persistence: int = 1
    max_uncertainty: Mapping[str, float] = field(default_factory=dict)
    sharpness: float = 1.0

    def __post_init__(self) -> None:
        if self.persistence < 1:
            raise UsageError(f"A verdict cannot be confirmed in {self.persistence} minutes; give 1 or more.")
        for name in ("normal_radius", "max_distance_ratio", "unknown_radius", "sharpness"):
            _check(name, getattr(self, name))
        for condition, bound in self.max_uncertainty.items():
            _check(f"max_uncertainty of {condition!r}", bound)


def _check(name: str, value: float) -> None:
    if not value >= 0:
        raise UsageError(f"{name} is {value}, but must be 0 or more; give another number.")


def raw_verdicts(matches: Matches, ready: BoolArray, rule: Rule) -> IntArray:
    """(N,) codes of what each window says by itself: an index into `matches.conditions`, or a VerdictCode.

    `ready` (N,): the window is whole and its node has a baseline.
    """
    distances = matches.distances
    normal = distances[:, NORMAL_INDEX]
    faults = distances.copy()
    faults[:, NORMAL_INDEX] = np.inf
    nearest = np.argmin(faults, axis=1)
    distance = faults[np.arange(len(faults)), nearest]
    away = normal > rule.normal_radius
    codes = np.where(away & (distance < np.float32(rule.max_distance_ratio) * normal), nearest, NORMAL_INDEX)
    codes[away & (np.minimum(distance, normal) > rule.unknown_radius)] = VerdictCode.UNKNOWN
    bounds = np.array([rule.max_uncertainty.get(name, np.inf) for name in matches.conditions], np.float32)
    uncertain = matches.uncertainty > bounds[np.maximum(codes, NORMAL_INDEX)]
    codes[(codes > NORMAL_INDEX) & uncertain] = VerdictCode.UNKNOWN
    codes[~ready] = VerdictCode.WARMING_UP
    return codes


def with_silence(codes: IntArray, silent: BoolArray) -> IntArray:
    """The verdict codes (N,), but no-traffic for nodes that are `silent` (N,) and have no named fault."""
    return np.where(silent & (codes <= NORMAL_INDEX), VerdictCode.NO_TRAFFIC, codes)


def is_fault(codes: IntArray) -> BoolArray:
    """Which verdict codes are of a fault: a known or an unknown one, or no traffic; same shape."""
    fault: BoolArray = (codes != VerdictCode.NORMAL) & (codes != VerdictCode.WARMING_UP)
    return fault


def verdict_names(codes: IntArray, conditions: Sequence[str]) -> list[str]:
    """The condition that each code (N,) stands for, or the word for its VerdictCode."""
    return [_WORDS[VerdictCode(code)] if code < 0 else conditions[code] for code in codes.tolist()]


@dataclass(frozen=True, slots=True)
class DebounceState:
    """Of N nodes: the verdict (N,), the candidate (N,) that contradicts it, and its minutes in a row `count` (N,).

    Without a candidate that is VerdictCode.WARMING_UP, and the count 0.
    """

    verdict: IntArray
    candidate: IntArray
    count: IntArray

    @classmethod
    def initial(cls, nodes: int) -> Self:
        """Nodes without any verdict yet."""
        return cls(
            np.full(nodes, VerdictCode.WARMING_UP), np.full(nodes, VerdictCode.WARMING_UP), np.zeros(nodes, np.int64)
        )


def debounce(raw: IntArray, persistence: int, state: DebounceState | None = None) -> tuple[IntArray, DebounceState]:
    """The verdicts (N, M) that follow N nodes' raw verdicts (N, M) of M minutes, and the state to go on from.

    Works on all minutes at once: a verdict is the last raw verdict that was confirmed. A raw verdict is confirmed if it
    is warming-up, if it ends `persistence` equal ones, or if it is normal after warming-up.
    """
    state = state or DebounceState.initial(len(raw))
    if raw.shape[1] == 0:
        return raw, state
    minute = np.arange(raw.shape[1])
    changed = np.ones(raw.shape, np.bool_)
    changed[:, 1:] = raw[:, 1:] != raw[:, :-1]
    first = np.maximum.accumulate(np.where(changed, minute, 0), axis=1)
    continued = (first == 0) & (raw[:, :1] == state.candidate[:, None])
    count = minute - first + 1 + np.where(continued, state.count[:, None], 0)
    confirmed = (raw == VerdictCode.WARMING_UP) | (count >= persistence)
    warming = _last(confirmed, raw, state.verdict) == VerdictCode.WARMING_UP
    verdict = _last(confirmed | (warming & (raw == VerdictCode.NORMAL)), raw, state.verdict)
    pending = verdict[:, -1] != raw[:, -1]
    candidate = np.where(pending, raw[:, -1], VerdictCode.WARMING_UP)
    return verdict, DebounceState(verdict[:, -1], candidate, np.where(pending, count[:, -1], 0))


def _last(chosen: BoolArray, values: IntArray, before: IntArray) -> IntArray:
    """(N, M) the last of the `values` (N, M) that is `chosen`, up to each minute; `before` (N,) if none is yet."""
    index = np.maximum.accumulate(np.where(chosen, np.arange(values.shape[1]), -1), axis=1)
    latest = np.take_along_axis(values, np.maximum(index, 0), axis=1)
    return np.where(index >= 0, latest, before[:, None])
