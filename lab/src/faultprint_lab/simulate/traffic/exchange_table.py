"""A table of exchanges: each is a request that crosses the node, and its outcome.

Traffic, faults and disturbances work on these columns. `legs` makes the rows of the transactions table from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from faultprint.arrays import BoolArray, Float32Array, Float64Array
from faultprint_lab.simulate.network.request_kinds import ARRIVES, LEAVES, RequestKind
from faultprint_lab.simulate.network.timers import TIMEOUT

SILENCE: Final = 0
"""Status of a request without a response."""


@dataclass(slots=True)
class ExchangeTable:
    """n exchanges; every column is (n,). Times and delays are seconds; `t` counts from the start of the recorded span.

    Plan:
    t                 the request reaches the node
    kind              index of its RequestKind
    user              index of the subscriber; -1: none
    dialog            dialog identifier
    until             of a REGISTER: end of the period for which the handset wants a registration
    chain             of a refresh: number of the chain of refreshes planned together; -1: none
    last              whether it is the last of its chain, so that its success plans the next chain
    attempt           failures before it
    stage             1: sent with credentials
    preset            a status that was decided beforehand; 0: none
    hold              of an INVITE: length of the call to come; of a BYE: length of the call, NaN if its start is unknown

    Outcome:
    status            final status on the out leg, or on the in leg if that is the only one; SILENCE: none
    in_status         final status that the node sends on the in leg
    provisional       first 1xx on the out leg, after the start of that leg; NaN: none
    ringing           first 18x, likewise
    delay             final response on the out leg, after the start of that leg
    forward_delay     the node's own delay for the request
    return_delay      the node's own delay for the response
    early_end         end of the in leg after `t` if the node did not wait for the out leg; else NaN
    arrives, leaves   which legs exist
    lost_responses    responses that the sender on the in leg did not receive
    responses_lost    whether the sender received no response at all
    never_arrived     whether the request did not reach the node
    """

    t: Float64Array
    kind: npt.NDArray[np.uint8]
    user: npt.NDArray[np.int32]
    dialog: npt.NDArray[np.uint64]
    until: Float64Array
    chain: npt.NDArray[np.int32]
    last: BoolArray
    attempt: npt.NDArray[np.uint8]
    stage: npt.NDArray[np.uint8]
    preset: npt.NDArray[np.uint16]
    hold: Float64Array
    status: npt.NDArray[np.uint16]
    in_status: npt.NDArray[np.uint16]
    provisional: Float32Array
    ringing: Float32Array
    delay: Float32Array
    forward_delay: Float32Array
    return_delay: Float32Array
    early_end: Float32Array
    arrives: BoolArray
    leaves: BoolArray
    lost_responses: npt.NDArray[np.uint8]
    responses_lost: BoolArray
    never_arrived: BoolArray

    def __len__(self) -> int:
        return len(self.t)

    @classmethod
    def planned(
        cls,
        t: Float64Array,
        kind: RequestKind | npt.NDArray[np.uint8],
        user: npt.NDArray[np.integer],
        dialog: npt.NDArray[np.uint64],
        *,
        until: Any = 0.0,
        attempt: Any = 0,
        stage: Any = 0,
        preset: Any = 0,
        hold: Any = np.nan,
    ) -> Self:
        """Exchanges with a plan and no outcome yet; a scalar applies to all rows."""
        n = len(t)

        def full(value: Any, dtype: Any) -> Any:
            if np.ndim(value):
                return np.array(value, dtype=dtype)
            return np.full(n, value, dtype=dtype)

        kinds = full(kind, np.uint8)
        none = np.full(n, np.nan, dtype=np.float32)
        return cls(
            t=np.asarray(t, dtype=np.float64),
            kind=kinds,
            user=full(user, np.int32),
            dialog=full(dialog, np.uint64),
            until=full(until, np.float64),
            chain=full(-1, np.int32),
            last=full(True, np.bool_),
            attempt=full(attempt, np.uint8),
            stage=full(stage, np.uint8),
            preset=full(preset, np.uint16),
            hold=full(hold, np.float64),
            status=np.zeros(n, dtype=np.uint16),
            in_status=np.zeros(n, dtype=np.uint16),
            provisional=none,
            ringing=none.copy(),
            delay=np.zeros(n, dtype=np.float32),
            forward_delay=np.zeros(n, dtype=np.float32),
            return_delay=np.zeros(n, dtype=np.float32),
            early_end=none.copy(),
            arrives=ARRIVES[kinds],
            leaves=LEAVES[kinds],
            lost_responses=np.zeros(n, dtype=np.uint8),
            responses_lost=np.zeros(n, dtype=np.bool_),
            never_arrived=np.zeros(n, dtype=np.bool_),
        )

    def take(self, rows: Any) -> ExchangeTable:
        """The rows of an index, a mask or a slice; a slice gives a view that writes through."""
        return ExchangeTable(*(getattr(self, name)[rows] for name in _NAMES))

    @staticmethod
    def concatenate(parts: Sequence[ExchangeTable]) -> ExchangeTable:
        """All parts in order; there must be at least one."""
        full = [part for part in parts if len(part)] or parts[:1]
        if len(full) == 1:
            return full[0]
        return ExchangeTable(*(np.concatenate([getattr(part, name) for part in full]) for name in _NAMES))

    def finish(self) -> Float64Array:
        """End of the in leg, or of the only leg, in seconds from the start of the span, (n,)."""
        through = self.forward_delay + self.delay + self.return_delay
        return self.t + np.where(np.isnan(self.early_end), through, self.early_end)

    def outcome(self) -> npt.NDArray[np.uint16]:
        """The final status that the sender received, (n,); SILENCE if none."""
        return np.where(self.responses_lost | self.never_arrived, np.uint16(SILENCE), self.in_status)

    def outcome_time(self) -> Float64Array:
        """When the sender knew the outcome, (n,): after the timeout if no response came."""
        return np.where(self.responses_lost | self.never_arrived, self.t + TIMEOUT, self.finish())


_NAMES: Final = tuple(field.name for field in fields(ExchangeTable))
