"""core-leg-down: the node's Mw link, or the path behind it, is down."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint_lab.simulate.faults.fault import (
    Draws,
    EpisodeSlot,
    SimulatedFault,
    affected,
    draw_pattern,
    reregister_after_outage,
    time_to_recovery,
)
from faultprint_lab.simulate.network.request_kinds import FROM_UE
from faultprint_lab.simulate.scenario import Scenario, SimulatedEpisode
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchange_table import ExchangeTable


def _draw(slot: EpisodeSlot) -> Draws:
    return {
        **draw_pattern(slot, by_user=0.3, flapping=0.5),
        # The node may detect that the next hop is gone, and refuse at once.
        "noticed": float(slot.rng.choice([0.0, slot.rng.uniform(0.0, 0.5)])),
        "returns": float(slot.rng.uniform(0.05, 0.6)),
    }


def _effect(view: ExchangeTable, episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> None:
    ue, level = FROM_UE[view.kind], episode.level(view.t)
    hit = affected(view, episode, scenario, level, rng)
    left = time_to_recovery(view.t, episode, level)
    towards = np.flatnonzero(hit & ue & view.leaves)
    noticed = rng.random(len(towards)) < episode.draws["noticed"]
    effects.resume_after(view, towards[~noticed], left[towards[~noticed]], scenario, rng)
    effects.refuse(view, towards[noticed], scenario.network.failure_responses["dns"][0], rng)
    arriving = np.flatnonzero(hit & ~ue & view.arrives)
    effects.arrive_after(view, arriving, left[arriving], scenario)


FAULT: Final = SimulatedFault(
    name="core-leg-down",
    severity="share of subscribers, of requests or of the time for which Mw is down",
    min_severity=0.08,
    total=0.4,
    recovery=(90, 600),
    draw=_draw,
    effect=_effect,
    inject=reregister_after_outage,
)
