"""hss-link-down: the Cx link between the I- or S-CSCF and the HSS is gone, or one of several peers is."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint.simulate import effects
from faultprint.simulate.exchanges import Exchanges
from faultprint.simulate.kinds import REGISTER, K, mask_of
from faultprint.simulate.plan import Episode
from faultprint.simulate.troubles.fault import Draws, Fault, Slot, returning, struck
from faultprint.simulate.world import World

_PLACED = mask_of(K.INVITE_ORIG, K.MESSAGE_UE)
_ARRIVING = mask_of(K.INVITE_TERM, K.MESSAGE_CORE)


def _draw(slot: Slot) -> Draws:
    return {
        "refresh_asks": float(slot.own.choice([1.0, 1.0, slot.own.uniform(0.2, 0.8)])),
        "onnet": float(slot.own.uniform(0.25, 0.8)),
        "by_user": bool(slot.rng.random() < 0.3),
        "returns": float(slot.rng.uniform(0.0, 0.15)),
    }


def _effect(view: Exchanges, episode: Episode, world: World, rng: np.random.Generator) -> None:
    draws, n = episode.draws, len(view)
    hit = struck(view, episode, world, episode.level(view.t), rng)
    asks = REGISTER[view.kind] & ((view.kind != K.REG_REFRESH) | (rng.random(n) < draws["refresh_asks"]))
    register, call = world.network.answers["hss"]
    effects.fail(view, np.flatnonzero(hit & asks), register, rng)
    # A call to a subscriber of the same network needs LIR, too.
    onnet = _PLACED[view.kind] & (rng.random(n) < draws["onnet"])
    effects.fail(view, np.flatnonzero(hit & onnet), call, rng)
    # One that comes in is routed by LIR before it could reach this node.
    effects.drop(view, np.flatnonzero(hit & _ARRIVING[view.kind]))
    backlog = episode.remnant(view.t) * episode.severity
    late = np.flatnonzero(REGISTER[view.kind] & (backlog > 0))
    effects.slow(view, late, factor=1 + 5 * backlog[late] * rng.random(len(late)))


FAULT: Final = Fault(
    name="hss-link-down",
    severity="share of the requests which need the HSS that get nothing from it",
    mildest=0.03,
    total=0.3,
    recovery=(60, 420),
    draw=_draw,
    effect=_effect,
    inject=returning,
)
