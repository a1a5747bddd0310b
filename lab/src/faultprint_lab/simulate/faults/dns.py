"""dns-slow: names of next hops take long to resolve, or time out, as they run out of the cache (RFC 3263)."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint_lab.simulate.faults.fault import Draws, SimulatedFault, Slot
from faultprint_lab.simulate.network.kinds import OUT_OF_DIALOG, REGISTER
from faultprint_lab.simulate.plan import SimulatedEpisode
from faultprint_lab.simulate.scenario import Scenario
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchanges import ExchangeTable


def _draw(slot: Slot) -> Draws:
    return {
        # REGISTER is sent to a name; other requests to whatever the Service-Route says, a name or an address.
        "named": float(slot.own.choice([1.0, slot.own.uniform(0.2, 1.0), 0.1])),
        "waits": float(slot.own.choice([0.0, 1.0, slot.own.uniform(0.1, 0.9)])),
        # Look-ups may hold the processes that everything else needs, too.
        "crowds": float(slot.own.choice([0.0, 0.0, slot.own.uniform(0.3, 1.0)])),
        "seconds": float(np.exp(slot.rng.uniform(np.log(0.5), np.log(6.0)))),
    }


def _effect(view: ExchangeTable, episode: SimulatedEpisode, world: Scenario, rng: np.random.Generator) -> None:
    draws, n = episode.draws, len(view)
    needs = REGISTER[view.kind] | (OUT_OF_DIALOG[view.kind] & (rng.random(n) < draws["named"]))
    hit = np.flatnonzero(needs & (rng.random(n) < episode.level(view.t)))
    waits = rng.random(len(hit)) < draws["waits"]
    late = hit[waits]
    wait = draws["seconds"] * np.exp(0.5 * rng.standard_normal(len(late))) * rng.integers(1, 3, len(late))
    effects.delay_node(view, late, np.minimum(wait, 25.0), 0.0)
    behind = np.flatnonzero(~needs & (rng.random(n) < draws["crowds"] * episode.level(view.t)))
    effects.delay_node(view, behind, draws["seconds"] * rng.random(len(behind)), 0.0)
    effects.refuse(view, hit[~waits], world.network.answers["dns"][0], rng)


FAULT: Final = SimulatedFault(
    name="dns-slow",
    severity="share of look-ups that are not in the cache",
    mildest=0.04,
    total=0.2,
    recovery=(60, 240),
    draw=_draw,
    effect=_effect,
)
