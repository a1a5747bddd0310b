"""scscf-down: one of the S-CSCFs, or the only one, hangs or has crashed."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint_lab.simulate.faults.fault import (
    Draws,
    SimulatedFault,
    Slot,
    affected,
    reach,
    remaining,
    returning,
)
from faultprint_lab.simulate.network.kinds import FROM_UE, OUT_OF_DIALOG, PING, RequestKind, mask_of
from faultprint_lab.simulate.plan import SimulatedEpisode
from faultprint_lab.simulate.scenario import Scenario
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchanges import ExchangeTable

_CORE_PINGS = mask_of(RequestKind.PING_CORE, RequestKind.OPTIONS_CORE)


def _draw(slot: Slot) -> Draws:
    hung = float(slot.rng.choice([0.0, 1.0, slot.rng.uniform(0.2, 0.9)]))
    return {
        **reach(slot, by_user=0.75, flapping=0.25),
        "hung": hung,
        # REGISTER goes by way of the I-CSCF, which is alive and is to answer for the S-CSCF (TS 24.229, 5.3.1.2).
        "hung_register": hung * float(slot.own.choice([1.0, 0.0, 0.0, slot.own.uniform(0, 0.5)])),
        "moves": float(slot.own.choice([0.0, slot.own.uniform(0.2, 0.95)])),
        "forgets": float(slot.rng.choice([0.0, slot.rng.uniform(0.2, 0.9)])),
        "returns": float(slot.rng.uniform(0.02, 0.5)),
    }


def _effect(view: ExchangeTable, episode: SimulatedEpisode, world: Scenario, rng: np.random.Generator) -> None:
    draws, level, n = episode.draws, episode.level(view.t), len(view)
    hit = affected(view, episode, world, level, rng) & ~PING[view.kind]
    # The node and the S-CSCFs of the pool ping one another in turn.
    hit |= (rng.random(n) < level) & _CORE_PINGS[view.kind]
    ue, first = FROM_UE[view.kind], view.kind == RequestKind.REG_INITIAL
    # An initial registration may be given to another S-CSCF.
    moved = first & (rng.random(n) < draws["moves"])
    asked = np.flatnonzero(hit & ue & view.leaves & ~moved)
    left = remaining(view.t, episode, level)
    hung = rng.random(len(asked)) < np.where(first[asked], draws["hung_register"], draws["hung"])
    effects.wait_out(view, asked[hung], left[asked[hung]], world, rng)
    effects.fail(view, asked[~hung], world.network.answers["scscf"][0], rng)
    arriving = np.flatnonzero(hit & ~ue & view.arrives)
    effects.arrive_late(view, arriving, left[arriving], world)
    # Restarted, it has forgotten its registrations: requests of its users fail until they register anew.
    gone = episode.hits(world.population.place[view.user], episode.severity * episode.remnant(view.t))
    forgotten = gone & OUT_OF_DIALOG[view.kind] & (rng.random(n) < draws["forgets"])
    effects.fail(view, np.flatnonzero(forgotten), world.network.answers["stranger"][0], rng)


FAULT: Final = SimulatedFault(
    name="scscf-down",
    severity="share of subscribers whom the dead S-CSCF serves, or of the time in which it is dead",
    mildest=0.04,
    total=0.15,
    recovery=(90, 600),
    draw=_draw,
    effect=_effect,
    inject=returning,
)
