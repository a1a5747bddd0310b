"""dns-slow: names of next hops are slow to resolve, or time out, after they leave the cache (RFC 3263)."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint_lab.simulate.faults.fault import Draws, EpisodeSlot, SimulatedFault
from faultprint_lab.simulate.network.request_kinds import OUT_OF_DIALOG, REGISTER
from faultprint_lab.simulate.scenario import Scenario, SimulatedEpisode
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchange_table import ExchangeTable


def _draw(slot: EpisodeSlot) -> Draws:
    return {
        # REGISTER goes to a name; other requests go to the Service-Route, a name or an address.
        "named": float(slot.network_rng.choice([1.0, slot.network_rng.uniform(0.2, 1.0), 0.1])),
        "waits": float(slot.network_rng.choice([0.0, 1.0, slot.network_rng.uniform(0.1, 0.9)])),
        # Look-ups may block the worker processes that all other requests need.
        "crowds": float(slot.network_rng.choice([0.0, 0.0, slot.network_rng.uniform(0.3, 1.0)])),
        "seconds": float(np.exp(slot.rng.uniform(np.log(0.5), np.log(6.0)))),
    }


def _effect(view: ExchangeTable, episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> None:
    draws, n = episode.draws, len(view)
    needs = REGISTER[view.kind] | (OUT_OF_DIALOG[view.kind] & (rng.random(n) < draws["named"]))
    hit = np.flatnonzero(needs & (rng.random(n) < episode.level(view.t)))
    waits = rng.random(len(hit)) < draws["waits"]
    late = hit[waits]
    wait = draws["seconds"] * np.exp(0.5 * rng.standard_normal(len(late))) * rng.integers(1, 3, len(late))
    effects.delay_node(view, late, np.minimum(wait, 25.0), 0.0)
    blocked = np.flatnonzero(~needs & (rng.random(n) < draws["crowds"] * episode.level(view.t)))
    effects.delay_node(view, blocked, draws["seconds"] * rng.random(len(blocked)), 0.0)
    effects.refuse(view, hit[~waits], scenario.network.failure_responses["dns"][0], rng)


FAULT: Final = SimulatedFault(
    name="dns-slow",
    severity="share of look-ups that are not in the cache",
    min_severity=0.04,
    total=0.2,
    recovery=(60, 240),
    draw=_draw,
    effect=_effect,
)
