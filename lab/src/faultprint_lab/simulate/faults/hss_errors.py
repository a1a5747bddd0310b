"""hss-errors: the HSS answers with an error (DIAMETER_UNABLE_TO_COMPLY, DIAMETER_TOO_BUSY; RFC 6733, 7.1)."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint_lab.simulate.faults.fault import Draws, EpisodeSlot, SimulatedFault, affected, draw_pattern
from faultprint_lab.simulate.faults.hss_link import cx_requests, draw_cx_usage
from faultprint_lab.simulate.scenario import Scenario, SimulatedEpisode
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchange_table import ExchangeTable


def _draw(slot: EpisodeSlot) -> Draws:
    return {**draw_cx_usage(slot), **draw_pattern(slot, by_user=0.3)}


def _effect(view: ExchangeTable, episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> None:
    hit = affected(view, episode, scenario, episode.level(view.t), rng)
    registers, calls = cx_requests(view, episode, rng)
    for chosen, answer in zip((registers, calls), scenario.network.failure_responses["hss-errors"], strict=True):
        effects.fail(view, np.flatnonzero(hit & chosen), answer, rng)


FAULT: Final = SimulatedFault(
    name="hss-errors",
    severity="share of the requests to the HSS that are answered with an error",
    min_severity=0.08,
    total=0.15,
    recovery=(60, 240),
    draw=_draw,
    effect=_effect,
)
