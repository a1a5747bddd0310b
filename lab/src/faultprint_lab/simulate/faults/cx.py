"""Which exchanges need the HSS: what happens to Cx happens to them (TS 29.228, 6.1)."""

from __future__ import annotations

import numpy as np

from faultprint.arrays import BoolArray
from faultprint_lab.simulate.faults.fault import Draws, Slot
from faultprint_lab.simulate.network.kinds import PLACED, REGISTER, RequestKind
from faultprint_lab.simulate.plan import SimulatedEpisode
from faultprint_lab.simulate.traffic.exchanges import ExchangeTable


def habits(slot: Slot) -> Draws:
    """How often a refresh asks the HSS, and how many calls are to subscribers of the same network: the network's own."""
    return {
        "refresh_asks": float(slot.own.choice([1.0, 1.0, slot.own.uniform(0.2, 0.8)])),
        "onnet": float(slot.own.uniform(0.25, 0.8)),
    }


def asks(view: ExchangeTable, episode: SimulatedEpisode, rng: np.random.Generator) -> tuple[BoolArray, BoolArray]:
    """(n,) each: registrations (UAR, MAR, SAR), and what is placed to subscribers of the same network (LIR)."""
    n, draws = len(view), episode.draws
    registers = REGISTER[view.kind] & ((view.kind != RequestKind.REG_REFRESH) | (rng.random(n) < draws["refresh_asks"]))
    return registers, PLACED[view.kind] & (rng.random(n) < draws["onnet"])
