"""Randomly generated faults, for training an encoder that must separate faults it has never seen.

The number of a fault decides which requests it affects and how. Status codes, timers and shares differ by network, as for
the named faults. No generated fault is a copy of a named one, but some are similar.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from faultprint.arrays import BoolArray
from faultprint_lab.simulate.faults.fault import Draws, EpisodeSlot, SimulatedFault, affected, draw_pattern
from faultprint_lab.simulate.network.failure_responses import FailureResponse, log_uniform
from faultprint_lab.simulate.network.request_kinds import CALL, FROM_UE, PING, REGISTER, RequestKind, mask_of
from faultprint_lab.simulate.scenario import Scenario, SimulatedEpisode
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchange_table import ExchangeTable

_SEED: Final = 977
"""Seed of the generator, together with the number of the fault."""
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
"""Share of messages lost by a fault whose effect is loss."""

Rows = npt.NDArray[np.intp]
Drawn = Mapping[str, Any]
Mechanism = Callable[[ExchangeTable, Rows, Drawn, Scenario, np.random.Generator], None]


def _spread(draws: Drawn, n: int, rng: np.random.Generator) -> Any:
    return draws["seconds"] * np.exp(0.5 * rng.standard_normal(n))


def _fail(view: ExchangeTable, rows: Rows, draws: Drawn, scenario: Scenario, rng: np.random.Generator) -> None:
    effects.fail(view, rows, draws["answer"], rng)


def _refuse(view: ExchangeTable, rows: Rows, draws: Drawn, scenario: Scenario, rng: np.random.Generator) -> None:
    effects.refuse(view, rows, draws["answer"], rng)


def _ignore(view: ExchangeTable, rows: Rows, draws: Drawn, scenario: Scenario, rng: np.random.Generator) -> None:
    effects.ignore(view, rows)


def _no_response(view: ExchangeTable, rows: Rows, draws: Drawn, scenario: Scenario, rng: np.random.Generator) -> None:
    effects.no_response(view, rows, scenario, rng)


def _slow(view: ExchangeTable, rows: Rows, draws: Drawn, scenario: Scenario, rng: np.random.Generator) -> None:
    effects.slow(view, rows, draws["factor"], _spread(draws, len(rows), rng))


def _delay(view: ExchangeTable, rows: Rows, draws: Drawn, scenario: Scenario, rng: np.random.Generator) -> None:
    forward = _spread(draws, len(rows), rng)
    effects.delay_node(view, rows, forward, forward * rng.random(len(rows)))


def _drop(view: ExchangeTable, rows: Rows, draws: Drawn, scenario: Scenario, rng: np.random.Generator) -> None:
    effects.drop(view, rows)


def _drop_responses(
    view: ExchangeTable, rows: Rows, draws: Drawn, scenario: Scenario, rng: np.random.Generator
) -> None:
    effects.drop_responses(view, rows)


def _late(view: ExchangeTable, rows: Rows, draws: Drawn, scenario: Scenario, rng: np.random.Generator) -> None:
    effects.delay_arrival(view, rows, _spread(draws, len(rows), rng))


def _cancel_in_progress(
    view: ExchangeTable, rows: Rows, draws: Drawn, scenario: Scenario, rng: np.random.Generator
) -> None:
    call = CALL[view.kind[rows]]
    effects.cancel_in_progress(view, rows[call & ~np.isnan(view.ringing[rows])], draws["answer"], rng)
    effects.refuse(view, rows[~call], draws["answer"], rng)


def _abandon_answered(
    view: ExchangeTable, rows: Rows, draws: Drawn, scenario: Scenario, rng: np.random.Generator
) -> None:
    call = CALL[view.kind[rows]]
    effects.abandon_answered(view, rows[call & (view.status[rows] == 200)], draws["answer"], rng)
    effects.delay_node(view, rows[~call], draws["seconds"], 0.0)


def _lose(view: ExchangeTable, rows: Rows, draws: Drawn, scenario: Scenario, rng: np.random.Generator) -> None:
    chance = np.zeros(len(view))
    chance[rows] = _LOSS
    effects.lose(view, chance, chance, scenario, rng)


_MECHANISMS: Final[tuple[Mechanism, ...]] = (
    *(_fail, _fail, _refuse, _refuse, _ignore, _no_response, _slow, _slow),
    *(_delay, _drop, _drop_responses, _lose, _cancel_in_progress, _abandon_answered, _late),
)
"""Effects on an affected request; three of them count twice."""


@dataclass(frozen=True, slots=True)
class _Part:
    scope: BoolArray
    mechanism: Mechanism


def _generate(number: int) -> SimulatedFault:
    rng = np.random.default_rng([_SEED, number])
    parts = [_part(rng) for _ in range(int(rng.choice([1, 1, 2])))]
    usual_codes = [int(code) for code in rng.choice(_CODES, 3)]
    keeps_code, by_user, flapping = float(rng.choice([0.0, 0.5, 1.0])), float(rng.random()), float(rng.uniform(0, 0.4))

    def draw(slot: EpisodeSlot) -> Draws:
        rng = slot.network_rng
        code = int(rng.choice(usual_codes if rng.random() < keeps_code else _CODES))
        return {
            "answer": FailureResponse((code,), (1.0,), log_uniform(rng, 0.003, 10.0), float(rng.choice([0.015, 0.5]))),
            "factor": log_uniform(rng, 1.5, 20.0),
            "seconds": log_uniform(rng, 0.2, 6.0),
            "second": float(rng.choice([1.0, rng.uniform(0.3, 1.0)])),
            **draw_pattern(slot, by_user, min(flapping, 1 - by_user)),
        }

    def effect(view: ExchangeTable, episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> None:
        hit = affected(view, episode, scenario, episode.level(view.t), rng)
        for index, part in enumerate(parts):
            chosen = hit & part.scope[view.kind] & view.leaves & view.arrives
            if index:
                chosen &= rng.random(len(view)) < episode.draws["second"]
            part.mechanism(view, np.flatnonzero(chosen), episode.draws, scenario, rng)

    return SimulatedFault(
        name=f"random-{number:03d}",
        severity="share of the requests in its scope that are affected",
        min_severity=0.15,
        total=0.3,
        recovery=(60, 240),
        draw=draw,
        effect=effect,
    )


def _part(rng: np.random.Generator) -> _Part:
    chosen = rng.choice(len(_SCOPES), int(rng.choice([1, 1, 2])), replace=False)
    return _Part(np.any([_SCOPES[index] for index in chosen], axis=0), _MECHANISMS[rng.integers(len(_MECHANISMS))])


def procedural_faults(count: int) -> Mapping[str, SimulatedFault]:
    """The first `count` generated faults, by name: random-000, random-001 …"""
    return {(fault := _generate(number)).name: fault for number in range(count)}
