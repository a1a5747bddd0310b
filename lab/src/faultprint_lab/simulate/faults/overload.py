"""overload: the node itself is short of processor time."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint_lab.simulate.faults.fault import Draws, SimulatedFault, Slot
from faultprint_lab.simulate.plan import SimulatedEpisode
from faultprint_lab.simulate.scenario import Scenario
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchanges import ExchangeTable


def _draw(slot: Slot) -> Draws:
    return {
        "seconds": float(np.exp(slot.own.uniform(np.log(1.5), np.log(8)))),
        "steep": float(slot.own.uniform(1.0, 4.0)),
        "spread": float(slot.own.uniform(0.4, 1.0)),
        "sheds": float(slot.own.choice([0.0, slot.own.uniform(0.2, 1.0)])),
        "sheds_from": float(slot.own.uniform(0.1, 0.5)),
        # What finds the socket's buffer full is lost, and sent again.
        "drops": float(slot.own.choice([0.0, slot.own.uniform(0.3, 1.0)])),
        "drops_from": float(slot.own.uniform(0.05, 0.5)),
    }


def _effect(view: ExchangeTable, episode: SimulatedEpisode, world: Scenario, rng: np.random.Generator) -> None:
    draws, n = episode.draws, len(view)
    level = episode.level(view.t) + 0.5 * episode.severity * episode.remnant(view.t)
    busy = np.flatnonzero(level > 0)
    typical = draws["seconds"] * np.expm1(draws["steep"] * level[busy]) / np.expm1(draws["steep"])
    # What is short at noon may be enough at night.
    typical *= 0.3 + 0.7 * world.curve.at(view.t[busy])
    there, back = (typical * np.exp(draws["spread"] * rng.standard_normal(len(busy))) for _ in range(2))
    effects.delay_node(view, busy, np.minimum(there, 20.0), np.minimum(back, 20.0))
    full = np.maximum(level - draws["drops_from"], 0) * draws["drops"]
    effects.receive_loss(view, np.minimum(1.5 * full, 0.9), world, rng)
    # Overload control answers 503 (RFC 3261, 21.5.4; RFC 7339) before anything is forwarded.
    shed = view.arrives & (rng.random(n) < draws["sheds"] * np.maximum(level - draws["sheds_from"], 0))
    effects.refuse(view, np.flatnonzero(shed), world.network.answers["overload"][0], rng)


FAULT: Final = SimulatedFault(
    name="overload",
    severity="how short the node is of processor time: 1 adds 1.5 to 8 s each way",
    mildest=0.05,
    recovery=(60, 360),
    draw=_draw,
    effect=_effect,
)
