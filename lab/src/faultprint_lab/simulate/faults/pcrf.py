"""pcrf-down: Rx requests (AAR, TS 29.214) get no answer, so sessions get no bearer."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint_lab.simulate.faults.fault import Draws, EpisodeSlot, SimulatedFault, affected, draw_pattern
from faultprint_lab.simulate.network.request_kinds import CALL, RequestKind
from faultprint_lab.simulate.scenario import Scenario, SimulatedEpisode
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchange_table import ExchangeTable


def _draw(slot: EpisodeSlot) -> Draws:
    return {
        # An operator may allow sessions without a dedicated bearer after the Rx timeout.
        "through": float(slot.network_rng.choice([0.0, 0.0, slot.network_rng.uniform(0.1, 0.5)])),
        # The AAR is sent on the offer, before the INVITE is forwarded; or on the first response; or on the 200, so that
        # the callee may have answered in vain.
        "sent": str(slot.network_rng.choice(["offer", "ringing", "answer"])),
        "registers": float(slot.network_rng.choice([0.0, 1.0])),
        "silent": bool(slot.network_rng.random() < 0.5),
        **draw_pattern(slot, by_user=0.25, flapping=0.25),
    }


def _effect(view: ExchangeTable, episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> None:
    draws = episode.draws
    hit = affected(view, episode, scenario, episode.level(view.t), rng)
    answer = scenario.network.failure_responses["pcrf"][0]
    calls = np.flatnonzero(hit & CALL[view.kind] & (view.status != 407))
    through = rng.random(len(calls)) < draws["through"]
    effects.slow(view, calls[through], extra=effects.draw_response(answer, int(through.sum()), rng)[1])
    stopped = calls[~through]
    if draws["sent"] == "offer":
        effects.refuse(view, stopped, answer, rng)
    elif draws["sent"] == "ringing":
        effects.cancel_in_progress(view, stopped[~np.isnan(view.ringing[stopped])], answer, rng)
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
    min_severity=0.06,
    total=0.3,
    recovery=(60, 240),
    draw=_draw,
    effect=_effect,
)
