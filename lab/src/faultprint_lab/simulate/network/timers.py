"""How often an unanswered SIP request is sent again (RFC 3261, 17.1 and Timer values in its table 4).

Timer A (INVITE) doubles without a limit, Timer E (all else) doubles up to T2; both end 64 × T1 after the request. TS 24.229,
table 7.7.1, keeps T1 = 500 ms inside the core and recommends 2 s (T2 16 s) on the radio side.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from faultprint.arrays import BoolArray, Float64Array

Rows = npt.NDArray[np.intp]

GIVE_UP: Final = 32.0
"""Seconds after which a request without an answer counts as timed out: 64 × T1 with T1 = 500 ms."""

TCP_RTO: Final = 0.25
"""Seconds before a lost segment is sent again the first time (RFC 6298 allows 1 s; stacks start near 200 ms)."""


def sent_again(t1: float, *, invite: bool) -> Float64Array:
    """Seconds after the request at which it is sent again, up to GIVE_UP: at T1 = 0.5 s ten times, or six for INVITE."""
    times, wait, at = [], t1, t1
    while at < GIVE_UP:
        times.append(at)
        wait = 2 * wait if invite else min(2 * wait, 8 * t1)
        at += wait
    return np.array(times)


def times_sent_again(
    answered: npt.NDArray[np.floating], t1: npt.NDArray[np.floating], invite: BoolArray
) -> npt.NDArray[np.uint32]:
    """Retransmissions over UDP of requests first answered `answered` seconds after they were sent, (n,) each."""

    def count(schedule: Float64Array, rows: Rows) -> Float64Array:
        return np.searchsorted(schedule, answered[rows], side="left").astype(np.float64)

    return _by_schedule(answered > t1, t1, invite, count).astype(np.uint32)


def sent_after(after: npt.NDArray[np.floating], t1: npt.NDArray[np.floating], invite: BoolArray) -> Float64Array:
    """When a request over UDP is first sent once `after` seconds have passed since the first time; inf if never, (n,)."""

    def first(schedule: Float64Array, rows: Rows) -> Float64Array:
        found: Float64Array = np.append(schedule, np.inf)[np.searchsorted(schedule, after[rows], side="left")]
        return found

    return _by_schedule(after > 0, t1, invite, first)


def tcp_sent_after(after: npt.NDArray[np.floating]) -> Float64Array:
    """When TCP first sends a segment once `after` seconds have passed since the first time, (n,)."""
    losses = np.ceil(np.log2(1 + np.maximum(after, 0) / TCP_RTO))
    sent: Float64Array = TCP_RTO * (np.exp2(losses) - 1)
    return sent


def wait_after_losses(losses: npt.NDArray[np.integer], t1: npt.NDArray[np.floating], invite: BoolArray) -> Float64Array:
    """Seconds until the transmission that gets through, after `losses` lost ones over UDP; inf when none does."""

    def next_one(schedule: Float64Array, rows: Rows) -> Float64Array:
        found: Float64Array = np.append(schedule, np.inf)[np.minimum(losses[rows] - 1, len(schedule))]
        return found

    return _by_schedule(losses > 0, t1, invite, next_one)


def _by_schedule(
    concerned: BoolArray,
    t1: npt.NDArray[np.floating],
    invite: BoolArray,
    look_up: Callable[[Float64Array, Rows], Float64Array],
) -> Float64Array:
    """(n,) what `look_up` finds in the times at which requests are sent again, for the rows of each T1 and kind; 0 elsewhere."""
    result = np.zeros(len(concerned))
    late = np.flatnonzero(concerned)
    for value in np.unique(t1[late]):
        for is_invite in (False, True):
            rows = late[(t1[late] == value) & (invite[late] == is_invite)]
            result[rows] = look_up(sent_again(float(value), invite=is_invite), rows)
    return result


def tcp_wait_after_losses(losses: npt.NDArray[np.integer]) -> Float64Array:
    """Seconds that TCP needs to bring a segment through after `losses` lost copies (doubling, RFC 6298, 5.5)."""
    return TCP_RTO * (np.exp2(losses.astype(np.float64)) - 1)
