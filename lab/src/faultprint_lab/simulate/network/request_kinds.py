"""The kinds of requests that cross a P-CSCF.

A request from a handset arrives on Gm and leaves on Mw. A request from the core arrives on Mw and leaves on Gm. Some
requests have only one leg: an OPTIONS that the node answers itself, or a ping that the node sends.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from faultprint.arrays import BoolArray, Float32Array
from faultprint.tables import Method


class RequestKind(IntEnum):
    """Index of a kind in KINDS. Names in `_UE` come from the handset, names in `_CORE` from the core."""

    REG_INITIAL = 0
    REG_REFRESH = 1
    REG_DEREG = 2
    INVITE_ORIG = 3
    INVITE_TERM = 4
    REINVITE_UE = 5
    REINVITE_CORE = 6
    BYE_UE = 7
    BYE_CORE = 8
    CANCEL_UE = 9
    CANCEL_CORE = 10
    PRACK_UE = 11
    PRACK_CORE = 12
    UPDATE_UE = 13
    UPDATE_CORE = 14
    INFO_UE = 15
    REFER_UE = 16
    SUBSCRIBE_UE = 17
    NOTIFY_CORE = 18
    PUBLISH_UE = 19
    MESSAGE_UE = 20
    MESSAGE_CORE = 21
    OPTIONS_UE = 22
    OPTIONS_CORE = 23
    PING_UE = 24
    PING_CORE = 25


@dataclass(frozen=True, slots=True)
class KindInfo:
    """Fixed properties of a kind.

    method            method in the transactions table
    from_ue           whether the request comes from the handset (arrives on Gm)
    request, answer   typical length in bytes
    effort            factor on the response time of the core
    arrives, leaves   which legs exist
    """

    method: Method
    from_ue: bool
    request: int
    answer: int
    effort: float = 1.0
    arrives: bool = True
    leaves: bool = True


KINDS: Final[dict[RequestKind, KindInfo]] = {
    RequestKind.REG_INITIAL: KindInfo(Method.REGISTER_INITIAL, True, 980, 720, 2.4),
    RequestKind.REG_REFRESH: KindInfo(Method.REGISTER_REFRESH, True, 1060, 760, 1.8),
    RequestKind.REG_DEREG: KindInfo(Method.REGISTER_DEREGISTRATION, True, 900, 560, 1.8),
    RequestKind.INVITE_ORIG: KindInfo(Method.INVITE_ORIGINATING, True, 1950, 1250, 1.5),
    RequestKind.INVITE_TERM: KindInfo(Method.INVITE_TERMINATING, False, 2150, 1300, 1.5),
    RequestKind.REINVITE_UE: KindInfo(Method.INVITE_IN_DIALOG, True, 1700, 1200, 1.6),
    RequestKind.REINVITE_CORE: KindInfo(Method.INVITE_IN_DIALOG, False, 1750, 1200, 1.6),
    RequestKind.BYE_UE: KindInfo(Method.BYE, True, 760, 480),
    RequestKind.BYE_CORE: KindInfo(Method.BYE, False, 780, 480),
    RequestKind.CANCEL_UE: KindInfo(Method.CANCEL, True, 620, 410, 0.3),
    RequestKind.CANCEL_CORE: KindInfo(Method.CANCEL, False, 640, 410, 0.3),
    RequestKind.PRACK_UE: KindInfo(Method.PRACK, True, 820, 470),
    RequestKind.PRACK_CORE: KindInfo(Method.PRACK, False, 840, 470),
    RequestKind.UPDATE_UE: KindInfo(Method.UPDATE, True, 1350, 1150),
    RequestKind.UPDATE_CORE: KindInfo(Method.UPDATE, False, 1350, 1150),
    RequestKind.INFO_UE: KindInfo(Method.INFO, True, 820, 430),
    RequestKind.REFER_UE: KindInfo(Method.REFER, True, 900, 470),
    RequestKind.SUBSCRIBE_UE: KindInfo(Method.SUBSCRIBE, True, 880, 560, 1.2),
    RequestKind.NOTIFY_CORE: KindInfo(Method.NOTIFY, False, 1380, 430),
    RequestKind.PUBLISH_UE: KindInfo(Method.PUBLISH, True, 1280, 480, 1.3),
    RequestKind.MESSAGE_UE: KindInfo(Method.MESSAGE, True, 1010, 470, 1.6),
    RequestKind.MESSAGE_CORE: KindInfo(Method.MESSAGE, False, 1090, 440),
    RequestKind.OPTIONS_UE: KindInfo(Method.OPTIONS, True, 560, 460, 0.2, leaves=False),
    RequestKind.OPTIONS_CORE: KindInfo(Method.OPTIONS, False, 430, 420, 0.2, leaves=False),
    # The node sends pings itself: they leave like a request from the other side, but have not arrived.
    RequestKind.PING_UE: KindInfo(Method.OPTIONS, False, 470, 430, 0.8, arrives=False),
    RequestKind.PING_CORE: KindInfo(Method.OPTIONS, True, 440, 410, 0.5, arrives=False),
}

FROM_UE: Final[BoolArray] = np.array([KINDS[k].from_ue for k in RequestKind])
ARRIVES: Final[BoolArray] = np.array([KINDS[k].arrives for k in RequestKind])
LEAVES: Final[BoolArray] = np.array([KINDS[k].leaves for k in RequestKind])
REQUEST_BYTES: Final[Float32Array] = np.array([KINDS[k].request for k in RequestKind], dtype=np.float32)
ANSWER_BYTES: Final[Float32Array] = np.array([KINDS[k].answer for k in RequestKind], dtype=np.float32)


def mask_of(*kinds: RequestKind) -> BoolArray:
    """(kinds,) true for the given kinds; index it with an array of kinds."""
    chosen = np.zeros(len(RequestKind), dtype=np.bool_)
    chosen[list(kinds)] = True
    return chosen


REGISTER: Final = mask_of(RequestKind.REG_INITIAL, RequestKind.REG_REFRESH, RequestKind.REG_DEREG)
INVITE: Final = mask_of(
    RequestKind.INVITE_ORIG, RequestKind.INVITE_TERM, RequestKind.REINVITE_UE, RequestKind.REINVITE_CORE
)
CALL: Final = mask_of(RequestKind.INVITE_ORIG, RequestKind.INVITE_TERM)
PING: Final = mask_of(RequestKind.OPTIONS_UE, RequestKind.OPTIONS_CORE, RequestKind.PING_UE, RequestKind.PING_CORE)
BYE: Final = mask_of(RequestKind.BYE_UE, RequestKind.BYE_CORE)
TO_SUBSCRIBER: Final = mask_of(RequestKind.INVITE_ORIG, RequestKind.MESSAGE_UE)
"""Requests from handsets to other subscribers."""
OUT_OF_DIALOG: Final = mask_of(
    RequestKind.INVITE_ORIG, RequestKind.MESSAGE_UE, RequestKind.SUBSCRIBE_UE, RequestKind.PUBLISH_UE
)
"""Requests outside a dialog that a registered handset sends."""
