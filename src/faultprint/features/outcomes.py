"""Look-up tables: a transaction's operation by direction and method, and its outcome by final status.

Batch processing, live processing and documentation all use these tables, so that they follow the same rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from faultprint.features.operations import OPERATIONS
from faultprint.tables import Direction, Method, Protocol

NO_STATUS: Final = 65_536
"""A missing status in arrays. It is not a 16-bit number."""


class TransactionOutcome(IntEnum):
    """Classes of final status, as the catalogue and RFC 6076 need them."""

    OK = 0
    OTHER_SUCCESS = 1
    REDIRECTION = 2
    CHALLENGE = 3
    USER_UNAVAILABLE = 4
    CANCELLED = 5
    CLIENT_ERROR = 6
    SERVER_INEFFECTIVE = 7
    OTHER_SERVER_ERROR = 8
    REQUEST_TIMEOUT = 9
    NO_ANSWER = 10


OUTCOME_DESCRIPTIONS: Final[Mapping[TransactionOutcome, str]] = {
    TransactionOutcome.OK: "200",
    TransactionOutcome.OTHER_SUCCESS: "other 2xx",
    TransactionOutcome.REDIRECTION: "3xx",
    TransactionOutcome.CHALLENGE: "401, 407",
    TransactionOutcome.USER_UNAVAILABLE: "480, 486, 600, 603",
    TransactionOutcome.CANCELLED: "487",
    TransactionOutcome.CLIENT_ERROR: "other 4xx and 6xx",
    TransactionOutcome.SERVER_INEFFECTIVE: "500, 503, 504",
    TransactionOutcome.OTHER_SERVER_ERROR: "other 5xx",
    TransactionOutcome.REQUEST_TIMEOUT: "408",
    TransactionOutcome.NO_ANSWER: "no answer",
}
"""The statuses of each class, for readers. A test compares it with OUTCOME_OF_STATUS."""

_BY_CLASS: Final = {
    2: TransactionOutcome.OTHER_SUCCESS,
    3: TransactionOutcome.REDIRECTION,
    4: TransactionOutcome.CLIENT_ERROR,
    5: TransactionOutcome.OTHER_SERVER_ERROR,
    6: TransactionOutcome.CLIENT_ERROR,
}
_BY_STATUS: Final = {
    200: TransactionOutcome.OK,
    401: TransactionOutcome.CHALLENGE,
    407: TransactionOutcome.CHALLENGE,
    408: TransactionOutcome.REQUEST_TIMEOUT,
    480: TransactionOutcome.USER_UNAVAILABLE,
    486: TransactionOutcome.USER_UNAVAILABLE,
    487: TransactionOutcome.CANCELLED,
    600: TransactionOutcome.USER_UNAVAILABLE,
    603: TransactionOutcome.USER_UNAVAILABLE,
    500: TransactionOutcome.SERVER_INEFFECTIVE,
    503: TransactionOutcome.SERVER_INEFFECTIVE,
    504: TransactionOutcome.SERVER_INEFFECTIVE,
    NO_STATUS: TransactionOutcome.NO_ANSWER,
}

IMPOSSIBLE: Final = 255
"""Entry of OUTCOME_OF_STATUS for a number that is not a final SIP status (RFC 3261, 7.2: 200 to 699)."""


def _outcome_of_status() -> npt.NDArray[np.uint8]:
    table = np.full(NO_STATUS + 1, IMPOSSIBLE, dtype=np.uint8)
    for hundred, outcome in _BY_CLASS.items():
        table[hundred * 100 : hundred * 100 + 100] = outcome
    for status, outcome in _BY_STATUS.items():
        table[status] = outcome
    return table


OUTCOME_OF_STATUS: Final = _outcome_of_status()
"""(65537,) uint8: the TransactionOutcome of a final status or of NO_STATUS, or IMPOSSIBLE."""

SUCCESS: Final = (TransactionOutcome.OK, TransactionOutcome.OTHER_SUCCESS)

SHARES: Final[Mapping[str, tuple[TransactionOutcome, ...]]] = {
    "success_share": SUCCESS,
    "challenge_share": (TransactionOutcome.CHALLENGE,),
    "user_share": (TransactionOutcome.REDIRECTION, TransactionOutcome.USER_UNAVAILABLE, TransactionOutcome.CANCELLED),
    "client_error_share": (TransactionOutcome.CLIENT_ERROR,),
    "server_error_share": (TransactionOutcome.SERVER_INEFFECTIVE, TransactionOutcome.OTHER_SERVER_ERROR),
    "timeout_share": (TransactionOutcome.REQUEST_TIMEOUT, TransactionOutcome.NO_ANSWER),
}
"""The outcomes that each share of an operation counts. Every outcome belongs to exactly one share."""

EFFECTIVE: Final = (TransactionOutcome.OK, TransactionOutcome.USER_UNAVAILABLE)
"""Numerator of SEER (RFC 6076, 4.7)."""
INEFFECTIVE: Final = (
    TransactionOutcome.SERVER_INEFFECTIVE,
    TransactionOutcome.REQUEST_TIMEOUT,
    TransactionOutcome.NO_ANSWER,
)
"""Numerator of ISA (RFC 6076, 4.8); a request without an answer counts like a 408."""
REGISTRATION_FAILED: Final = tuple(
    outcome
    for outcome in TransactionOutcome
    if outcome not in (*SUCCESS, TransactionOutcome.REDIRECTION, TransactionOutcome.CHALLENGE)
)
"""Numerator of IRA (RFC 6076, 4.2). A challenge is not a failure."""

DIRECTIONS: Final = tuple(Direction)
METHODS: Final = tuple(Method)
PROTOCOLS: Final = tuple(Protocol)
NO_OPERATION: Final = 255


def direction_method_index(direction: Direction, method: Method) -> int:
    """The index of the pair in OPERATION_OF."""
    return DIRECTIONS.index(direction) * len(METHODS) + METHODS.index(method)


def _operation_of() -> npt.NDArray[np.uint8]:
    table = np.full(len(DIRECTIONS) * len(METHODS), NO_OPERATION, dtype=np.uint8)
    for index, operation in enumerate(OPERATIONS):
        for method in operation.methods:
            table[direction_method_index(operation.direction, method)] = index
    return table


OPERATION_OF: Final = _operation_of()
"""(directions × methods,) uint8: index into OPERATIONS, or NO_OPERATION for a method that SIP does not have."""


def operation_indices(direction: Direction, *methods: Method) -> tuple[int, ...]:
    """The indices of the operations that count these methods in this direction."""
    return tuple(sorted({int(OPERATION_OF[direction_method_index(direction, method)]) for method in methods}))
