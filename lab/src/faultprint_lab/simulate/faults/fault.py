"""The parts that all faults share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from faultprint.arrays import BoolArray, Float64Array
from faultprint_lab.simulate.network.request_kinds import RequestKind
from faultprint_lab.simulate.scenario import Scenario, SimulatedEpisode
from faultprint_lab.simulate.traffic.exchange_table import ExchangeTable


@dataclass(frozen=True, slots=True)
class EpisodeSlot:
    """Where an episode will be, in seconds from the start of the span, and two random generators.

    `network_rng` gives the same draws in every episode of this fault in the network: use it for the behaviour of the
    equipment. `rng` gives new draws in each episode.
    """

    scenario: Scenario
    start: float
    end: float
    severity: float
    network_rng: np.random.Generator
    rng: np.random.Generator


CYCLE: Final = (6.0, 60.0)
"""Shortest and longest cycle in seconds of an intermittent fault."""

Draws = dict[str, Any]
"""What a fault drew for an episode, by name."""
Draw = Callable[[EpisodeSlot], Draws]
Effect = Callable[[ExchangeTable, SimulatedEpisode, Scenario, np.random.Generator], None]
Inject = Callable[[SimulatedEpisode, Scenario, np.random.Generator], ExchangeTable]


@dataclass(frozen=True, slots=True)
class SimulatedFault:
    """A fault of the simulator.

    name           condition in the labels
    severity       meaning of a severity from 0 to 1
    min_severity   severities are log-uniform from here to 1
    recovery       shortest and longest recovery in seconds
    draw           draws what stays constant during an episode
    effect         changes the exchanges that start in the episode or its recovery, in place
    total          share of episodes with severity 1
    inject         adds registrations that the fault causes
    busy           whether the fault needs a busy hour
    """

    name: str
    severity: str
    min_severity: float
    recovery: tuple[float, float]
    draw: Draw
    effect: Effect
    total: float = 0.0
    inject: Inject | None = None
    busy: bool = False

    def draw_severity(self, rng: np.random.Generator) -> float:
        """Draw a severity from `min_severity` to 1."""
        if rng.random() < self.total:
            return 1.0
        return float(np.exp(rng.uniform(np.log(self.min_severity), 0.0)))


def draw_pattern(slot: EpisodeSlot, by_user: float, flapping: float = 0.0) -> Draws:
    """Draw which requests a partial fault affects.

    With probability `by_user`: always the same subscribers. With probability `flapping`: all of them, for a share of each
    cycle (an intermittent fault). Else: random requests.
    """
    uniform = slot.rng.random()
    cycle = float(np.exp(slot.rng.uniform(np.log(CYCLE[0]), np.log(CYCLE[1]))))
    return {"by_user": bool(uniform < by_user), "cycle": cycle if by_user <= uniform < by_user + flapping else 0.0}


def affected(
    view: ExchangeTable, episode: SimulatedEpisode, scenario: Scenario, share: Float64Array, rng: np.random.Generator
) -> BoolArray:
    """Which requests a fault with this `share` affects, by the pattern that `draw_pattern` drew; (n,)."""
    if episode.draws["by_user"]:
        return episode.affects(scenario.subscribers.placement[view.user], share)
    if cycle := episode.draws["cycle"]:
        down: BoolArray = (view.t / cycle) % 1 < share
        return down
    return rng.random(len(view)) < share


def time_to_recovery(t: Float64Array, episode: SimulatedEpisode, share: Float64Array) -> Float64Array:
    """Seconds from `t` until an intermittent fault pauses, (n,); infinite for other faults."""
    cycle = episode.draws["cycle"]
    if not cycle:
        return np.full(len(t), np.inf)
    return np.where(share < 1, (share - (t / cycle) % 1) * cycle, episode.end - t)


def reregister(users: Any, t: Float64Array, scenario: Scenario, rng: np.random.Generator) -> ExchangeTable:
    """Initial registrations at `t` of the `users` whose handsets are on."""
    until = scenario.subscribers.registered_until(users, t)
    on = until > t
    dialogs = rng.integers(0, 2**64, size=int(on.sum()), dtype=np.uint64)
    return ExchangeTable.planned(t[on], RequestKind.REG_INITIAL, users[on], dialogs, until=until[on])


def reregister_after_outage(episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> ExchangeTable:
    """Handsets that noticed the outage register again when it has ended."""
    subscribers = scenario.subscribers
    size = subscribers.size
    share = episode.draws["returns"] * min(1.0, (episode.end - episode.start) / 1200)
    hit = episode.affects(subscribers.placement[:size], np.full(size, episode.severity)) & (rng.random(size) < share)
    users = np.flatnonzero(hit)
    t = episode.end + rng.exponential(0.3 * (episode.recovery_end - episode.end), len(users))
    return reregister(users, t, scenario, rng)
