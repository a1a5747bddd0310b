"""Faults that nobody has named, by number: what an encoder learns from that is to tell apart what it has never met.

A kind is which requests it strikes and in what way, drawn by its number alone; a network has codes, timers and shares of its own,
as it has with the faults of the table. None of them is a fault of the table under another name, though one may come near.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from faultprint.arrays import BoolArray
from faultprint_lab.simulate.faults.fault import Draws, SimulatedFault, Slot, affected, reach
from faultprint_lab.simulate.network.kinds import CALL, FROM_UE, PING, REGISTER, RequestKind, mask_of
from faultprint_lab.simulate.plan import SimulatedEpisode
from faultprint_lab.simulate.scenario import Scenario
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.answers import DrawnAnswer, log_uniform
from faultprint_lab.simulate.traffic.exchanges import ExchangeTable

_SEED: Final = 977
"""Beside the number, of the generator that draws a kind."""
_SCOPES: Final[tuple[BoolArray, ...]] = (
    mask_of(RequestKind.REG_INITIAL),
    mask_of(RequestKind.REG_REFRESH),
    REGISTER,
    mask_of(RequestKind.INVITE_ORIG),
    mask_of(RequestKind.INVITE_TERM),
    CALL,
    mask_of(RequestKind.MESSAGE_UE),
    mask_of(RequestKind.MESSAGE_CORE),
    mask_of(RequestKind.MESSAGE_UE, RequestKind.MESSAGE_CORE),
    mask_of(RequestKind.PUBLISH_UE, RequestKind.SUBSCRIBE_UE),
    mask_of(RequestKind.NOTIFY_CORE),
    mask_of(RequestKind.SUBSCRIBE_UE, RequestKind.NOTIFY_CORE),
    mask_of(RequestKind.BYE_UE, RequestKind.BYE_CORE),
    mask_of(RequestKind.PRACK_UE, RequestKind.PRACK_CORE, RequestKind.UPDATE_UE, RequestKind.UPDATE_CORE),
    mask_of(RequestKind.REINVITE_UE, RequestKind.REINVITE_CORE, RequestKind.UPDATE_UE, RequestKind.UPDATE_CORE),
    PING,
    FROM_UE,
    ~FROM_UE,
    np.ones(len(RequestKind), np.bool_),
)
_CODES: Final = (400, 403, 404, 408, 420, 480, 481, 488, 500, 500, 502, 503, 503, 504, 504, 513, 580, 600, 603)
_LOSS: Final = 0.4
"""Share of the messages of what is struck that get lost, where that is its way."""

Rows = npt.NDArray[np.intp]
Drawn = Mapping[str, Any]
Way = Callable[[ExchangeTable, Rows, Drawn, Scenario, np.random.Generator], None]


def _spread(draws: Drawn, n: int, rng: np.random.Generator) -> Any:
    return draws["seconds"] * np.exp(0.5 * rng.standard_normal(n))


def _fail(view: ExchangeTable, rows: Rows, draws: Drawn, world: Scenario, rng: np.random.Generator) -> None:
    effects.fail(view, rows, draws["answer"], rng)


def _refuse(view: ExchangeTable, rows: Rows, draws: Drawn, world: Scenario, rng: np.random.Generator) -> None:
    effects.refuse(view, rows, draws["answer"], rng)


def _ignore(view: ExchangeTable, rows: Rows, draws: Drawn, world: Scenario, rng: np.random.Generator) -> None:
    effects.ignore(view, rows)


def _silence(view: ExchangeTable, rows: Rows, draws: Drawn, world: Scenario, rng: np.random.Generator) -> None:
    effects.no_response(view, rows, world, rng)


def _slow(view: ExchangeTable, rows: Rows, draws: Drawn, world: Scenario, rng: np.random.Generator) -> None:
    effects.slow(view, rows, draws["factor"], _spread(draws, len(rows), rng))


def _delay(view: ExchangeTable, rows: Rows, draws: Drawn, world: Scenario, rng: np.random.Generator) -> None:
    there = _spread(draws, len(rows), rng)
    effects.delay_node(view, rows, there, there * rng.random(len(rows)))


def _drop(view: ExchangeTable, rows: Rows, draws: Drawn, world: Scenario, rng: np.random.Generator) -> None:
    effects.drop(view, rows)


def _mute(view: ExchangeTable, rows: Rows, draws: Drawn, world: Scenario, rng: np.random.Generator) -> None:
    effects.drop_responses(view, rows)


def _late(view: ExchangeTable, rows: Rows, draws: Drawn, world: Scenario, rng: np.random.Generator) -> None:
    effects.come_late(view, rows, _spread(draws, len(rows), rng))


def _break_off(view: ExchangeTable, rows: Rows, draws: Drawn, world: Scenario, rng: np.random.Generator) -> None:
    call = CALL[view.kind[rows]]
    effects.cancel_in_progress(view, rows[call & ~np.isnan(view.ring[rows])], draws["answer"], rng)
    effects.refuse(view, rows[~call], draws["answer"], rng)


def _desert(view: ExchangeTable, rows: Rows, draws: Drawn, world: Scenario, rng: np.random.Generator) -> None:
    call = CALL[view.kind[rows]]
    effects.abandon_answered(view, rows[call & (view.status[rows] == 200)], draws["answer"], rng)
    effects.delay_node(view, rows[~call], draws["seconds"], 0.0)


def _lose(view: ExchangeTable, rows: Rows, draws: Drawn, world: Scenario, rng: np.random.Generator) -> None:
    chance = np.zeros(len(view))
    chance[rows] = _LOSS
    effects.lose(view, chance, chance, world, rng)


_WAYS: Final[tuple[Way, ...]] = (
    *(_fail, _fail, _refuse, _refuse, _ignore, _silence, _slow, _slow),
    *(_delay, _drop, _mute, _lose, _break_off, _desert, _late),
)
"""What may become of a request that is struck; three of them twice as often."""


@dataclass(frozen=True, slots=True)
class _Part:
    scope: BoolArray
    way: Way


def _kind(number: int) -> SimulatedFault:
    rng = np.random.default_rng([_SEED, number])
    parts = [_part(rng) for _ in range(int(rng.choice([1, 1, 2])))]
    usual = [int(code) for code in rng.choice(_CODES, 3)]
    loyal, by_user, flapping = float(rng.choice([0.0, 0.5, 1.0])), float(rng.random()), float(rng.uniform(0, 0.4))

    def draw(slot: Slot) -> Draws:
        own = slot.own
        code = int(own.choice(usual if own.random() < loyal else _CODES))
        return {
            "answer": DrawnAnswer((code,), (1.0,), log_uniform(own, 0.003, 10.0), float(own.choice([0.015, 0.5]))),
            "factor": log_uniform(own, 1.5, 20.0),
            "seconds": log_uniform(own, 0.2, 6.0),
            "second": float(own.choice([1.0, own.uniform(0.3, 1.0)])),
            **reach(slot, by_user, min(flapping, 1 - by_user)),
        }

    def effect(view: ExchangeTable, episode: SimulatedEpisode, world: Scenario, rng: np.random.Generator) -> None:
        hit = affected(view, episode, world, episode.level(view.t), rng)
        for index, part in enumerate(parts):
            chosen = hit & part.scope[view.kind] & view.leaves & view.arrives
            if index:
                chosen &= rng.random(len(view)) < episode.draws["second"]
            part.way(view, np.flatnonzero(chosen), episode.draws, world, rng)

    return SimulatedFault(
        name=f"strange-{number:03d}",
        severity="share of the requests that it strikes",
        mildest=0.15,
        total=0.3,
        recovery=(60, 240),
        draw=draw,
        effect=effect,
    )


def _part(rng: np.random.Generator) -> _Part:
    chosen = rng.choice(len(_SCOPES), int(rng.choice([1, 1, 2])), replace=False)
    return _Part(np.any([_SCOPES[index] for index in chosen], axis=0), _WAYS[rng.integers(len(_WAYS))])


def procedural_fault(count: int) -> Mapping[str, SimulatedFault]:
    """The first `count` of them, by name."""
    return {(fault := _kind(number)).name: fault for number in range(count)}
