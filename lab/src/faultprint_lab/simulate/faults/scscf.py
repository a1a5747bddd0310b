"""scscf-down: one of the S-CSCFs, or the only one, hangs or has crashed."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint_lab.simulate.faults.fault import (
    Draws,
    EpisodeSlot,
    SimulatedFault,
    affected,
    draw_pattern,
    reregister_after_outage,
    time_to_recovery,
)
from faultprint_lab.simulate.network.request_kinds import FROM_UE, OUT_OF_DIALOG, PING, RequestKind, mask_of
from faultprint_lab.simulate.scenario import Scenario, SimulatedEpisode
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchange_table import ExchangeTable

_CORE_PINGS = mask_of(RequestKind.PING_CORE, RequestKind.OPTIONS_CORE)


def _draw(slot: EpisodeSlot) -> Draws:
    hung = float(slot.rng.choice([0.0, 1.0, slot.rng.uniform(0.2, 0.9)]))
    return {
        **draw_pattern(slot, by_user=0.75, flapping=0.25),
        "hung": hung,
        # REGISTER goes through the I-CSCF, which still works and responds for the S-CSCF (TS 24.229, 5.3.1.2).
        "hung_register": hung * float(slot.network_rng.choice([1.0, 0.0, 0.0, slot.network_rng.uniform(0, 0.5)])),
        "moves": float(slot.network_rng.choice([0.0, slot.network_rng.uniform(0.2, 0.95)])),
        "forgets": float(slot.rng.choice([0.0, slot.rng.uniform(0.2, 0.9)])),
        "returns": float(slot.rng.uniform(0.02, 0.5)),
    }


def _effect(view: ExchangeTable, episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> None:
    draws, level, n = episode.draws, episode.level(view.t), len(view)
    hit = affected(view, episode, scenario, level, rng) & ~PING[view.kind]
    # The node and the S-CSCFs of the pool ping each other in turn.
    hit |= (rng.random(n) < level) & _CORE_PINGS[view.kind]
    ue, first = FROM_UE[view.kind], view.kind == RequestKind.REG_INITIAL
    # An initial registration may go to another S-CSCF.
    moved = first & (rng.random(n) < draws["moves"])
    asked = np.flatnonzero(hit & ue & view.leaves & ~moved)
    left = time_to_recovery(view.t, episode, level)
    hung = rng.random(len(asked)) < np.where(first[asked], draws["hung_register"], draws["hung"])
    effects.resume_after(view, asked[hung], left[asked[hung]], scenario, rng)
    effects.fail(view, asked[~hung], scenario.network.failure_responses["scscf"][0], rng)
    arriving = np.flatnonzero(hit & ~ue & view.arrives)
    effects.arrive_after(view, arriving, left[arriving], scenario)
    # After a restart it has lost its registrations: requests of its users fail until they register again.
    gone = episode.affects(scenario.subscribers.placement[view.user], episode.severity * episode.residual(view.t))
    forgotten = gone & OUT_OF_DIALOG[view.kind] & (rng.random(n) < draws["forgets"])
    effects.fail(view, np.flatnonzero(forgotten), scenario.network.failure_responses["non-subscriber"][0], rng)


FAULT: Final = SimulatedFault(
    name="scscf-down",
    severity="share of subscribers that the failed S-CSCF serves, or of the time in which it is down",
    min_severity=0.04,
    total=0.15,
    recovery=(90, 600),
    draw=_draw,
    effect=_effect,
    inject=reregister_after_outage,
)
