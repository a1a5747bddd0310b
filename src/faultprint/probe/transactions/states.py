"""The states of a SIP transaction as an observer beside the wire sees them (RFC 3261, section 17; RFC 6026).

The observer sees both sides at once, so client and server transaction are one; what the RFC does by four machines is
one table here: (is it an INVITE, state, event) → (next state, effect). A state's timer is the queue in which its
transactions wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final


class TransactionState(IntEnum):
    CALLING = 0
    """No answer yet (the RFC's Calling or Trying)."""
    PROCEEDING = 1
    """A provisional answer came."""
    COMPLETED = 2
    """A final answer came; for an INVITE one that is no 2xx, not acknowledged yet."""
    ACCEPTED = 3
    """An INVITE's 2xx came (RFC 6026), not acknowledged yet."""
    CONFIRMED = 4
    """The ACK came."""
    TIMED_OUT = 5
    """No final answer came in time."""


class TransactionEvent(IntEnum):
    REQUEST = 0
    """The request again."""
    ACK = 1
    PROVISIONAL = 2
    SUCCESS = 3
    """2xx."""
    FAILURE = 4
    """3xx to 6xx."""
    TIMER = 5


class Effect(IntEnum):
    NOTE = 0
    """Count the message, no more."""
    REPEAT = 1
    """Count a retransmission of the request."""
    PROGRESS = 2
    """Note the provisional answer; count a retransmission if it is one seen before."""
    ANSWER = 3
    """Note the final answer."""
    SUCCEED = 4
    """Note the final answer, and what follows from its being a good one."""
    ANSWER_AGAIN = 5
    """Count a retransmission of the answer, unless it is another answer (a fork's)."""
    TIME_OUT = 6
    FORGET = 7


class Queue(IntEnum):
    """Where a transaction waits, each in order of its deadline."""

    WAITING = 0
    RINGING = 1
    DONE = 2


T1_US: Final = 500_000
DURATION_US: Final[Mapping[Queue, int]] = {
    Queue.WAITING: 64 * T1_US,  # Timers B and F
    Queue.RINGING: 181_000_000,  # Timer C: more than three minutes since the last provisional answer (16.6, step 11)
    Queue.DONE: 64 * T1_US,  # Timers D, H, I, J, K, L at their longest: what still comes belongs to it
}

_S, _E = TransactionState, TransactionEvent
_ANSWERED: Final = {
    _E.PROVISIONAL: Effect.NOTE,
    _E.SUCCESS: Effect.ANSWER_AGAIN,
    _E.FAILURE: Effect.ANSWER_AGAIN,
    _E.REQUEST: Effect.REPEAT,
    _E.TIMER: Effect.FORGET,
}


def _open(
    state: TransactionState, success: TransactionState
) -> dict[tuple[TransactionState, TransactionEvent], tuple[TransactionState, Effect]]:
    return {
        (state, _E.REQUEST): (state, Effect.REPEAT),
        (state, _E.ACK): (state, Effect.NOTE),
        (state, _E.PROVISIONAL): (_S.PROCEEDING, Effect.PROGRESS),
        (state, _E.SUCCESS): (success, Effect.SUCCEED),
        (state, _E.FAILURE): (_S.COMPLETED, Effect.ANSWER),
        (state, _E.TIMER): (_S.TIMED_OUT, Effect.TIME_OUT),
    }


def _closed(
    state: TransactionState, acknowledged: TransactionState
) -> dict[tuple[TransactionState, TransactionEvent], tuple[TransactionState, Effect]]:
    rows = {(state, event): (state, effect) for event, effect in _ANSWERED.items()}
    return rows | {(state, _E.ACK): (acknowledged, Effect.NOTE)}


# What comes after the timer no longer changes the outcome.
_LATE: Final = {
    (_S.TIMED_OUT, event): (_S.TIMED_OUT, Effect.NOTE) for event in (_E.ACK, _E.PROVISIONAL, _E.SUCCESS, _E.FAILURE)
} | {
    (_S.TIMED_OUT, _E.REQUEST): (_S.TIMED_OUT, Effect.REPEAT),
    (_S.TIMED_OUT, _E.TIMER): (_S.TIMED_OUT, Effect.FORGET),
}

Transitions = Mapping[tuple[TransactionState, TransactionEvent], tuple[TransactionState, Effect]]
Dense = tuple[tuple[tuple[int, int], ...], ...]

INVITE: Final[Transitions] = (
    _open(_S.CALLING, _S.ACCEPTED)
    | _open(_S.PROCEEDING, _S.ACCEPTED)
    | _closed(_S.COMPLETED, _S.CONFIRMED)
    | _closed(_S.ACCEPTED, _S.CONFIRMED)
    | _closed(_S.CONFIRMED, _S.CONFIRMED)
    | _LATE
)
NON_INVITE: Final[Transitions] = (
    _open(_S.CALLING, _S.COMPLETED) | _open(_S.PROCEEDING, _S.COMPLETED) | _closed(_S.COMPLETED, _S.COMPLETED) | _LATE
)


# The same tables for the quick path: plain numbers, since a member of an Enum is hashed and indexed slowly.


def dense(transitions: Transitions) -> Dense:
    """Indexed by state and then event: next state and effect. A state that is never reached has an empty row."""
    return tuple(
        tuple((int(state), int(effect)) for state, effect in (transitions[before, event] for event in TransactionEvent))
        if (before, TransactionEvent.TIMER) in transitions
        else ()
        for before in TransactionState
    )


def _queue(invite: bool, state: TransactionState) -> Queue:
    if state >= TransactionState.COMPLETED:
        return Queue.DONE
    return Queue.RINGING if invite and state is TransactionState.PROCEEDING else Queue.WAITING


QUEUES: Final = tuple(tuple(int(_queue(invite, state)) for state in TransactionState) for invite in (False, True))
"""Whether it is an INVITE, then its state → the queue it waits in."""

DURATIONS: Final = tuple(DURATION_US[queue] for queue in Queue)
"""Queue → µs."""

DIAMETER_DURATIONS: Final = (10_000_000, 10_000_000, 30_000_000)
"""Queue → µs for Diameter. RFC 6733 leaves it to the application how long it waits; ten seconds is the one figure that a
standard gives (timer Tx of RFC 8506, 13). What is sent again after a connection failed comes when the watchdog (Tw of
RFC 3539, 30 s) has noticed."""

EVENTS: Final = tuple(
    int(
        TransactionEvent.PROVISIONAL
        if status < 200
        else TransactionEvent.SUCCESS
        if status < 300
        else TransactionEvent.FAILURE
    )
    for status in range(700)
)
"""Status code → event."""

CALL: Final = dense(INVITE)
EXCHANGE: Final = dense(NON_INVITE)
"""A request and its answer: any other SIP request, and every Diameter request."""
