"""traffic-blocked: a filter, a routing fault or a cut cable keeps the handsets' messages from the node, or all messages."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint_lab.simulate.faults.fault import Draws, SimulatedFault, Slot, affected, returning
from faultprint_lab.simulate.network.kinds import FROM_UE, PLACED
from faultprint_lab.simulate.plan import SimulatedEpisode
from faultprint_lab.simulate.scenario import Scenario
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchanges import ExchangeTable

SIDES: Final = {"both": 0.45, "access": 0.4, "downlink": 0.15}
"""What is cut, and how often: Gm, and at full severity Mw, too; Gm; Gm, but only towards the handsets."""


def _draw(slot: Slot) -> Draws:
    return {
        # Callees on the same network may be behind the block, too.
        "onnet": float(slot.own.uniform(0.05, 0.8)),
        "side": str(slot.rng.choice(list(SIDES), p=list(SIDES.values()))),
        "by_user": True,
        "returns": float(slot.rng.uniform(0.05, 0.6)),
    }


def _effect(view: ExchangeTable, episode: SimulatedEpisode, world: Scenario, rng: np.random.Generator) -> None:
    side, ue = episode.draws["side"], FROM_UE[view.kind]
    hit = affected(view, episode, world, episode.level(view.t), rng)
    from_ue, from_core = hit & ue, hit & ~ue
    if side == "both" and episode.severity >= 1:
        effects.drop(view, np.flatnonzero(hit))
        return
    level = episode.level(view.t)
    called = PLACED[view.kind] & ~hit & (rng.random(len(view)) < level * episode.draws["onnet"])
    effects.fail(view, np.flatnonzero(called), world.network.answers["no-answer"][1], rng)
    keep_from_node = effects.drop_responses if side == "downlink" else effects.drop
    keep_from_node(view, np.flatnonzero(from_ue & view.arrives))
    effects.no_response(view, np.flatnonzero(from_core & view.leaves), world, rng)


FAULT: Final = SimulatedFault(
    name="traffic-blocked",
    severity="share of subscribers behind the block",
    mildest=0.15,
    total=0.5,
    recovery=(90, 600),
    draw=_draw,
    effect=_effect,
    inject=returning,
)
