"""All traffic that crosses a node: requests of subscribers and handsets, their outcomes, and the requests that follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from faultprint_lab.simulate.network.load_curve import WARM_UP
from faultprint_lab.simulate.network.request_kinds import REGISTER, RequestKind, mask_of
from faultprint_lab.simulate.scenario import Scenario, SimulatedEpisode
from faultprint_lab.simulate.traffic.effects import proxy_timeout
from faultprint_lab.simulate.traffic.exchange_table import ExchangeTable
from faultprint_lab.simulate.traffic.follow_ups import AFTER_REGISTRATION, AFTER_REQUESTS, FollowUp
from faultprint_lab.simulate.traffic.outcomes import draw_outcomes
from faultprint_lab.simulate.traffic.registrations import (
    RegistrationPlanner,
    RegistrationState,
    drop_after_failure,
    retries,
)

_NEEDS_REGISTRATION = mask_of(
    RequestKind.INVITE_ORIG,
    RequestKind.INVITE_TERM,
    RequestKind.MESSAGE_UE,
    RequestKind.MESSAGE_CORE,
    RequestKind.SUBSCRIBE_UE,
    RequestKind.PUBLISH_UE,
)
"""Requests that only registered handsets send or receive."""


Effect = Callable[[ExchangeTable, SimulatedEpisode, Scenario, np.random.Generator], None]
"""Changes the exchanges that start in an episode, in place."""


@dataclass(frozen=True, slots=True)
class TrafficEvent:
    """An episode or disturbance and its effect on the exchanges that start in it.

    `scenario` has the equipment that responds; it may differ between episodes.
    """

    episode: SimulatedEpisode
    effect: Effect
    scenario: Scenario


def generate_traffic(
    scenario: Scenario, events: Sequence[TrafficEvent], injected: Sequence[ExchangeTable], rng: np.random.Generator
) -> ExchangeTable:
    """Every exchange of the span with its outcome.

    Works generation by generation: first the spontaneous requests, then the requests that follow from them, until none
    follows. Each generation is one table; nothing loops over single exchanges.
    """
    planner = RegistrationPlanner(scenario)
    for part in injected:
        planner.expect(part.take((part.kind == RequestKind.REG_INITIAL) & (part.until > 0)))
    registering = [part.take(REGISTER[part.kind]) for part in injected]
    follow_ups = (*AFTER_REGISTRATION, retries, planner.continuations)
    registrations = _expand(
        [*planner.initial_registrations(rng), *registering], scenario, events, follow_ups, None, rng
    )
    state = RegistrationState(registrations, scenario)
    state.classify(registrations)
    others = [part.take(~REGISTER[part.kind]) for part in injected]
    rest = _expand([*_spontaneous_requests(scenario, rng), *others], scenario, events, AFTER_REQUESTS, state, rng)
    return ExchangeTable.concatenate([registrations, rest])


def _expand(
    wanted: Sequence[ExchangeTable],
    scenario: Scenario,
    events: Sequence[TrafficEvent],
    follow_ups: Sequence[FollowUp],
    state: RegistrationState | None,
    rng: np.random.Generator,
) -> ExchangeTable:
    """The `wanted` requests and all that follow from them; with `state`, only registered handsets send or receive."""
    done: list[ExchangeTable] = []
    while True:
        batch = ExchangeTable.concatenate(wanted)
        kept = (batch.t >= -WARM_UP) & (batch.t < scenario.span)
        if state is not None:
            restricted = kept & _NEEDS_REGISTRATION[batch.kind] & (batch.preset == 0)
            kept[restricted] = state.at(batch.user[restricted], batch.t[restricted])
        rows = np.flatnonzero(kept)
        batch = batch.take(rows[np.argsort(batch.t[rows], kind="stable")])
        if not len(batch):
            return ExchangeTable.concatenate(done or [batch])
        draw_outcomes(batch, scenario, rng)
        _apply_events(batch, events, rng)
        proxy_timeout(batch, scenario, rng)
        batch = drop_after_failure(batch)
        done.append(batch)
        wanted = [follow_up(batch, scenario, rng) for follow_up in follow_ups]


def _apply_events(batch: ExchangeTable, events: Sequence[TrafficEvent], rng: np.random.Generator) -> None:
    """Apply each event to the exchanges that start during it; `batch` is in order of time."""
    starts = batch.t.copy()
    for event in events:
        first, last = np.searchsorted(starts, [event.episode.start, event.episode.recovery_end])
        if last > first:
            event.effect(batch.take(slice(first, last)), event.episode, event.scenario, rng)


def _spontaneous_requests(scenario: Scenario, rng: np.random.Generator) -> list[ExchangeTable]:
    """Calls, messages, presence and pings that do not follow from another request."""
    load, habits = scenario.network.load, scenario.network.habits
    answered = 1 - habits.busy - habits.no_answer - habits.cancelled - habits.unavailable
    rows_a_call = 2 * (1 + habits.challenged_invites * 0.5 + answered + habits.prack * 0.8 + habits.update * 0.8 + 0.15)
    calls = load.peak * load.share_calls / rows_a_call
    messages = load.peak * load.share_messages / 2
    presence = load.peak * load.share_presence / 6
    pings = load.peak * load.share_pings / 1.5
    return [
        _arrivals(scenario, RequestKind.INVITE_ORIG, calls * (1 - load.terminating), 0.0, rng),
        _arrivals(scenario, RequestKind.INVITE_TERM, calls * load.terminating, 0.0, rng),
        _arrivals(scenario, RequestKind.MESSAGE_UE, messages * (1 - load.terminating), 0.05, rng),
        _arrivals(scenario, RequestKind.MESSAGE_CORE, messages * load.terminating, 0.05, rng),
        _arrivals(scenario, RequestKind.SUBSCRIBE_UE, presence, 0.3, rng),
        _arrivals(scenario, RequestKind.PUBLISH_UE, presence, 0.3, rng),
        _arrivals(scenario, RequestKind.OPTIONS_UE, pings * 0.5, 1.0, rng),
        *(
            _pings(scenario, kind, pings * 0.25, rng)
            for kind in (RequestKind.OPTIONS_CORE, RequestKind.PING_UE, RequestKind.PING_CORE)
        ),
    ]


def _arrivals(
    scenario: Scenario, kind: RequestKind, per_minute: float, constant_share: float, rng: np.random.Generator
) -> ExchangeTable:
    t = scenario.curve.arrivals(per_minute, rng, constant_share)
    dialogs = rng.integers(0, 2**64, size=len(t), dtype=np.uint64)
    return ExchangeTable.planned(t, kind, scenario.subscribers.active(len(t), rng), dialogs)


def _pings(scenario: Scenario, kind: RequestKind, per_minute: float, rng: np.random.Generator) -> ExchangeTable:
    """OPTIONS at regular intervals with a little jitter, sent by equipment."""
    count = int(per_minute * (scenario.span + WARM_UP) / 60)
    t = -WARM_UP + (np.arange(count) + rng.random() + 0.05 * rng.standard_normal(count)) * 60 / max(per_minute, 1e-9)
    user = scenario.subscribers.active(count, rng) if kind == RequestKind.PING_UE else np.full(count, -1)
    return ExchangeTable.planned(t, kind, user, rng.integers(0, 2**64, size=count, dtype=np.uint64))
