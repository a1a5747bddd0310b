"""as-failing: an application server that the S-CSCF uses for calls or messages fails (TS 23.218)."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint_lab.simulate.faults.fault import Draws, EpisodeSlot, SimulatedFault, affected, draw_pattern
from faultprint_lab.simulate.network.request_kinds import FROM_UE, RequestKind, mask_of
from faultprint_lab.simulate.scenario import Scenario, SimulatedEpisode
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchange_table import ExchangeTable

_CALLS = (RequestKind.INVITE_ORIG, RequestKind.INVITE_TERM)
_MESSAGES = (RequestKind.MESSAGE_UE, RequestKind.MESSAGE_CORE)
SERVED: Final = ((_CALLS, 0.6), (_MESSAGES, 0.15), ((*_CALLS, *_MESSAGES, RequestKind.PUBLISH_UE), 0.25))
"""Kinds of requests that the failing server handles, with the share of networks."""


def _draw(slot: EpisodeSlot) -> Draws:
    kinds, _ = SERVED[slot.network_rng.choice(len(SERVED), p=[share for _, share in SERVED])]
    return {
        "services": mask_of(*kinds),
        # Default handling SESSION_CONTINUED (TS 29.228): the call continues without the service after the timeout.
        "continued": float(slot.network_rng.choice([0.0, 0.0, slot.network_rng.uniform(0.2, 0.5)])),
        **draw_pattern(slot, by_user=0.5),
    }


def _effect(view: ExchangeTable, episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> None:
    draws = episode.draws
    hit = draws["services"][view.kind] & affected(view, episode, scenario, episode.level(view.t), rng)
    rows = np.flatnonzero(hit & FROM_UE[view.kind])
    continues = rng.random(len(rows)) < draws["continued"]
    answer = scenario.network.failure_responses["as"][0]
    effects.slow(view, rows[continues], extra=effects.draw_response(answer, int(continues.sum()), rng)[1])
    effects.fail(view, rows[~continues], answer, rng)
    # Terminating services run before the request reaches this node.
    failed = np.flatnonzero(hit & ~FROM_UE[view.kind])
    effects.drop(view, failed[rng.random(len(failed)) >= draws["continued"]])


FAULT: Final = SimulatedFault(
    name="as-failing",
    severity="share of the requests sent to the server that fail",
    min_severity=0.08,
    total=0.2,
    recovery=(60, 240),
    draw=_draw,
    effect=_effect,
)
