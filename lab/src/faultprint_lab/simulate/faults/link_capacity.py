"""link-at-capacity: a fluid queue in front of the Mw link, while the offered load exceeds its capacity."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint.arrays import Float64Array
from faultprint_lab.simulate.faults.fault import Draws, EpisodeSlot, SimulatedFault
from faultprint_lab.simulate.network.request_kinds import FROM_UE, INVITE
from faultprint_lab.simulate.network.timers import TIMEOUT, count_retransmissions
from faultprint_lab.simulate.scenario import Scenario, SimulatedEpisode
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchange_table import ExchangeTable

STEP: Final = 5.0
"""Time step of the queue in seconds."""

_SHARED_BY = 8
"""Number of nodes that share the link."""


def _draw(slot: EpisodeSlot) -> Draws:
    """The capacity is the expected mean load divided by 0.97 + 1.2 × severity."""
    expected = float(slot.scenario.curve.expected_between(slot.start, slot.end).mean())
    return {
        "capacity": expected / (0.97 + 1.2 * slot.severity),
        "buffer": float(np.exp(slot.network_rng.uniform(np.log(1.0), np.log(15.0)))),
        "seed": int(slot.rng.integers(2**31)),
        "both_ways": bool(slot.network_rng.random() < 0.6),
    }


def queue(episode: SimulatedEpisode, scenario: Scenario) -> tuple[Float64Array, Float64Array]:
    """Waiting time of a message in seconds and its loss probability, each STEP from `start` to `recovery_end`."""
    draws = episode.draws
    rng = np.random.default_rng(draws["seed"])
    times = np.arange(episode.start, episode.recovery_end + STEP, STEP)
    # The link also carries messages of other nodes, so its load is smoother than that of this node.
    per_step = max(_SHARED_BY * scenario.network.load.peak * STEP / 60, 1.0)
    offered = scenario.curve.at(times) * rng.gamma(per_step, 1 / per_step, len(times))
    tcp = scenario.network.transport.tcp_core
    waits, lost = np.zeros(len(times)), np.zeros(len(times))
    wait = 0.0
    for i, load in enumerate(offered):
        limited = times[i] < episode.end
        capacity = draws["capacity"] if limited else 4 * draws["capacity"]
        # Over UDP, messages that wait longer than T1 are retransmitted, which adds load.
        load *= 1.0 if tcp else 1 + 0.25 * min(np.log2(1 + wait / 0.5), 4.0)
        wait += STEP * (load / capacity - 1)
        lost[i] = 0.0 if wait <= draws["buffer"] else min((load - capacity) / load, 0.6)
        wait = waits[i] = min(max(wait, 0.0), draws["buffer"])
    return waits, lost


def _effect(view: ExchangeTable, episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> None:
    """Apply the queue to both directions of the Mw link."""
    waits, lost = queue(episode, scenario)
    step = ((view.t - episode.start) / STEP).astype(np.int64).clip(0, len(waits) - 1)
    wait, chance = waits[step], lost[step]
    ue = FROM_UE[view.kind]
    to_core, from_core = np.flatnonzero(ue & view.leaves), np.flatnonzero(~ue & view.arrives)
    effects.lose(view, 0.0, chance, scenario, rng)
    extra = wait[to_core] * np.where(episode.draws["both_ways"], 1.0 + 0.7 * rng.random(len(to_core)), 1.0)
    effects.slow(view, to_core, extra=extra)
    view.provisional[to_core] += extra
    late = view.delay[to_core] >= TIMEOUT
    effects.no_response(view, to_core[late & ~INVITE[view.kind[to_core]]], scenario, rng)
    effects.delay_arrival(view, from_core, wait[from_core] * episode.draws["both_ways"])
    invites = INVITE[view.kind[from_core]]
    if not scenario.network.transport.tcp_core:
        t1 = np.full(len(from_core), scenario.network.transport.mw_t1)
        view.lost_responses[from_core] += count_retransmissions(wait[from_core], t1, invites).astype(np.uint8)


FAULT: Final = SimulatedFault(
    name="link-at-capacity",
    severity="offered load relative to the capacity of the Mw link: 1 is 2.2 times",
    min_severity=0.04,
    recovery=(60, 300),
    draw=_draw,
    effect=_effect,
    busy=True,
)
