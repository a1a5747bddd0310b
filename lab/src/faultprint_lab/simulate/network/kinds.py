"""The kinds of exchange that cross a P-CSCF: a request and, usually, its forwarded copy.

A request from a handset arrives on Gm and leaves on Mw; one from the core arrives on Mw and leaves on Gm. Some requests
have one leg only: an OPTIONS that the node answers itself, or a ping that it sends of its own accord.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from faultprint.tables import Method


class K(IntEnum):
    """Index of a kind in KINDS; `_UE` comes from the handset, `_CORE` from the core."""

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
class Kind:
    """What is fixed of a kind.

    `request` and `answer` are typical lengths in bytes. `effort` scales the core's answer time; `from_ue` says on which
    leg the request arrives; `arrives`, `leaves` say which legs exist.
    """

    method: Method
    from_ue: bool
    request: int
    answer: int
    effort: float = 1.0
    arrives: bool = True
    leaves: bool = True


KINDS: Final[dict[K, Kind]] = {
    K.REG_INITIAL: Kind(Method.REGISTER_INITIAL, True, 980, 720, 2.4),
    K.REG_REFRESH: Kind(Method.REGISTER_REFRESH, True, 1060, 760, 1.8),
    K.REG_DEREG: Kind(Method.REGISTER_DEREGISTRATION, True, 900, 560, 1.8),
    K.INVITE_ORIG: Kind(Method.INVITE_ORIGINATING, True, 1950, 1250, 1.5),
    K.INVITE_TERM: Kind(Method.INVITE_TERMINATING, False, 2150, 1300, 1.5),
    K.REINVITE_UE: Kind(Method.INVITE_IN_DIALOG, True, 1700, 1200, 1.6),
    K.REINVITE_CORE: Kind(Method.INVITE_IN_DIALOG, False, 1750, 1200, 1.6),
    K.BYE_UE: Kind(Method.BYE, True, 760, 480),
    K.BYE_CORE: Kind(Method.BYE, False, 780, 480),
    K.CANCEL_UE: Kind(Method.CANCEL, True, 620, 410, 0.3),
    K.CANCEL_CORE: Kind(Method.CANCEL, False, 640, 410, 0.3),
    K.PRACK_UE: Kind(Method.PRACK, True, 820, 470),
    K.PRACK_CORE: Kind(Method.PRACK, False, 840, 470),
    K.UPDATE_UE: Kind(Method.UPDATE, True, 1350, 1150),
    K.UPDATE_CORE: Kind(Method.UPDATE, False, 1350, 1150),
    K.INFO_UE: Kind(Method.INFO, True, 820, 430),
    K.REFER_UE: Kind(Method.REFER, True, 900, 470),
    K.SUBSCRIBE_UE: Kind(Method.SUBSCRIBE, True, 880, 560, 1.2),
    K.NOTIFY_CORE: Kind(Method.NOTIFY, False, 1380, 430),
    K.PUBLISH_UE: Kind(Method.PUBLISH, True, 1280, 480, 1.3),
    K.MESSAGE_UE: Kind(Method.MESSAGE, True, 1010, 470, 1.6),
    K.MESSAGE_CORE: Kind(Method.MESSAGE, False, 1090, 440),
    K.OPTIONS_UE: Kind(Method.OPTIONS, True, 560, 460, 0.2, leaves=False),
    K.OPTIONS_CORE: Kind(Method.OPTIONS, False, 430, 420, 0.2, leaves=False),
    # A ping is sent by the node itself, so it leaves as a request from "the other side" without having arrived.
    K.PING_UE: Kind(Method.OPTIONS, False, 470, 430, 0.8, arrives=False),
    K.PING_CORE: Kind(Method.OPTIONS, True, 440, 410, 0.5, arrives=False),
}

FROM_UE: Final[npt.NDArray[np.bool_]] = np.array([KINDS[k].from_ue for k in K])
ARRIVES: Final[npt.NDArray[np.bool_]] = np.array([KINDS[k].arrives for k in K])
LEAVES: Final[npt.NDArray[np.bool_]] = np.array([KINDS[k].leaves for k in K])
REQUEST_BYTES: Final[npt.NDArray[np.float32]] = np.array([KINDS[k].request for k in K], dtype=np.float32)
ANSWER_BYTES: Final[npt.NDArray[np.float32]] = np.array([KINDS[k].answer for k in K], dtype=np.float32)


def mask_of(*kinds: K) -> npt.NDArray[np.bool_]:
    """A table over kinds, true for those given: index it with an array of kinds."""
    chosen = np.zeros(len(K), dtype=np.bool_)
    chosen[list(kinds)] = True
    return chosen


REGISTER: Final = mask_of(K.REG_INITIAL, K.REG_REFRESH, K.REG_DEREG)
INVITE: Final = mask_of(K.INVITE_ORIG, K.INVITE_TERM, K.REINVITE_UE, K.REINVITE_CORE)
CALL: Final = mask_of(K.INVITE_ORIG, K.INVITE_TERM)
PING: Final = mask_of(K.OPTIONS_UE, K.OPTIONS_CORE, K.PING_UE, K.PING_CORE)
BYE: Final = mask_of(K.BYE_UE, K.BYE_CORE)
PLACED: Final = mask_of(K.INVITE_ORIG, K.MESSAGE_UE)
"""What handsets send to other subscribers."""
OUT_OF_DIALOG: Final = mask_of(K.INVITE_ORIG, K.MESSAGE_UE, K.SUBSCRIBE_UE, K.PUBLISH_UE)
"""What a registered handset begins."""
