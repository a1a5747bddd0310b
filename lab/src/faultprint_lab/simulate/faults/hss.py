"""hss-link-down: the Cx link between the I- or S-CSCF and the HSS is gone, or one of several peers is."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint_lab.simulate.faults.cx import asks, habits
from faultprint_lab.simulate.faults.fault import (
    Draws,
    SimulatedFault,
    Slot,
    affected,
    reach,
    remaining,
    returning,
)
from faultprint_lab.simulate.network.kinds import REGISTER, RequestKind, mask_of
from faultprint_lab.simulate.network.timers import GIVE_UP
from faultprint_lab.simulate.plan import SimulatedEpisode
from faultprint_lab.simulate.scenario import Scenario
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.answers import DrawnAnswer
from faultprint_lab.simulate.traffic.exchanges import ExchangeTable

_ARRIVING = mask_of(RequestKind.INVITE_TERM, RequestKind.MESSAGE_CORE)


def _draw(slot: Slot) -> Draws:
    return {
        **habits(slot),
        # Whoever lost the HSS may never answer at all.
        "silent": bool(slot.own.random() < 0.25),
        "returns": float(slot.rng.uniform(0.0, 0.15)),
        **reach(slot, by_user=0.25, flapping=0.35),
    }


def _effect(view: ExchangeTable, episode: SimulatedEpisode, world: Scenario, rng: np.random.Generator) -> None:
    level = episode.level(view.t)
    hit = affected(view, episode, world, level, rng)
    registers, calls = asks(view, episode, rng)
    register, call = world.network.answers["hss"]
    _unanswered(view, np.flatnonzero(hit & registers), episode, register, world, rng)
    _unanswered(view, np.flatnonzero(hit & calls), episode, call, world, rng)
    # One that comes in is routed by LIR before it could reach this node.
    arriving = np.flatnonzero(hit & _ARRIVING[view.kind])
    effects.arrive_late(view, arriving, remaining(view.t, episode, level)[arriving], world)
    backlog = episode.remnant(view.t) * episode.severity
    late = np.flatnonzero(REGISTER[view.kind] & (backlog > 0))
    effects.slow(view, late, factor=1 + 5 * backlog[late] * rng.random(len(late)))


def _unanswered(
    view: ExchangeTable,
    rows: effects.Rows,
    episode: SimulatedEpisode,
    answer: DrawnAnswer,
    world: Scenario,
    rng: np.random.Generator,
) -> None:
    """Who asks the HSS waits, until it answers again or the timer on Cx runs out."""
    left = remaining(view.t[rows], episode, episode.level(view.t[rows]))
    waits = left < (GIVE_UP if episode.draws["silent"] else answer.seconds)
    effects.slow(view, rows[waits], extra=left[waits])
    if episode.draws["silent"]:
        effects.no_response(view, rows[~waits], world, rng)
    else:
        effects.fail(view, rows[~waits], answer, rng)


FAULT: Final = SimulatedFault(
    name="hss-link-down",
    severity="share of the requests which need the HSS that get nothing from it",
    mildest=0.03,
    total=0.3,
    recovery=(60, 420),
    draw=_draw,
    effect=_effect,
    inject=returning,
)
