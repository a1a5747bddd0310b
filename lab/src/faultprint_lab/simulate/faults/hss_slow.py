"""hss-slow: every answer of the HSS on Cx is slow."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint_lab.simulate.faults.fault import Draws, EpisodeSlot, SimulatedFault
from faultprint_lab.simulate.faults.hss_link import cx_requests, draw_cx_usage
from faultprint_lab.simulate.network.request_kinds import RequestKind
from faultprint_lab.simulate.scenario import Scenario, SimulatedEpisode
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchange_table import ExchangeTable


def _draw(slot: EpisodeSlot) -> Draws:
    return {
        **draw_cx_usage(slot),
        "seconds": float(np.exp(slot.network_rng.uniform(np.log(0.8), np.log(4.0)))),
        "spread": float(slot.network_rng.choice([0.05, slot.network_rng.uniform(0.2, 0.8)])),
    }


def _effect(view: ExchangeTable, episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> None:
    level = episode.level(view.t) + 0.5 * episode.severity * episode.residual(view.t)
    registers, calls = cx_requests(view, episode, rng)
    rows = np.flatnonzero((registers | calls) & (level > 0))
    # A first REGISTER needs two requests (UAR, MAR), one with credentials also two (UAR, SAR), a call one.
    requests = np.where(registers[rows] & (view.kind[rows] != RequestKind.REG_REFRESH), 2, 1)
    seconds = episode.draws["seconds"] * level[rows] * np.exp(episode.draws["spread"] * rng.standard_normal(len(rows)))
    effects.slow(view, rows, extra=requests * seconds)


FAULT: Final = SimulatedFault(
    name="hss-slow",
    severity="delay of each answer on Cx: 1 is 0.8 to 4 s",
    min_severity=0.08,
    recovery=(60, 240),
    draw=_draw,
    effect=_effect,
)
