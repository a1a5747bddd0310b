"""Harmless disturbances: small events that occur every day and are part of normal operation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from faultprint_lab.simulate.faults.fault import Effect, Inject, reregister
from faultprint_lab.simulate.network.request_kinds import FROM_UE, REGISTER, RequestKind, mask_of
from faultprint_lab.simulate.network.subscribers import NON_SUBSCRIBERS
from faultprint_lab.simulate.scenario import Scenario, SimulatedEpisode
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchange_table import ExchangeTable

DISTURBANCES_PER_DAY: Final = 16.0
"""Mean number of disturbances a day."""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """A harmless event.

    minutes   shortest and longest duration (log-uniform)
    weight    frequency relative to the other disturbances
    effect    changes the exchanges that start during it
    inject    adds exchanges
    """

    name: str
    minutes: tuple[float, float]
    weight: float
    effect: Effect | None = None
    inject: Inject | None = None


_SERVICES: Final = mask_of(RequestKind.INVITE_ORIG, RequestKind.MESSAGE_UE, RequestKind.SUBSCRIBE_UE)


def _moments(episode: SimulatedEpisode, per_minute: float, rng: np.random.Generator) -> Any:
    length = episode.end - episode.start
    return episode.start + np.sort(rng.random(rng.poisson(per_minute * length / 60))) * length


def _dialogs(n: int, rng: np.random.Generator) -> Any:
    return rng.integers(0, 2**64, size=n, dtype=np.uint64)


def _calls_a_minute(episode: SimulatedEpisode, scenario: Scenario) -> float:
    load = scenario.network.load
    return float(load.peak * load.share_calls / 6 * scenario.curve.at(episode.start))


def _burst(low: float, high: float) -> Inject:
    """Additional calls in both directions: `low` to `high` times the normal number."""

    def inject(episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> ExchangeTable:
        t = _moments(episode, _calls_a_minute(episode, scenario) * rng.uniform(low, high), rng)
        kind = np.where(rng.random(len(t)) < 0.5, RequestKind.INVITE_ORIG, RequestKind.INVITE_TERM).astype(np.uint8)
        return ExchangeTable.planned(t, kind, scenario.subscribers.active(len(t), rng), _dialogs(len(t), rng))

    return inject


def _hammering(episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> ExchangeTable:
    """One handset with a wrong key or a barred subscription registers again and again."""
    t = _moments(episode, float(np.exp(rng.uniform(np.log(2), np.log(20)))), rng)
    user = np.full(len(t), scenario.subscribers.active(1, rng)[0])
    code = int(rng.choice([403, 403, 404, 500, 401]))
    return ExchangeTable.planned(t, RequestKind.REG_INITIAL, user, _dialogs(len(t), rng), preset=code)


def _scanning(episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> ExchangeTable:
    """A scanner, which is no subscriber, sends requests that are refused."""
    t = _moments(episode, float(np.exp(rng.uniform(np.log(1.5), np.log(15)))), rng)
    kind = rng.choice([RequestKind.OPTIONS_UE, RequestKind.REG_INITIAL, RequestKind.INVITE_ORIG])
    answer = scenario.network.failure_responses["non-subscriber"][0]
    codes, _ = effects.draw_response(answer, len(t), rng)
    scanner = scenario.subscribers.size + rng.integers(NON_SUBSCRIBERS)
    return ExchangeTable.planned(
        t, RequestKind(int(kind)), np.full(len(t), scanner), _dialogs(len(t), rng), preset=codes
    )


def _chatty_trunk(episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> ExchangeTable:
    """A trunk calls numbers that are busy, unknown or decline."""
    t = _moments(episode, max(1.0, _calls_a_minute(episode, scenario) * rng.uniform(0.1, 0.5)), rng)
    code = rng.choice(np.array([404, 486, 480, 603], dtype=np.uint16), size=len(t), p=rng.dirichlet([1, 1, 1, 0.3]))
    callees = scenario.subscribers.active(5, rng)
    return ExchangeTable.planned(
        t, RequestKind.INVITE_TERM, rng.choice(callees, len(t)), _dialogs(len(t), rng), preset=code
    )


def _leaving(episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> ExchangeTable:
    """A group of handsets de-registers and returns: a bus, a ship, a software update."""
    users = rng.integers(
        0, scenario.subscribers.size, rng.poisson(scenario.subscribers.size * rng.uniform(0.003, 0.03))
    )
    t = episode.start + rng.random(len(users)) * (episode.end - episode.start)
    back = reregister(users, t + rng.exponential(120, len(users)), scenario, rng)
    away = ExchangeTable.planned(t, RequestKind.REG_DEREG, users, _dialogs(len(users), rng))
    return ExchangeTable.concatenate([away, back])


def _wave(episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> ExchangeTable:
    """Handsets register again at the same time and then keep that rhythm."""
    users = rng.integers(
        0, scenario.subscribers.size, rng.poisson(scenario.subscribers.size * rng.uniform(0.005, 0.04))
    )
    t = (episode.start + episode.end) / 2 + 0.2 * (episode.end - episode.start) * rng.standard_normal(len(users))
    return reregister(users, t.clip(episode.start, episode.end), scenario, rng)


def _broadcast(episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> ExchangeTable:
    """A message to many subscribers."""
    users = rng.integers(
        0, scenario.subscribers.size, rng.poisson(scenario.subscribers.size * rng.uniform(0.005, 0.05))
    )
    t = episode.start + np.sort(rng.random(len(users))) * (episode.end - episode.start)
    return ExchangeTable.planned(t, RequestKind.MESSAGE_CORE, users, _dialogs(len(users), rng))


def _slower(view: ExchangeTable, episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> None:
    effects.slow(view, np.arange(len(view)), factor=episode.draws["size"] * 1.2 + 1.2)


def _slower_registers(
    view: ExchangeTable, episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator
) -> None:
    effects.slow(view, np.flatnonzero(REGISTER[view.kind]), factor=episode.draws["size"] * 2.0 + 1.2)


def _losing(view: ExchangeTable, episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> None:
    chance = 0.003 + 0.012 * episode.draws["size"]
    gm = episode.draws["side"] < 0.7
    effects.lose(view, chance * gm, chance * (not gm), scenario, rng)


def _hiccup(view: ExchangeTable, episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> None:
    some = _SERVICES[view.kind] & (rng.random(len(view)) < 0.05 + 0.2 * episode.draws["size"])
    effects.fail(view, np.flatnonzero(some), scenario.network.failure_responses["as"][0], rng)


def _blip(view: ExchangeTable, episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> None:
    """Maintenance moves traffic to another unit: requests to the core wait for some seconds."""
    towards = np.flatnonzero(
        FROM_UE[view.kind] & view.leaves & (rng.random(len(view)) < 0.3 + 0.7 * episode.draws["size"])
    )
    effects.slow(view, towards, extra=np.maximum(episode.end - view.t[towards], 0) * rng.random(len(towards)))


DISTURBANCES: Final = (
    Disturbance("small burst", (2, 8), 2.0, inject=_burst(0.2, 0.8)),
    Disturbance("hammering handset", (4, 40), 2.0, inject=_hammering),
    Disturbance("scanner", (3, 40), 2.0, inject=_scanning),
    Disturbance("maintenance blip", (0.15, 0.7), 1.0, effect=_blip),
    Disturbance("chatty trunk", (5, 30), 1.5, inject=_chatty_trunk),
    Disturbance("popular event", (3, 10), 1.0, inject=_burst(0.6, 1.6)),
    Disturbance("delay bump", (2, 7), 1.5, effect=_slower),
    Disturbance("slow registrations", (2, 7), 1.0, effect=_slower_registers),
    Disturbance("batch of de-registrations", (1, 5), 1.0, inject=_leaving),
    Disturbance("registration wave", (1, 5), 1.5, inject=_wave),
    Disturbance("small packet loss", (2, 10), 1.5, effect=_losing),
    Disturbance("service hiccup", (0.7, 2.5), 1.0, effect=_hiccup),
    Disturbance("broadcast message", (1, 6), 1.0, inject=_broadcast),
)


def draw_disturbances(
    span: float, rng: np.random.Generator, per_day: float = DISTURBANCES_PER_DAY
) -> list[tuple[Disturbance, SimulatedEpisode]]:
    """Draw a Poisson number of disturbances in `span` seconds, in order of start."""
    weights = np.array([disturbance.weight for disturbance in DISTURBANCES])
    starts = np.sort(rng.random(rng.poisson(per_day * span / 86_400)) * span)
    drawn = []
    for start, index in zip(
        starts, rng.choice(len(DISTURBANCES), size=len(starts), p=weights / weights.sum()), strict=True
    ):
        disturbance = DISTURBANCES[index]
        low, high = disturbance.minutes
        if disturbance.name == "popular event":
            # Broadcasts and office hours begin on the hour.
            start = round(start / 3600) * 3600.0
        end = start + 60 * float(np.exp(rng.uniform(np.log(low), np.log(high))))
        draws = {"size": float(rng.random()), "side": float(rng.random())}
        drawn.append((disturbance, SimulatedEpisode(disturbance.name, start, end, end + 1e-3, 1.0, 0.0, 0.0, draws)))
    return drawn
