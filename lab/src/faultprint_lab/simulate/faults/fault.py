"""What every fault is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from faultprint.arrays import BoolArray, Float64Array
from faultprint_lab.simulate.network.kinds import RequestKind
from faultprint_lab.simulate.plan import SimulatedEpisode
from faultprint_lab.simulate.scenario import Scenario
from faultprint_lab.simulate.traffic.exchanges import ExchangeTable


@dataclass(frozen=True, slots=True)
class Slot:
    """Where an episode is to come: seconds from the start of the listening, and two sources of chance.

    `own` gives the same in every episode that the network has of this fault, for its equipment's ways; `rng` does not.
    """

    world: Scenario
    start: float
    end: float
    severity: float
    own: np.random.Generator
    rng: np.random.Generator


CYCLE: Final = (6.0, 60.0)
"""Seconds of one turn of a fault that comes and goes."""

Draws = dict[str, Any]
Draw = Callable[[Slot], Draws]
Effect = Callable[[ExchangeTable, SimulatedEpisode, Scenario, np.random.Generator], None]
Inject = Callable[[SimulatedEpisode, Scenario, np.random.Generator], ExchangeTable]


@dataclass(frozen=True, slots=True)
class SimulatedFault:
    """A fault as an entry of the table.

    `severity` says what its 0 to 1 means; it is log-uniform from `mildest` to 1, and 1 at once in a share `total` of the
    episodes. `recovery` is how long one lasts, in seconds. `draw` settles what holds throughout an episode; `effect`
    changes the exchanges that start in the episode or its recovery, in place; `inject` adds registrations that the fault
    causes; `busy` faults are kept for busy hours.
    """

    name: str
    severity: str
    mildest: float
    recovery: tuple[float, float]
    draw: Draw
    effect: Effect
    total: float = 0.0
    inject: Inject | None = None
    busy: bool = False

    def draw_severity(self, rng: np.random.Generator) -> float:
        """A severity from `mildest` to 1."""
        if rng.random() < self.total:
            return 1.0
        return float(np.exp(rng.uniform(np.log(self.mildest), 0.0)))


def reach(slot: Slot, by_user: float, flapping: float = 0.0) -> Draws:
    """Draw how a fault that is not total comes: with the chances given it hits always the same subscribers, or everybody
    for a share of each cycle; else any request."""
    luck = slot.rng.random()
    cycle = float(np.exp(slot.rng.uniform(np.log(CYCLE[0]), np.log(CYCLE[1]))))
    return {"by_user": bool(luck < by_user), "cycle": cycle if by_user <= luck < by_user + flapping else 0.0}


def affected(
    view: ExchangeTable, episode: SimulatedEpisode, world: Scenario, share: Float64Array, rng: np.random.Generator
) -> BoolArray:
    """Whom a share of the fault hits, as `reach` drew it; (n,)."""
    if episode.draws["by_user"]:
        return episode.hits(world.population.place[view.user], share)
    if cycle := episode.draws["cycle"]:
        away: BoolArray = (view.t / cycle) % 1 < share
        return away
    return rng.random(len(view)) < share


def remaining(t: Float64Array, episode: SimulatedEpisode, share: Float64Array) -> Float64Array:
    """Seconds until what is struck at `t` would be well again: infinite unless the fault comes and goes; (n,)."""
    cycle = episode.draws["cycle"]
    if not cycle:
        return np.full(len(t), np.inf)
    return np.where(share < 1, (share - (t / cycle) % 1) * cycle, episode.end - t)


def reregister(users: Any, t: Float64Array, world: Scenario, rng: np.random.Generator) -> ExchangeTable:
    """Registrations out of turn of those `users` whose handsets are on at `t`."""
    until = world.population.registered_until(users, t)
    on = until > t
    dialogs = rng.integers(0, 2**64, size=int(on.sum()), dtype=np.uint64)
    return ExchangeTable.planned(t[on], RequestKind.REG_INITIAL, users[on], dialogs, until=until[on])


def returning(episode: SimulatedEpisode, world: Scenario, rng: np.random.Generator) -> ExchangeTable:
    """Handsets that noticed the outage register anew once it is over."""
    population = world.population
    size = population.size
    share = episode.draws["returns"] * min(1.0, (episode.end - episode.start) / 1200)
    hit = episode.hits(population.place[:size], np.full(size, episode.severity)) & (rng.random(size) < share)
    users = np.flatnonzero(hit)
    t = episode.end + rng.exponential(0.3 * (episode.over - episode.end), len(users))
    return reregister(users, t, world, rng)
