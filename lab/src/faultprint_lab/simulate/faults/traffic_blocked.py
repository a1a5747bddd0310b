"""traffic-blocked: a filter, a routing fault or a cut cable blocks the handsets' messages, or all messages."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint_lab.simulate.faults.fault import Draws, EpisodeSlot, SimulatedFault, affected, reregister_after_outage
from faultprint_lab.simulate.network.request_kinds import FROM_UE, TO_SUBSCRIBER
from faultprint_lab.simulate.scenario import Scenario, SimulatedEpisode
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchange_table import ExchangeTable

SIDES: Final = {"both": 0.45, "access": 0.4, "downlink": 0.15}
"""Share of episodes by what is blocked.

both       Gm, and at severity 1 also Mw
access     Gm
downlink   Gm, only towards the handsets
"""


def _draw(slot: EpisodeSlot) -> Draws:
    return {
        # Callees in the same network may be blocked too.
        "onnet": float(slot.network_rng.uniform(0.05, 0.8)),
        "side": str(slot.rng.choice(list(SIDES), p=list(SIDES.values()))),
        "by_user": True,
        "returns": float(slot.rng.uniform(0.05, 0.6)),
    }


def _effect(view: ExchangeTable, episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> None:
    side, ue = episode.draws["side"], FROM_UE[view.kind]
    hit = affected(view, episode, scenario, episode.level(view.t), rng)
    from_ue, from_core = hit & ue, hit & ~ue
    if side == "both" and episode.severity >= 1:
        effects.drop(view, np.flatnonzero(hit))
        return
    level = episode.level(view.t)
    called = TO_SUBSCRIBER[view.kind] & ~hit & (rng.random(len(view)) < level * episode.draws["onnet"])
    effects.fail(view, np.flatnonzero(called), scenario.network.failure_responses["no-answer"][1], rng)
    block = effects.drop_responses if side == "downlink" else effects.drop
    block(view, np.flatnonzero(from_ue & view.arrives))
    effects.no_response(view, np.flatnonzero(from_core & view.leaves), scenario, rng)


FAULT: Final = SimulatedFault(
    name="traffic-blocked",
    severity="share of subscribers behind the block",
    min_severity=0.15,
    total=0.5,
    recovery=(90, 600),
    draw=_draw,
    effect=_effect,
    inject=reregister_after_outage,
)
