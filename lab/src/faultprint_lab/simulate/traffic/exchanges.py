"""Exchanges: a request that crosses the node and what became of it, column by column.

Traffic, faults and disturbances all work on these columns; `legs` makes the rows of the transactions table from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from faultprint.arrays import BoolArray, Float32Array, Float64Array
from faultprint_lab.simulate.network.kinds import ARRIVES, LEAVES, RequestKind
from faultprint_lab.simulate.network.timers import GIVE_UP

SILENCE: Final = 0
"""As a status: nobody answered."""


@dataclass(slots=True)
class ExchangeTable:
    """n exchanges; every column is (n,). Times and delays in seconds, `t` from the start of the listening.

    The plan: t (the request reaches the node), kind, user (index into the population; -1 none), dialog, until (end of the
    spell for which a registration is wanted), chain (refreshes planned together; -1 none), last (of its chain: its success
    plans the next), attempt (failures before it), stage (1: with credentials), preset (a status decided beforehand; 0 none),
    hold (of an INVITE: how long one will talk; of a BYE: how long one did, NaN if the answer was not seen).

    The outcome: status (of the out leg, SILENCE if none; of the in leg where there is no other), in_status (what the node
    answers on the in leg), prov and ring (first 1xx and 18x on the out leg after its start; NaN none), delay (final answer on
    the out leg after its start), proxy and back (the node's own delay on the way there and back), give_up (in-leg completion
    after t where the node did not wait for the out leg, else NaN), arrives and leaves (the legs that exist), lost_in
    (answers that the sender on the in leg did not get), unheard (it got none at all), gone (never reached the node).
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
    prov: Float32Array
    ring: Float32Array
    delay: Float32Array
    proxy: Float32Array
    back: Float32Array
    give_up: Float32Array
    arrives: BoolArray
    leaves: BoolArray
    lost_in: npt.NDArray[np.uint8]
    unheard: BoolArray
    gone: BoolArray

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
        """Exchanges with a plan and no outcome yet; scalars are spread over all rows."""
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
            prov=none,
            ring=none.copy(),
            delay=np.zeros(n, dtype=np.float32),
            proxy=np.zeros(n, dtype=np.float32),
            back=np.zeros(n, dtype=np.float32),
            give_up=none.copy(),
            arrives=ARRIVES[kinds],
            leaves=LEAVES[kinds],
            lost_in=np.zeros(n, dtype=np.uint8),
            unheard=np.zeros(n, dtype=np.bool_),
            gone=np.zeros(n, dtype=np.bool_),
        )

    def take(self, rows: Any) -> ExchangeTable:
        """The rows of an index, a mask or (as a view that writes through) a slice."""
        return ExchangeTable(*(getattr(self, name)[rows] for name in _NAMES))

    @staticmethod
    def concatenated(parts: Sequence[ExchangeTable]) -> ExchangeTable:
        """All parts, one after another; at least one part."""
        full = [part for part in parts if len(part)] or parts[:1]
        if len(full) == 1:
            return full[0]
        return ExchangeTable(*(np.concatenate([getattr(part, name) for part in full]) for name in _NAMES))

    def finish(self) -> Float64Array:
        """When the in leg ends (or the out leg, where there is no other), in seconds from the start of the listening, (n,)."""
        through = self.proxy + self.delay + self.back
        return self.t + np.where(np.isnan(self.give_up), through, self.give_up)

    def outcome(self) -> npt.NDArray[np.uint16]:
        """The status that who sent the request got to know, (n,)."""
        return np.where(self.unheard | self.gone, np.uint16(SILENCE), self.in_status)

    def learned(self) -> Float64Array:
        """When it got to know it: after the timeout, if no answer came; (n,)."""
        return np.where(self.unheard | self.gone, self.t + GIVE_UP, self.finish())


_NAMES: Final = tuple(field.name for field in fields(ExchangeTable))
