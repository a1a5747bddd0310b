"""registration-storm: very many handsets register at once, though nothing in the IMS is broken."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from faultprint.arrays import Float64Array
from faultprint_lab.simulate.faults.fault import Draws, SimulatedFault, Slot, reregister
from faultprint_lab.simulate.network.kinds import REGISTER, RequestKind
from faultprint_lab.simulate.plan import SimulatedEpisode
from faultprint_lab.simulate.scenario import Scenario
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchanges import ExchangeTable

STAY: Final = 7200.0
"""Seconds that a handset which was off stays on, in the mean."""


def _draw(slot: Slot) -> Draws:
    return {
        "strain": float(slot.own.choice([0.0, 1.0, 1.0]) * np.exp(slot.own.uniform(np.log(0.3), np.log(12)))),
        "refused": float(slot.own.choice([0.0, slot.own.uniform(0.1, 0.9)])),
        "by_node": bool(slot.own.random() < 0.5),
        "decays": bool(slot.rng.random() < 0.5),
        # Handsets that were off, whom nobody has a binding of: a train from abroad, the end of a night or of a power cut.
        "newcomers": float(slot.rng.choice([0.0, 1.0, slot.rng.uniform(0.2, 0.8)])),
    }


def _effect(view: ExchangeTable, episode: SimulatedEpisode, world: Scenario, rng: np.random.Generator) -> None:
    draws = episode.draws
    level = episode.level(view.t) + 0.3 * episode.severity * episode.remnant(view.t)
    strained = np.flatnonzero(REGISTER[view.kind] & (level > 0))
    effects.slow(view, strained, factor=1 + draws["strain"] * level[strained])
    refused = strained[rng.random(len(strained)) < draws["refused"] * np.maximum(level[strained] - 0.3, 0)]
    sheds = effects.refuse if draws["by_node"] else effects.fail
    sheds(view, refused, world.network.answers["overload"][0], rng)


def _inject(episode: SimulatedEpisode, world: Scenario, rng: np.random.Generator) -> ExchangeTable:
    """A plateau, or a burst that dies away, up to a multiple of the ordinary rate of registrations, refreshes included."""
    population = world.population
    ordinary = population.size * (world.network.load.spells_a_day / 86_400 + 1 / population.refresh.mean())
    length = episode.end - episode.start
    count = rng.poisson(ordinary * length * np.expm1(2.8 * episode.severity**0.8))
    when = rng.random(count)
    if episode.draws["decays"]:
        when = np.minimum(rng.exponential(0.35, count), when + 0.3)
    t = episode.start + episode.onset * rng.random(count) + 0.97 * length * when
    users = np.arange(population.size)
    off = rng.permutation(users[population.registered_until(users, np.full(len(users), episode.start)) < episode.start])
    new = min(rng.binomial(count, episode.draws["newcomers"]), len(off))
    again = reregister(rng.integers(0, population.size, count - new), t[new:], world, rng)
    return ExchangeTable.concatenated([again, _switched_on(off[:new], t[:new], rng)])


def _switched_on(users: NDArray[np.integer], t: Float64Array, rng: np.random.Generator) -> ExchangeTable:
    """Registrations at `t` of `users` whose handsets were off, and stay on for some hours."""
    until = t + STAY * rng.exponential(size=len(t))
    dialogs = rng.integers(0, 2**64, size=len(t), dtype=np.uint64)
    return ExchangeTable.planned(t, RequestKind.REG_INITIAL, users, dialogs, until=until)


FAULT: Final = SimulatedFault(
    name="registration-storm",
    severity="registrations beyond the ordinary: 1 is about 15 times",
    mildest=0.1,
    recovery=(60, 480),
    draw=_draw,
    effect=_effect,
    inject=_inject,
)
