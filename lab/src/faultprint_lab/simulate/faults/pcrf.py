"""pcrf-down: Rx requests (AAR, TS 29.214) get no answer, so that sessions cannot be given their bearers."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint_lab.simulate.faults.fault import Draws, SimulatedFault, Slot, affected, reach
from faultprint_lab.simulate.network.kinds import CALL, RequestKind
from faultprint_lab.simulate.plan import SimulatedEpisode
from faultprint_lab.simulate.scenario import Scenario
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchanges import ExchangeTable


def _draw(slot: Slot) -> Draws:
    return {
        # An operator may let sessions go through without a bearer of their own, once the Rx timer has run out.
        "through": float(slot.own.choice([0.0, 0.0, slot.own.uniform(0.1, 0.5)])),
        # AAR may be sent on the offer, before anything is forwarded; on the first answer; or on the last, when the callee
        # who has answered may be left alone with it.
        "sent": str(slot.own.choice(["offer", "ringing", "answer"])),
        "registers": float(slot.own.choice([0.0, 1.0])),
        "silent": bool(slot.own.random() < 0.5),
        **reach(slot, by_user=0.25, flapping=0.25),
    }


def _effect(view: ExchangeTable, episode: SimulatedEpisode, world: Scenario, rng: np.random.Generator) -> None:
    draws = episode.draws
    hit = affected(view, episode, world, episode.level(view.t), rng)
    answer = world.network.answers["pcrf"][0]
    calls = np.flatnonzero(hit & CALL[view.kind] & (view.status != 407))
    through = rng.random(len(calls)) < draws["through"]
    effects.slow(view, calls[through], extra=effects.draw_answer(answer, int(through.sum()), rng)[1])
    stopped = calls[~through]
    if draws["sent"] == "offer":
        effects.refuse(view, stopped, answer, rng)
    elif draws["sent"] == "ringing":
        effects.cancel_in_progress(view, stopped[~np.isnan(view.ring[stopped])], answer, rng)
    else:
        effects.abandon_answered(view, stopped[view.status[stopped] == 200], answer, rng)
    registers = (
        (view.kind == RequestKind.REG_INITIAL) & (view.stage == 1) & (rng.random(len(view)) < draws["registers"])
    )
    asking = np.flatnonzero(hit & registers)
    if draws["silent"]:
        effects.ignore(view, asking)
    else:
        effects.refuse(view, asking, answer, rng)


FAULT: Final = SimulatedFault(
    name="pcrf-down",
    severity="share of Rx requests without an answer",
    mildest=0.06,
    total=0.3,
    recovery=(60, 240),
    draw=_draw,
    effect=_effect,
)
