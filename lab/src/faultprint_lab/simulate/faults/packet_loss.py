"""packet-loss: messages are lost on Gm, on Mw, or on both."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint_lab.simulate.faults.fault import Draws, EpisodeSlot, SimulatedFault
from faultprint_lab.simulate.scenario import Scenario, SimulatedEpisode
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchange_table import ExchangeTable


def _draw(slot: EpisodeSlot) -> Draws:
    legs = ((1.0, 0.0), (0.0, 1.0), (1.0, float(slot.rng.uniform(0.2, 1.0))))
    gm, mw = legs[slot.rng.choice(3, p=[0.35, 0.3, 0.35])]
    return {"gm": gm, "mw": mw}


def _effect(view: ExchangeTable, episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> None:
    chance = 0.33 * episode.level(view.t) + 0.01 * episode.residual(view.t)
    effects.lose(view, chance * episode.draws["gm"], chance * episode.draws["mw"], scenario, rng)


FAULT: Final = SimulatedFault(
    name="packet-loss",
    severity="loss of messages: 1 is 33 %",
    min_severity=0.08,
    recovery=(60, 150),
    draw=_draw,
    effect=_effect,
)
