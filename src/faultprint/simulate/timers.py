"""How often an unanswered SIP request is sent again (RFC 3261, 17.1 and Timer values in its table 4).

Timer A (INVITE) doubles without a limit, Timer E (all else) doubles up to T2; both end 64 × T1 after the request. TS 24.229,
table 7.7.1, keeps T1 = 500 ms inside the core and recommends 2 s (T2 16 s) on the radio side.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

GIVE_UP: Final = 32.0
"""Seconds after which a request without an answer counts as timed out: 64 × T1 with T1 = 500 ms."""

TCP_RTO: Final = 0.25
"""Seconds before a lost segment is sent again the first time (RFC 6298 allows 1 s; stacks start near 200 ms)."""


def sent_again(t1: float, *, invite: bool) -> npt.NDArray[np.float64]:
    """Seconds after the request at which it is sent again, up to GIVE_UP: at T1 = 0.5 s ten times, or six for INVITE."""
    times, wait, at = [], t1, t1
    while at < GIVE_UP:
        times.append(at)
        wait = 2 * wait if invite else min(2 * wait, 8 * t1)
        at += wait
    return np.array(times)


def times_sent_again(
    answered: npt.NDArray[np.floating], t1: npt.NDArray[np.floating], invite: npt.NDArray[np.bool_]
) -> npt.NDArray[np.uint32]:
    """Retransmissions over UDP of requests first answered `answered` seconds after they were sent, (n,) each."""
    result = np.zeros(len(answered), dtype=np.uint32)
    late = np.flatnonzero(answered > t1)
    for value in np.unique(t1[late]):
        for is_invite in (False, True):
            rows = late[(t1[late] == value) & (invite[late] == is_invite)]
            schedule = sent_again(float(value), invite=is_invite)
            result[rows] = np.searchsorted(schedule, answered[rows], side="left")
    return result


def sent_after(
    after: npt.NDArray[np.floating], t1: npt.NDArray[np.floating], invite: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """When a request over UDP is first sent once `after` seconds have passed since the first time; inf if never, (n,)."""
    result = np.zeros(len(after))
    late = np.flatnonzero(after > 0)
    for value in np.unique(t1[late]):
        for is_invite in (False, True):
            rows = late[(t1[late] == value) & (invite[late] == is_invite)]
            schedule = np.concatenate([sent_again(float(value), invite=is_invite), [np.inf]])
            result[rows] = schedule[np.searchsorted(schedule, after[rows], side="left")]
    return result


def tcp_sent_after(after: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """When TCP first sends a segment once `after` seconds have passed since the first time, (n,)."""
    losses = np.ceil(np.log2(1 + np.maximum(after, 0) / TCP_RTO))
    sent: npt.NDArray[np.float64] = TCP_RTO * (np.exp2(losses) - 1)
    return sent


def wait_after_losses(
    losses: npt.NDArray[np.integer], t1: npt.NDArray[np.floating], invite: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Seconds until the transmission that gets through, after `losses` lost ones over UDP; inf when none does."""
    result = np.zeros(len(losses))
    lost = np.flatnonzero(losses)
    for value in np.unique(t1[lost]):
        for is_invite in (False, True):
            rows = lost[(t1[lost] == value) & (invite[lost] == is_invite)]
            schedule = np.concatenate([[0.0], sent_again(float(value), invite=is_invite), [np.inf]])
            result[rows] = schedule[np.minimum(losses[rows], len(schedule) - 1)]
    return result


def tcp_wait_after_losses(losses: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """Seconds that TCP needs to bring a segment through after `losses` lost copies (doubling, RFC 6298, 5.5)."""
    return TCP_RTO * (np.exp2(losses.astype(np.float64)) - 1)
