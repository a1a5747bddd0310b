"""overload: the node itself has too little processor time."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint_lab.simulate.faults.fault import Draws, EpisodeSlot, SimulatedFault
from faultprint_lab.simulate.scenario import Scenario, SimulatedEpisode
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchange_table import ExchangeTable


def _draw(slot: EpisodeSlot) -> Draws:
    return {
        "seconds": float(np.exp(slot.network_rng.uniform(np.log(1.5), np.log(8)))),
        "steep": float(slot.network_rng.uniform(1.0, 4.0)),
        "spread": float(slot.network_rng.uniform(0.4, 1.0)),
        "sheds": float(slot.network_rng.choice([0.0, slot.network_rng.uniform(0.2, 1.0)])),
        "sheds_from": float(slot.network_rng.uniform(0.1, 0.5)),
        # A message that finds the socket buffer full is lost and retransmitted.
        "drops": float(slot.network_rng.choice([0.0, slot.network_rng.uniform(0.3, 1.0)])),
        "drops_from": float(slot.network_rng.uniform(0.05, 0.5)),
    }


def _effect(view: ExchangeTable, episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> None:
    draws, n = episode.draws, len(view)
    level = episode.level(view.t) + 0.5 * episode.severity * episode.residual(view.t)
    busy = np.flatnonzero(level > 0)
    typical = draws["seconds"] * np.expm1(draws["steep"] * level[busy]) / np.expm1(draws["steep"])
    # The same processor time may be enough at night.
    typical *= 0.3 + 0.7 * scenario.curve.at(view.t[busy])
    forward, back = (typical * np.exp(draws["spread"] * rng.standard_normal(len(busy))) for _ in range(2))
    effects.delay_node(view, busy, np.minimum(forward, 20.0), np.minimum(back, 20.0))
    full = np.maximum(level - draws["drops_from"], 0) * draws["drops"]
    effects.receive_loss(view, np.minimum(1.5 * full, 0.9), scenario, rng)
    # Overload control answers 503 (RFC 3261, 21.5.4; RFC 7339) before anything is forwarded.
    shed = view.arrives & (rng.random(n) < draws["sheds"] * np.maximum(level - draws["sheds_from"], 0))
    effects.refuse(view, np.flatnonzero(shed), scenario.network.failure_responses["overload"][0], rng)


FAULT: Final = SimulatedFault(
    name="overload",
    severity="lack of processor time: 1 adds 1.5 to 8 s each way",
    min_severity=0.05,
    recovery=(60, 360),
    draw=_draw,
    effect=_effect,
)
