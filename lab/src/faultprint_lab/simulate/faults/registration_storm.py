"""registration-storm: very many handsets register at once, although the IMS works."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from faultprint.arrays import Float64Array
from faultprint_lab.simulate.faults.fault import Draws, EpisodeSlot, SimulatedFault, reregister
from faultprint_lab.simulate.network.request_kinds import REGISTER, RequestKind
from faultprint_lab.simulate.scenario import Scenario, SimulatedEpisode
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchange_table import ExchangeTable

STAY: Final = 7200.0
"""Mean seconds for which a handset that was switched on during the storm stays on."""


def _draw(slot: EpisodeSlot) -> Draws:
    return {
        "strain": float(
            slot.network_rng.choice([0.0, 1.0, 1.0]) * np.exp(slot.network_rng.uniform(np.log(0.3), np.log(12)))
        ),
        "refused": float(slot.network_rng.choice([0.0, slot.network_rng.uniform(0.1, 0.9)])),
        "by_node": bool(slot.network_rng.random() < 0.5),
        "decays": bool(slot.rng.random() < 0.5),
        # Handsets that were off and have no binding: a train from abroad, the end of a night or of a power cut.
        "newcomers": float(slot.rng.choice([0.0, 1.0, slot.rng.uniform(0.2, 0.8)])),
    }


def _effect(view: ExchangeTable, episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> None:
    draws = episode.draws
    level = episode.level(view.t) + 0.3 * episode.severity * episode.residual(view.t)
    strained = np.flatnonzero(REGISTER[view.kind] & (level > 0))
    effects.slow(view, strained, factor=1 + draws["strain"] * level[strained])
    refused = strained[rng.random(len(strained)) < draws["refused"] * np.maximum(level[strained] - 0.3, 0)]
    sheds = effects.refuse if draws["by_node"] else effects.fail
    sheds(view, refused, scenario.network.failure_responses["overload"][0], rng)


def _inject(episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> ExchangeTable:
    """A plateau or a decaying burst, up to a multiple of the normal rate of registrations and refreshes."""
    subscribers = scenario.subscribers
    normal_rate = subscribers.size * (
        scenario.network.load.power_cycles_per_day / 86_400 + 1 / subscribers.refresh.mean()
    )
    length = episode.end - episode.start
    count = rng.poisson(normal_rate * length * np.expm1(2.8 * episode.severity**0.8))
    position = rng.random(count)
    if episode.draws["decays"]:
        position = np.minimum(rng.exponential(0.35, count), position + 0.3)
    t = episode.start + episode.onset * rng.random(count) + 0.97 * length * position
    users = np.arange(subscribers.size)
    off = rng.permutation(
        users[subscribers.registered_until(users, np.full(len(users), episode.start)) < episode.start]
    )
    new = min(rng.binomial(count, episode.draws["newcomers"]), len(off))
    again = reregister(rng.integers(0, subscribers.size, count - new), t[new:], scenario, rng)
    return ExchangeTable.concatenate([again, _switched_on(off[:new], t[:new], rng)])


def _switched_on(users: NDArray[np.integer], t: Float64Array, rng: np.random.Generator) -> ExchangeTable:
    """Registrations at `t` of `users` whose handsets were off and then stay on for some hours."""
    until = t + STAY * rng.exponential(size=len(t))
    dialogs = rng.integers(0, 2**64, size=len(t), dtype=np.uint64)
    return ExchangeTable.planned(t, RequestKind.REG_INITIAL, users, dialogs, until=until)


FAULT: Final = SimulatedFault(
    name="registration-storm",
    severity="additional registrations: 1 is about 15 times the normal rate",
    min_severity=0.1,
    recovery=(60, 480),
    draw=_draw,
    effect=_effect,
    inject=_inject,
)
