"""The states of a SIP transaction as a passive observer sees them (RFC 3261, section 17; RFC 6026).

The observer sees both ends, so client and server transaction are one here. The four state machines of the RFC become
one table: (INVITE or not, state, event) → (next state, effect). Each timer is a queue in which transactions wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final


class TransactionState(IntEnum):
    CALLING = 0
    """No response yet (Calling or Trying in the RFC)."""
    PROCEEDING = 1
    """A provisional response came."""
    COMPLETED = 2
    """A final response came. For an INVITE: one from 300 up, without its ACK yet."""
    ACCEPTED = 3
    """A 2xx response to an INVITE came (RFC 6026), without its ACK yet."""
    CONFIRMED = 4
    """The ACK came."""
    TIMED_OUT = 5
    """No final response came in time."""


class TransactionEvent(IntEnum):
    REQUEST = 0
    """The request was sent again."""
    ACK = 1
    PROVISIONAL = 2
    SUCCESS = 3
    """2xx."""
    FAILURE = 4
    """3xx to 6xx."""
    TIMER = 5


class Effect(IntEnum):
    COUNT = 0
    """Only count the message."""
    REQUEST_AGAIN = 1
    """Count a retransmission of the request."""
    PROVISIONAL_RESPONSE = 2
    """Record the provisional response. Count a retransmission if the same bytes came before."""
    FINAL_RESPONSE = 3
    """Record the final response."""
    SUCCESS_RESPONSE = 4
    """Record the final response, and what a success means for bindings and calls."""
    RESPONSE_AGAIN = 5
    """Count a retransmission of the response, unless it is the response of another fork."""
    TIME_OUT = 6
    REMOVE = 7


class Queue(IntEnum):
    """The queues in which transactions wait. Each is in order of deadline."""

    WAITING = 0
    RINGING = 1
    DONE = 2


T1_US: Final = 500_000
"""Estimate of the round-trip time (RFC 3261, 17.1.1.1)."""

SIP_DURATIONS_US: Final = (
    64 * T1_US,  # WAITING: timers B and F
    181_000_000,  # RINGING: timer C, more than three minutes since the last provisional response (16.6, step 11)
    64 * T1_US,  # DONE: timers D, H, I, J, K, L at their longest; later retransmissions still belong to the transaction
)
"""Queue → µs."""

DIAMETER_DURATIONS_US: Final = (10_000_000, 10_000_000, 30_000_000)
"""Queue → µs for Diameter.

RFC 6733 leaves the answer timeout to the application. The only value in a standard is 10 s (timer Tx of RFC 8506, 13).
After a connection failure, requests are sent again when the watchdog has noticed it (Tw of RFC 3539, 30 s).
"""

Transitions = Mapping[tuple[TransactionState, TransactionEvent], tuple[TransactionState, Effect]]
StateTable = tuple[tuple[tuple[int, int], ...], ...]
"""Indexed by state, then event: next state and effect."""

_S, _E = TransactionState, TransactionEvent
_AFTER_FINAL: Final = {
    _E.PROVISIONAL: Effect.COUNT,
    _E.SUCCESS: Effect.RESPONSE_AGAIN,
    _E.FAILURE: Effect.RESPONSE_AGAIN,
    _E.REQUEST: Effect.REQUEST_AGAIN,
    _E.TIMER: Effect.REMOVE,
}


def _open(state: TransactionState, success: TransactionState) -> Transitions:
    return {
        (state, _E.REQUEST): (state, Effect.REQUEST_AGAIN),
        (state, _E.ACK): (state, Effect.COUNT),
        (state, _E.PROVISIONAL): (_S.PROCEEDING, Effect.PROVISIONAL_RESPONSE),
        (state, _E.SUCCESS): (success, Effect.SUCCESS_RESPONSE),
        (state, _E.FAILURE): (_S.COMPLETED, Effect.FINAL_RESPONSE),
        (state, _E.TIMER): (_S.TIMED_OUT, Effect.TIME_OUT),
    }


def _final(state: TransactionState, acknowledged: TransactionState) -> Transitions:
    transitions = {(state, event): (state, effect) for event, effect in _AFTER_FINAL.items()}
    return transitions | {(state, _E.ACK): (acknowledged, Effect.COUNT)}


# A message after the timeout does not change the outcome.
_TIMED_OUT: Final[Transitions] = {
    (_S.TIMED_OUT, event): (_S.TIMED_OUT, Effect.COUNT) for event in (_E.ACK, _E.PROVISIONAL, _E.SUCCESS, _E.FAILURE)
} | {
    (_S.TIMED_OUT, _E.REQUEST): (_S.TIMED_OUT, Effect.REQUEST_AGAIN),
    (_S.TIMED_OUT, _E.TIMER): (_S.TIMED_OUT, Effect.REMOVE),
}

INVITE: Final[Transitions] = {
    **_open(_S.CALLING, _S.ACCEPTED),
    **_open(_S.PROCEEDING, _S.ACCEPTED),
    **_final(_S.COMPLETED, _S.CONFIRMED),
    **_final(_S.ACCEPTED, _S.CONFIRMED),
    **_final(_S.CONFIRMED, _S.CONFIRMED),
    **_TIMED_OUT,
}
NON_INVITE: Final[Transitions] = {
    **_open(_S.CALLING, _S.COMPLETED),
    **_open(_S.PROCEEDING, _S.COMPLETED),
    **_final(_S.COMPLETED, _S.COMPLETED),
    **_TIMED_OUT,
}


# The fast path uses the same tables as plain integers: hashing and indexing with members of an Enum is slow.


def state_table(transitions: Transitions) -> StateTable:
    """The transitions as integers. A state that is never reached has an empty row."""
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


def _event(status: int) -> TransactionEvent:
    if status < 200:
        return TransactionEvent.PROVISIONAL
    return TransactionEvent.SUCCESS if status < 300 else TransactionEvent.FAILURE


QUEUE_OF_STATE: Final = tuple(
    tuple(int(_queue(invite, state)) for state in TransactionState) for invite in (False, True)
)
"""INVITE or not, then state → queue."""

EVENT_OF_STATUS: Final = tuple(int(_event(status)) for status in range(700))
"""SIP status code → event."""

INVITE_TABLE: Final = state_table(INVITE)
NON_INVITE_TABLE: Final = state_table(NON_INVITE)
"""For any other SIP request, and for every Diameter request."""
