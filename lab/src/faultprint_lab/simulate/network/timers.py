"""When an unanswered SIP request is retransmitted (RFC 3261, 17.1 and table 4).

Timer A (INVITE) doubles without a limit. Timer E (all other requests) doubles up to T2. Both end 64 × T1 after the
request. TS 24.229, table 7.7.1: T1 is 500 ms in the core; 2 s is recommended on the radio side (T2 16 s).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from faultprint.arrays import BoolArray, Float64Array

Rows = npt.NDArray[np.intp]

TIMEOUT: Final = 32.0
"""Seconds after which a request without a response has timed out: 64 × T1 with T1 = 500 ms."""

TCP_RTO: Final = 0.25
"""Seconds before the first retransmission of a TCP segment (RFC 6298 allows 1 s; real stacks start near 0.2 s)."""


def retransmission_times(t1: float, *, invite: bool) -> Float64Array:
    """Times of retransmission in seconds after the request, up to TIMEOUT: with T1 = 0.5 s ten, or six for INVITE."""
    times, wait, time = [], t1, t1
    while time < TIMEOUT:
        times.append(time)
        wait = 2 * wait if invite else min(2 * wait, 8 * t1)
        time += wait
    return np.array(times)


def count_retransmissions(
    answered: npt.NDArray[np.floating], t1: npt.NDArray[np.floating], invite: BoolArray
) -> npt.NDArray[np.uint32]:
    """Number of retransmissions over UDP of requests first answered `answered` seconds after the request, (n,)."""

    def count(schedule: Float64Array, rows: Rows) -> Float64Array:
        return np.searchsorted(schedule, answered[rows], side="left").astype(np.float64)

    return _by_schedule(answered > t1, t1, invite, count).astype(np.uint32)


def next_transmission(after: npt.NDArray[np.floating], t1: npt.NDArray[np.floating], invite: BoolArray) -> Float64Array:
    """Time of the first transmission over UDP at least `after` seconds after the request, (n,); inf if there is none."""

    def first(schedule: Float64Array, rows: Rows) -> Float64Array:
        times: Float64Array = np.append(schedule, np.inf)[np.searchsorted(schedule, after[rows], side="left")]
        return times

    return _by_schedule(after > 0, t1, invite, first)


def tcp_next_transmission(after: npt.NDArray[np.floating]) -> Float64Array:
    """Time of the first TCP transmission at least `after` seconds after the first one, (n,)."""
    losses = np.ceil(np.log2(1 + np.maximum(after, 0) / TCP_RTO))
    times: Float64Array = TCP_RTO * (np.exp2(losses) - 1)
    return times


def delay_after_losses(
    losses: npt.NDArray[np.integer], t1: npt.NDArray[np.floating], invite: BoolArray
) -> Float64Array:
    """Seconds until the first successful transmission over UDP after `losses` lost ones, (n,); inf if none succeeds."""

    def delay(schedule: Float64Array, rows: Rows) -> Float64Array:
        times: Float64Array = np.append(schedule, np.inf)[np.minimum(losses[rows] - 1, len(schedule))]
        return times

    return _by_schedule(losses > 0, t1, invite, delay)


def _by_schedule(
    selected: BoolArray,
    t1: npt.NDArray[np.floating],
    invite: BoolArray,
    look_up: Callable[[Float64Array, Rows], Float64Array],
) -> Float64Array:
    """Apply `look_up` to the retransmission times of each T1 and kind, for the `selected` rows; 0 elsewhere, (n,)."""
    result = np.zeros(len(selected))
    late = np.flatnonzero(selected)
    for value in np.unique(t1[late]):
        for is_invite in (False, True):
            rows = late[(t1[late] == value) & (invite[late] == is_invite)]
            result[rows] = look_up(retransmission_times(float(value), invite=is_invite), rows)
    return result


def tcp_delay_after_losses(losses: npt.NDArray[np.integer]) -> Float64Array:
    """Seconds until TCP delivers a segment after `losses` lost copies (doubling, RFC 6298, 5.5), (n,)."""
    return TCP_RTO * (np.exp2(losses.astype(np.float64)) - 1)
