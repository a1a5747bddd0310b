"""registration-storm: very many handsets register at once, though nothing in the IMS is broken."""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint.simulate import effects
from faultprint.simulate.exchanges import Exchanges
from faultprint.simulate.kinds import REGISTER
from faultprint.simulate.plan import Episode
from faultprint.simulate.troubles.fault import Draws, Fault, Slot, anew
from faultprint.simulate.world import World


def _draw(slot: Slot) -> Draws:
    return {
        "strain": float(np.exp(slot.own.uniform(np.log(0.3), np.log(12)))),
        "refused": float(slot.own.choice([0.0, slot.own.uniform(0.1, 0.9)])),
        "by_node": bool(slot.own.random() < 0.5),
        "decays": bool(slot.rng.random() < 0.5),
    }


def _effect(view: Exchanges, episode: Episode, world: World, rng: np.random.Generator) -> None:
    draws = episode.draws
    level = episode.level(view.t) + 0.3 * episode.severity * episode.remnant(view.t)
    strained = np.flatnonzero(REGISTER[view.kind] & (level > 0))
    effects.slow(view, strained, factor=1 + draws["strain"] * level[strained])
    refused = strained[rng.random(len(strained)) < draws["refused"] * np.maximum(level[strained] - 0.3, 0)]
    sheds = effects.refuse if draws["by_node"] else effects.fail
    sheds(view, refused, world.network.answers["overload"][0], rng)


def _inject(episode: Episode, world: World, rng: np.random.Generator) -> Exchanges:
    """A plateau, or a burst that dies away, up to a multiple of the ordinary rate of initial registrations."""
    population = world.population
    ordinary = population.size * (world.network.load.spells_a_day / 86_400 + 0.15 / population.refresh.mean())
    length = episode.end - episode.start
    count = rng.poisson(ordinary * length * np.expm1(3.6 * episode.severity**0.8))
    when = rng.random(count)
    if episode.draws["decays"]:
        when = np.minimum(rng.exponential(0.35, count), when + 0.3)
    t = episode.start + episode.onset * rng.random(count) + 0.97 * length * when
    return anew(rng.integers(0, population.size, count), t, world, rng)


FAULT: Final = Fault(
    name="registration-storm",
    severity="registrations beyond the ordinary: 1 is about 35 times",
    mildest=0.1,
    recovery=(60, 480),
    draw=_draw,
    effect=_effect,
    inject=_inject,
)
