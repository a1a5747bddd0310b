"""link-at-capacity: a fluid queue before the Mw link, as long as more is offered than it carries."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint.arrays import Float64Array
from faultprint_lab.simulate.faults.fault import Draws, SimulatedFault, Slot
from faultprint_lab.simulate.network.kinds import FROM_UE, INVITE
from faultprint_lab.simulate.network.timers import GIVE_UP, times_sent_again
from faultprint_lab.simulate.plan import SimulatedEpisode
from faultprint_lab.simulate.scenario import Scenario
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchanges import ExchangeTable

STEP: Final = 5.0
"""Seconds between two points of the queue's length."""

_SHARED_BY = 8


def _draw(slot: Slot) -> Draws:
    """The link carries the mean that is expected to be offered, divided by 0.97 + 1.2 × severity."""
    expected = float(slot.world.curve.plain_between(slot.start, slot.end).mean())
    return {
        "capacity": expected / (0.97 + 1.2 * slot.severity),
        "buffer": float(np.exp(slot.own.uniform(np.log(1.0), np.log(15.0)))),
        "seed": int(slot.rng.integers(2**31)),
        "both_ways": bool(slot.own.random() < 0.6),
    }


def queue(episode: SimulatedEpisode, world: Scenario) -> tuple[Float64Array, Float64Array]:
    """Seconds that a message waits, and the chance that it is lost, each STEP from the episode's start to its `over`."""
    draws = episode.draws
    rng = np.random.default_rng(draws["seed"])
    times = np.arange(episode.start, episode.over + STEP, STEP)
    # The link carries other nodes' messages, too, so that the load is smoother than this node's own.
    per_step = max(_SHARED_BY * world.network.load.peak * STEP / 60, 1.0)
    offered = world.curve.at(times) * rng.gamma(per_step, 1 / per_step, len(times))
    tcp = world.network.transport.tcp_core
    waits, lost = np.zeros(len(times)), np.zeros(len(times))
    wait = 0.0
    for i, load in enumerate(offered):
        narrow = times[i] < episode.end
        capacity = draws["capacity"] if narrow else 4 * draws["capacity"]
        # Over UDP what waits longer than T1 is sent again, and makes matters worse.
        load *= 1.0 if tcp else 1 + 0.25 * min(np.log2(1 + wait / 0.5), 4.0)
        wait += STEP * (load / capacity - 1)
        lost[i] = 0.0 if wait <= draws["buffer"] else min((load - capacity) / load, 0.6)
        wait = waits[i] = min(max(wait, 0.0), draws["buffer"])
    return waits, lost


def _effect(view: ExchangeTable, episode: SimulatedEpisode, world: Scenario, rng: np.random.Generator) -> None:
    """The effect of the queue on both directions of the Mw link."""
    waits, lost = queue(episode, world)
    step = ((view.t - episode.start) / STEP).astype(np.int64).clip(0, len(waits) - 1)
    wait, chance = waits[step], lost[step]
    ue = FROM_UE[view.kind]
    to_core, from_core = np.flatnonzero(ue & view.leaves), np.flatnonzero(~ue & view.arrives)
    effects.lose(view, 0.0, chance, world, rng)
    way = wait[to_core] * np.where(episode.draws["both_ways"], 1.0 + 0.7 * rng.random(len(to_core)), 1.0)
    effects.slow(view, to_core, extra=way)
    view.prov[to_core] += way
    late = view.delay[to_core] >= GIVE_UP
    effects.no_response(view, to_core[late & ~INVITE[view.kind[to_core]]], world, rng)
    effects.come_late(view, from_core, wait[from_core] * episode.draws["both_ways"])
    invites = INVITE[view.kind[from_core]]
    if not world.network.transport.tcp_core:
        t1 = np.full(len(from_core), world.network.transport.mw_t1)
        view.lost_in[from_core] += times_sent_again(wait[from_core], t1, invites).astype(np.uint8)


FAULT: Final = SimulatedFault(
    name="link-at-capacity",
    severity="how far the load offered exceeds what the Mw link carries: 1 is 2.2 times",
    mildest=0.04,
    recovery=(60, 300),
    draw=_draw,
    effect=_effect,
    busy=True,
)
