"""hss-errors: the HSS answers, but with an error (DIAMETER_UNABLE_TO_COMPLY, DIAMETER_TOO_BUSY; RFC 6733, 7.1)."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint_lab.simulate.faults.cx import asks, habits
from faultprint_lab.simulate.faults.fault import Draws, SimulatedFault, Slot, affected, reach
from faultprint_lab.simulate.plan import SimulatedEpisode
from faultprint_lab.simulate.scenario import Scenario
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchanges import ExchangeTable


def _draw(slot: Slot) -> Draws:
    return {**habits(slot), **reach(slot, by_user=0.3)}


def _effect(view: ExchangeTable, episode: SimulatedEpisode, world: Scenario, rng: np.random.Generator) -> None:
    hit = affected(view, episode, world, episode.level(view.t), rng)
    registers, calls = asks(view, episode, rng)
    for chosen, answer in zip((registers, calls), world.network.answers["hss-errors"], strict=True):
        effects.fail(view, np.flatnonzero(hit & chosen), answer, rng)


FAULT: Final = SimulatedFault(
    name="hss-errors",
    severity="share of the requests to the HSS that are answered with an error",
    mildest=0.08,
    total=0.15,
    recovery=(60, 240),
    draw=_draw,
    effect=_effect,
)
