"""core-leg-down: the node's Mw link, or the way behind it, carries nothing."""

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
from faultprint_lab.simulate.network.kinds import FROM_UE
from faultprint_lab.simulate.plan import SimulatedEpisode
from faultprint_lab.simulate.scenario import Scenario
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchanges import ExchangeTable


def _draw(slot: Slot) -> Draws:
    return {
        **reach(slot, by_user=0.3, flapping=0.5),
        # The node may find out that there is no next hop, and say so at once.
        "noticed": float(slot.rng.choice([0.0, slot.rng.uniform(0.0, 0.5)])),
        "returns": float(slot.rng.uniform(0.05, 0.6)),
    }


def _effect(view: ExchangeTable, episode: SimulatedEpisode, world: Scenario, rng: np.random.Generator) -> None:
    ue, level = FROM_UE[view.kind], episode.level(view.t)
    hit = affected(view, episode, world, level, rng)
    left = remaining(view.t, episode, level)
    towards = np.flatnonzero(hit & ue & view.leaves)
    noticed = rng.random(len(towards)) < episode.draws["noticed"]
    effects.wait_out(view, towards[~noticed], left[towards[~noticed]], world, rng)
    effects.refuse(view, towards[noticed], world.network.answers["dns"][0], rng)
    arriving = np.flatnonzero(hit & ~ue & view.arrives)
    effects.arrive_late(view, arriving, left[arriving], world)


FAULT: Final = SimulatedFault(
    name="core-leg-down",
    severity="share of subscribers, of requests or of the time for which Mw carries nothing",
    mildest=0.08,
    total=0.4,
    recovery=(90, 600),
    draw=_draw,
    effect=_effect,
    inject=returning,
)
