"""The tally: integer counts of an interval, and the features computed from them.

Counting (`tally_events`) is separate from dividing (`Tally.values`). Fractions occur only there: one division of two
integers in float64, then rounding to float32. The same integers always give the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from faultprint.arrays import BoolArray, Float32Array, Float64Array, IntArray
from faultprint.features import outcomes
from faultprint.features.catalogue import SIP_CATALOGUE
from faultprint.features.operations import OPERATIONS
from faultprint.features.outcomes import SHARES, SUCCESS, TransactionOutcome
from faultprint.features.quantiles import MEDIAN, P95, nearest_rank_quantiles
from faultprint.tables import Direction, Method
from faultprint.units import SECOND_US

OPEN: Final = "node.open"
"""The only feature that needs more than its interval. The caller fills it in, from all intervals of the coverage."""

_N: Final = len(OPERATIONS)
_INVITES_IN: Final = outcomes.operation_indices(Direction.IN, Method.INVITE_ORIGINATING, Method.INVITE_TERMINATING)
_REGISTERS_IN: Final = outcomes.operation_indices(
    Direction.IN, Method.REGISTER_INITIAL, Method.REGISTER_REFRESH, Method.REGISTER_DEREGISTRATION
)
_IN: Final = [index for index, operation in enumerate(OPERATIONS) if operation.direction == Direction.IN]
_OUT: Final = [index for index, operation in enumerate(OPERATIONS) if operation.direction == Direction.OUT]
_IS_INVITE_IN: Final = np.isin(np.arange(_N), _INVITES_IN)
_IS_SUCCESS: Final = np.isin(np.arange(len(TransactionOutcome)), SUCCESS)


@dataclass(frozen=True, slots=True)
class Requests:
    """N requests that started; all arrays (N,).

    row         row of the interval
    operation   index into OPERATIONS
    user        keyed hash of the subscriber, 0 where unknown
    has_user    whether the subscriber is known
    """

    row: IntArray
    operation: IntArray
    user: npt.NDArray[np.uint64]
    has_user: BoolArray


@dataclass(frozen=True, slots=True)
class Completions:
    """N transactions that completed; all arrays (N,). Durations are in µs, negative where there is none.

    row           row of the interval
    operation     index into OPERATIONS
    outcome       `TransactionOutcome`
    duration      start to completion
    provisional   start to the 18x response, or without one to the first 1xx
    ringing       start to the 18x response
    session       of a BYE: session duration (RFC 6076, SDT)
    """

    row: IntArray
    operation: IntArray
    outcome: IntArray
    duration: IntArray
    provisional: IntArray
    ringing: IntArray
    session: IntArray
    retransmissions: IntArray
    response_retransmissions: IntArray
    messages: IntArray
    bytes: IntArray


@dataclass(frozen=True, slots=True)
class Tally:
    """Integers by interval (R rows). Durations are in µs, negative where there is none."""

    attempts: IntArray  # (R, operations)
    outcomes: IntArray  # (R, operations, outcomes)
    retransmissions: IntArray  # (R, operations)
    bytes: IntArray  # (R, operations)
    provisional: IntArray  # (R, operations), median
    duration: IntArray  # (2, R, operations), median and 95th percentile
    ringing: IntArray  # (R,), 95th percentile, INVITEs received
    session: IntArray  # (R,), sum
    sessions: IntArray  # (R,), how many
    messages: IntArray  # (R,)
    response_retransmissions: IntArray  # (R,)
    users: IntArray  # (R,)

    def values(self) -> Float32Array:
        """(132, R) float32 in the catalogue's order; NaN where there is no value, and in the row of OPEN."""
        columns = _operations(self) | _indicators(self)
        missing = np.full(len(self.users), np.nan)
        return np.stack([columns.get(name, missing).astype(np.float32) for name in SIP_CATALOGUE.names])


def tally_events(started: Requests, completed: Completions, rows: int) -> Tally:
    """The tally of R = `rows` intervals."""
    size = rows * _N
    key = completed.row * _N + completed.operation
    answered = completed.outcome != TransactionOutcome.NO_ANSWER
    provisional = completed.provisional >= 0
    ringing = _IS_INVITE_IN[completed.operation] & (completed.ringing >= 0)
    ended = _IS_SUCCESS[completed.outcome] & (completed.session >= 0)
    classes = np.bincount(key * len(TransactionOutcome) + completed.outcome, minlength=size * len(TransactionOutcome))
    return Tally(
        attempts=np.bincount(started.row * _N + started.operation, minlength=size).reshape(rows, _N),
        outcomes=classes.reshape(rows, _N, len(TransactionOutcome)),
        retransmissions=_sums(key, completed.retransmissions, size).reshape(rows, _N),
        bytes=_sums(key, completed.bytes, size).reshape(rows, _N),
        provisional=nearest_rank_quantiles(key[provisional], completed.provisional[provisional], size, MEDIAN).reshape(
            rows, _N
        ),
        duration=nearest_rank_quantiles(key[answered], completed.duration[answered], size, MEDIAN, P95).reshape(
            2, rows, _N
        ),
        ringing=nearest_rank_quantiles(completed.row[ringing], completed.ringing[ringing], rows, P95)[0],
        session=_sums(completed.row[ended], completed.session[ended], rows),
        sessions=np.bincount(completed.row[ended], minlength=rows),
        messages=_sums(completed.row, completed.messages, rows),
        response_retransmissions=_sums(completed.row, completed.response_retransmissions, rows),
        users=_distinct_users(started, rows),
    )


def _sums(index: IntArray, amount: IntArray, size: int) -> IntArray:
    """Exact sums of integers by index. The weights of `bincount` would be rounded beyond 2^53."""
    total = np.zeros(size, dtype=np.int64)
    np.add.at(total, index, amount)
    return total


def _distinct_users(started: Requests, rows: int) -> IntArray:
    """(rows,) number of distinct users. Each row has few, mostly adjacent, so sorting row by row is fastest."""
    row, user = started.row[started.has_user], started.user[started.has_user]
    if np.any(row[1:] < row[:-1]):
        order = np.argsort(row.astype(np.min_scalar_type(rows)), kind="stable")
        row, user = row[order], user[order]
    distinct = np.zeros(rows, dtype=np.int64)
    count = np.bincount(row, minlength=rows)
    end = np.cumsum(count)
    for index in np.flatnonzero(count).tolist():
        users = np.sort(user[end[index] - count[index] : end[index]])
        distinct[index] = 1 + np.count_nonzero(users[1:] != users[:-1])
    return distinct


def _ratio(numerator: IntArray, denominator: IntArray) -> Float64Array:
    """numerator / denominator, NaN where the denominator is 0."""
    quotient = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient


def _seconds(duration: IntArray) -> Float64Array:
    return np.where(duration < 0, np.nan, duration / SECOND_US)


def _total(tally: Tally, operations: tuple[int, ...], classes: tuple[TransactionOutcome, ...]) -> IntArray:
    """(R,) number of these outcomes in these operations."""
    total: IntArray = tally.outcomes[:, list(operations)][:, :, list(classes)].sum(axis=(1, 2))
    return total


def _operations(tally: Tally) -> dict[str, Float64Array]:
    columns: dict[str, Float64Array] = {}
    for index, operation in enumerate(OPERATIONS):
        total = _total(tally, (index,), tuple(TransactionOutcome))
        statistics = {
            "attempts": tally.attempts[:, index].astype(np.float64),
            **{share: _ratio(_total(tally, (index,), classes), total) for share, classes in SHARES.items()},
            "retransmission_share": _ratio(tally.retransmissions[:, index], total),
            "provisional_delay": _seconds(tally.provisional[:, index]),
            "delay_median": _seconds(tally.duration[0, :, index]),
            "delay_p95": _seconds(tally.duration[1, :, index]),
            "bytes_mean": _ratio(tally.bytes[:, index], total),
        }
        columns |= {f"{operation.key}.{key}": values for key, values in statistics.items()}
    return columns


def _indicators(tally: Tally) -> dict[str, Float64Array]:
    invites = _total(tally, _INVITES_IN, tuple(TransactionOutcome))
    unredirected = invites - _total(tally, _INVITES_IN, (TransactionOutcome.REDIRECTION,))
    unchallenged = _total(
        tally,
        _REGISTERS_IN,
        tuple(outcome for outcome in TransactionOutcome if outcome != TransactionOutcome.CHALLENGE),
    )
    total = tally.outcomes.sum(axis=(1, 2))
    return {
        "node.ser": _ratio(_total(tally, _INVITES_IN, (TransactionOutcome.OK,)), unredirected),
        "node.seer": _ratio(_total(tally, _INVITES_IN, outcomes.EFFECTIVE), unredirected),
        "node.isa": _ratio(_total(tally, _INVITES_IN, outcomes.INEFFECTIVE), invites),
        "node.ira": _ratio(_total(tally, _REGISTERS_IN, outcomes.REGISTRATION_FAILED), unchallenged),
        "node.srd_p95": _seconds(tally.ringing),
        "node.sdt_mean": _ratio(tally.session, tally.sessions * SECOND_US),
        "node.messages": tally.messages.astype(np.float64),
        "node.bytes": tally.bytes.sum(axis=1).astype(np.float64),
        "node.users": tally.users.astype(np.float64),
        "node.response_retransmission_share": _ratio(tally.response_retransmissions, total),
        "node.forwarded_share": _ratio(tally.attempts[:, _OUT].sum(axis=1), tally.attempts[:, _IN].sum(axis=1)),
    }
