"""traffic-blocked: a filter, a routing fault or a cut cable keeps messages from the node, on both sides or on one."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint.simulate import effects
from faultprint.simulate.exchanges import Exchanges
from faultprint.simulate.kinds import FROM_UE
from faultprint.simulate.plan import Episode
from faultprint.simulate.troubles.fault import Draws, Fault, Slot, returning, struck
from faultprint.simulate.world import World

SIDES: Final = {"both": 0.45, "access": 0.25, "downlink": 0.1, "core": 0.2}
"""Which side is cut, and how often: both; Gm; Gm, but only towards the handsets; Mw."""


def _draw(slot: Slot) -> Draws:
    return {
        "side": str(slot.rng.choice(list(SIDES), p=list(SIDES.values()))),
        "noticed": float(slot.rng.choice([0.0, slot.rng.uniform(0.0, 0.5)])),
        "by_user": True,
        "returns": float(slot.rng.uniform(0.05, 0.6)),
    }


def _effect(view: Exchanges, episode: Episode, world: World, rng: np.random.Generator) -> None:
    side, ue = episode.draws["side"], FROM_UE[view.kind]
    hit = struck(view, episode, world, episode.level(view.t), rng)
    from_ue, from_core = hit & ue, hit & ~ue
    if side == "both":
        effects.drop(view, np.flatnonzero(hit))
    elif side == "access":
        effects.drop(view, np.flatnonzero(from_ue & view.arrives))
        effects.silence(view, np.flatnonzero(from_core & view.leaves), world, rng)
    elif side == "downlink":
        effects.mute(view, np.flatnonzero(from_ue & view.arrives))
        effects.silence(view, np.flatnonzero(from_core & view.leaves), world, rng)
    else:
        effects.silence(view, np.flatnonzero(from_ue & view.leaves), world, rng)
        effects.drop(view, np.flatnonzero(from_core & view.arrives))
        # The node may find out that there is no next hop, and say so at once.
        noticed = from_ue & view.leaves & (rng.random(len(view)) < episode.draws["noticed"])
        effects.refuse(view, np.flatnonzero(noticed), world.network.answers["dns"][0], rng)


FAULT: Final = Fault(
    name="traffic-blocked",
    severity="share of subscribers behind the block",
    mildest=0.15,
    total=0.5,
    recovery=(90, 600),
    draw=_draw,
    effect=_effect,
    inject=returning,
)
