"""All that crosses a node: what people and handsets want, what comes of it, and what that leads to in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from faultprint_lab.simulate.faults.fault import Effect
from faultprint_lab.simulate.network.kinds import REGISTER, RequestKind, mask_of
from faultprint_lab.simulate.network.rates import WARM_UP
from faultprint_lab.simulate.plan import SimulatedEpisode
from faultprint_lab.simulate.scenario import Scenario
from faultprint_lab.simulate.traffic.effects import proxy_timeout
from faultprint_lab.simulate.traffic.exchanges import ExchangeTable
from faultprint_lab.simulate.traffic.followups import AFTER_REGISTRATION, AFTER_REQUESTS, FollowUp
from faultprint_lab.simulate.traffic.outcomes import draw_outcomes
from faultprint_lab.simulate.traffic.registrations import (
    Presence,
    Registrar,
    retries,
    undo_after_failure,
)

_ASKS = mask_of(
    RequestKind.INVITE_ORIG,
    RequestKind.INVITE_TERM,
    RequestKind.MESSAGE_UE,
    RequestKind.MESSAGE_CORE,
    RequestKind.SUBSCRIBE_UE,
    RequestKind.PUBLISH_UE,
)
"""What only the registered send, and what only they are sent."""


@dataclass(frozen=True, slots=True)
class TrafficEvent:
    """An episode or disturbance with what it does to the exchanges that start in it, in the world whose ways it has."""

    episode: SimulatedEpisode
    effect: Effect
    world: Scenario


def generate(
    world: Scenario, events: Sequence[TrafficEvent], injected: Sequence[ExchangeTable], rng: np.random.Generator
) -> ExchangeTable:
    """Every exchange of the span, with its outcome.

    Generation by generation: what is wanted, then what that led to, until nothing more follows. Nothing loops over single
    exchanges; a generation is one set of columns.
    """
    registrar = Registrar(world)
    for part in injected:
        registrar.expect(part.take((part.kind == RequestKind.REG_INITIAL) & (part.until > 0)))
    registering = [part.take(REGISTER[part.kind]) for part in injected]
    after = (*AFTER_REGISTRATION, retries, registrar.continuations)
    registrations = _unfold([*registrar.first_spells(rng), *registering], world, events, after, None, rng)
    presence = Presence(registrations, world)
    presence.name(registrations)
    others = [part.take(~REGISTER[part.kind]) for part in injected]
    rest = _unfold([*_first_wishes(world, rng), *others], world, events, AFTER_REQUESTS, presence, rng)
    return ExchangeTable.concatenated([registrations, rest])


def _unfold(
    wanted: Sequence[ExchangeTable],
    world: Scenario,
    events: Sequence[TrafficEvent],
    follow_ups: Sequence[FollowUp],
    presence: Presence | None,
    rng: np.random.Generator,
) -> ExchangeTable:
    """What is wanted and all that follows from it; where `presence` is known, only the registered get to ask."""
    done: list[ExchangeTable] = []
    while True:
        batch = ExchangeTable.concatenated(wanted)
        kept = (batch.t >= -WARM_UP) & (batch.t < world.span)
        if presence is not None:
            asks = kept & _ASKS[batch.kind] & (batch.preset == 0)
            kept[asks] = presence.at(batch.user[asks], batch.t[asks])
        rows = np.flatnonzero(kept)
        batch = batch.take(rows[np.argsort(batch.t[rows], kind="stable")])
        if not len(batch):
            return ExchangeTable.concatenated(done or [batch])
        draw_outcomes(batch, world, rng)
        _strike(batch, events, rng)
        proxy_timeout(batch, world, rng)
        batch = undo_after_failure(batch)
        done.append(batch)
        wanted = [follow_up(batch, world, rng) for follow_up in follow_ups]


def _strike(batch: ExchangeTable, events: Sequence[TrafficEvent], rng: np.random.Generator) -> None:
    """Let each event work on the exchanges that start within it; `batch` is in order of time."""
    starts = batch.t.copy()
    for event in events:
        first, last = np.searchsorted(starts, [event.episode.start, event.episode.over])
        if last > first:
            event.effect(batch.take(slice(first, last)), event.episode, event.world, rng)


def _first_wishes(world: Scenario, rng: np.random.Generator) -> list[ExchangeTable]:
    """Calls, messages, presence and pings that nothing before them causes."""
    load, habits = world.network.load, world.network.habits
    answered = 1 - habits.busy - habits.no_answer - habits.cancelled - habits.unavailable
    rows_a_call = 2 * (1 + habits.challenged_invites * 0.5 + answered + habits.prack * 0.8 + habits.update * 0.8 + 0.15)
    calls = load.peak * load.share_calls / rows_a_call
    messages = load.peak * load.share_messages / 2
    presence = load.peak * load.share_presence / 6
    pings = load.peak * load.share_pings / 1.5
    return [
        _arrivals(world, RequestKind.INVITE_ORIG, calls * (1 - load.terminating), 0.0, rng),
        _arrivals(world, RequestKind.INVITE_TERM, calls * load.terminating, 0.0, rng),
        _arrivals(world, RequestKind.MESSAGE_UE, messages * (1 - load.terminating), 0.05, rng),
        _arrivals(world, RequestKind.MESSAGE_CORE, messages * load.terminating, 0.05, rng),
        _arrivals(world, RequestKind.SUBSCRIBE_UE, presence, 0.3, rng),
        _arrivals(world, RequestKind.PUBLISH_UE, presence, 0.3, rng),
        _arrivals(world, RequestKind.OPTIONS_UE, pings * 0.5, 1.0, rng),
        *(
            _pings(world, kind, pings * 0.25, rng)
            for kind in (RequestKind.OPTIONS_CORE, RequestKind.PING_UE, RequestKind.PING_CORE)
        ),
    ]


def _arrivals(
    world: Scenario, kind: RequestKind, per_minute: float, flat: float, rng: np.random.Generator
) -> ExchangeTable:
    t = world.curve.arrivals(per_minute, rng, flat)
    dialogs = rng.integers(0, 2**64, size=len(t), dtype=np.uint64)
    return ExchangeTable.planned(t, kind, world.population.active(len(t), rng), dialogs)


def _pings(world: Scenario, kind: RequestKind, per_minute: float, rng: np.random.Generator) -> ExchangeTable:
    """OPTIONS by the clock, one after another at the same distance but for a little jitter; nobody's but the machines'."""
    count = int(per_minute * (world.span + WARM_UP) / 60)
    t = -WARM_UP + (np.arange(count) + rng.random() + 0.05 * rng.standard_normal(count)) * 60 / max(per_minute, 1e-9)
    user = world.population.active(count, rng) if kind == RequestKind.PING_UE else np.full(count, -1)
    return ExchangeTable.planned(t, kind, user, rng.integers(0, 2**64, size=count, dtype=np.uint64))
