"""hss-slow: the HSS takes its time for every answer on Cx."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint_lab.simulate.faults.cx import asks, habits
from faultprint_lab.simulate.faults.fault import Draws, SimulatedFault, Slot
from faultprint_lab.simulate.network.kinds import RequestKind
from faultprint_lab.simulate.plan import SimulatedEpisode
from faultprint_lab.simulate.scenario import Scenario
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchanges import ExchangeTable


def _draw(slot: Slot) -> Draws:
    return {
        **habits(slot),
        "seconds": float(np.exp(slot.own.uniform(np.log(0.8), np.log(4.0)))),
        "spread": float(slot.own.choice([0.05, slot.own.uniform(0.2, 0.8)])),
    }


def _effect(view: ExchangeTable, episode: SimulatedEpisode, world: Scenario, rng: np.random.Generator) -> None:
    level = episode.level(view.t) + 0.5 * episode.severity * episode.remnant(view.t)
    registers, calls = asks(view, episode, rng)
    rows = np.flatnonzero((registers | calls) & (level > 0))
    # A first REGISTER asks twice (UAR, MAR), one with credentials, too (UAR, SAR); a call once.
    questions = np.where(registers[rows] & (view.kind[rows] != RequestKind.REG_REFRESH), 2, 1)
    seconds = episode.draws["seconds"] * level[rows] * np.exp(episode.draws["spread"] * rng.standard_normal(len(rows)))
    effects.slow(view, rows, extra=questions * seconds)


FAULT: Final = SimulatedFault(
    name="hss-slow",
    severity="how long each answer on Cx takes: 1 is 0.8 to 4 s",
    mildest=0.08,
    recovery=(60, 240),
    draw=_draw,
    effect=_effect,
)
