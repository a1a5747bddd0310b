"""as-failing: an application server that the S-CSCF asks about calls or messages fails (TS 23.218)."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint_lab.simulate.faults.fault import Draws, SimulatedFault, Slot, affected, reach
from faultprint_lab.simulate.network.kinds import FROM_UE, RequestKind, mask_of
from faultprint_lab.simulate.plan import SimulatedEpisode
from faultprint_lab.simulate.scenario import Scenario
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchanges import ExchangeTable

_CALLS = (RequestKind.INVITE_ORIG, RequestKind.INVITE_TERM)
_MESSAGES = (RequestKind.MESSAGE_UE, RequestKind.MESSAGE_CORE)
SERVED: Final = ((_CALLS, 0.6), (_MESSAGES, 0.15), ((*_CALLS, *_MESSAGES, RequestKind.PUBLISH_UE), 0.25))
"""What the failing server is there for, and how often."""


def _draw(slot: Slot) -> Draws:
    kinds, _ = SERVED[slot.own.choice(len(SERVED), p=[often for _, often in SERVED])]
    return {
        "services": mask_of(*kinds),
        # Default handling SESSION_CONTINUED (TS 29.228): the call goes on without the service, once the timer has run out.
        "continued": float(slot.own.choice([0.0, 0.0, slot.own.uniform(0.2, 0.5)])),
        **reach(slot, by_user=0.5),
    }


def _effect(view: ExchangeTable, episode: SimulatedEpisode, world: Scenario, rng: np.random.Generator) -> None:
    draws = episode.draws
    hit = draws["services"][view.kind] & affected(view, episode, world, episode.level(view.t), rng)
    rows = np.flatnonzero(hit & FROM_UE[view.kind])
    goes_on = rng.random(len(rows)) < draws["continued"]
    answer = world.network.answers["as"][0]
    effects.slow(view, rows[goes_on], extra=effects.draw_answer(answer, int(goes_on.sum()), rng)[1])
    effects.fail(view, rows[~goes_on], answer, rng)
    # Terminating services run before the request reaches this node.
    stopped = np.flatnonzero(hit & ~FROM_UE[view.kind])
    effects.drop(view, stopped[rng.random(len(stopped)) >= draws["continued"]])


FAULT: Final = SimulatedFault(
    name="as-failing",
    severity="share of the requests sent to the server that fail",
    mildest=0.08,
    total=0.2,
    recovery=(60, 240),
    draw=_draw,
    effect=_effect,
)
