"""The ten faults: how strong they come, what they do to the exchanges of a network, what follows when they end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from faultprint.simulate import effects
from faultprint.simulate.congestion import capacity_draws, congest
from faultprint.simulate.exchanges import F64, Bool, Exchanges
from faultprint.simulate.kinds import FROM_UE, PING, REGISTER, K, mask_of
from faultprint.simulate.plan import MILDEST, Episode
from faultprint.simulate.world import World

Effect = Callable[[Exchanges, Episode, World, np.random.Generator], None]
Inject = Callable[[Episode, World, np.random.Generator], Exchanges]
Draw = Callable[[World, float, float, float, np.random.Generator, np.random.Generator], dict[str, Any]]
"""(world, start, end, severity, the network's own generator, the episode's) → what holds throughout the episode."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault: `severity` says what 0 to 1 means, `always_total` how often it is 1 at once; `recovery` in seconds.

    `effect` changes the exchanges in the episode and its recovery, in place; `inject` adds registrations that it causes;
    `busy` faults are kept for busy hours.
    """

    name: str
    severity: str
    effect: Effect
    draw: Draw
    recovery: tuple[float, float]
    always_total: float = 0.0
    inject: Inject | None = None
    busy: bool = False


_HSS_CALLS = mask_of(K.INVITE_ORIG, K.MESSAGE_UE)
_ARRIVING_CALLS = mask_of(K.INVITE_TERM, K.MESSAGE_CORE)
_NAMED = mask_of(K.INVITE_ORIG, K.MESSAGE_UE, K.SUBSCRIBE_UE, K.PUBLISH_UE)
_CORE_PINGS = mask_of(K.PING_CORE, K.OPTIONS_CORE)
_CALLS = mask_of(K.INVITE_ORIG, K.INVITE_TERM)


def _struck(view: Exchanges, episode: Episode, world: World, share: F64, rng: np.random.Generator) -> Bool:
    """Whom a share of the fault hits: always the same subscribers, or any request, as the episode drew."""
    if episode.draws.get("by_user", False):
        return episode.hits(world.population.place[view.user], share)
    return rng.random(len(view)) < share


def _hss(view: Exchanges, episode: Episode, world: World, rng: np.random.Generator) -> None:
    draws, level, n = episode.draws, episode.level(view.t), len(view)
    hit = _struck(view, episode, world, level, rng)
    asks = REGISTER[view.kind] & ((view.kind != K.REG_REFRESH) | (rng.random(n) < draws["refresh_asks"]))
    register, call = world.network.answers["hss"]
    effects.fail(view, np.flatnonzero(hit & asks), register, rng)
    onnet = _HSS_CALLS[view.kind] & (rng.random(n) < draws["onnet"])
    effects.fail(view, np.flatnonzero(hit & onnet), call, rng)
    # A terminating request is routed by LIR before it could reach this node.
    effects.drop(view, np.flatnonzero(hit & _ARRIVING_CALLS[view.kind]))
    backlog = episode.remnant(view.t) * episode.severity
    late = np.flatnonzero(REGISTER[view.kind] & (backlog > 0))
    effects.slow(view, late, factor=1 + 5 * backlog[late] * rng.random(len(late)))


def _hss_draws(world: World, start: float, end: float, severity: float, own: Any, rng: Any) -> dict[str, Any]:
    return {
        "refresh_asks": float(own.choice([1.0, 1.0, own.uniform(0.2, 0.8)])),
        "onnet": float(own.uniform(0.25, 0.8)),
        "by_user": bool(rng.random() < 0.3),
        "returns": float(rng.uniform(0.0, 0.15)),
    }


def _blocked(view: Exchanges, episode: Episode, world: World, rng: np.random.Generator) -> None:
    side, ue = episode.draws["side"], FROM_UE[view.kind]
    hit = _struck(view, episode, world, episode.level(view.t), rng)
    from_ue, from_core = np.flatnonzero(hit & ue), np.flatnonzero(hit & ~ue)
    to_core = from_ue[view.leaves[from_ue]]
    if side == "both":
        effects.drop(view, np.flatnonzero(hit))
    elif side == "access":
        effects.drop(view, from_ue[view.arrives[from_ue]])
        effects.silence(view, from_core[view.leaves[from_core]], world, rng)
    elif side == "downlink":
        effects.mute(view, from_ue[view.arrives[from_ue]])
        effects.silence(view, from_core[view.leaves[from_core]], world, rng)
    else:
        effects.silence(view, to_core, world, rng)
        effects.drop(view, from_core[view.arrives[from_core]])
        noticed = to_core[rng.random(len(to_core)) < episode.draws["noticed"]]
        effects.refuse(view, noticed, world.network.answers["dns"][0], rng)


def _blocked_draws(world: World, start: float, end: float, severity: float, own: Any, rng: Any) -> dict[str, Any]:
    return {
        "side": str(rng.choice(["both", "access", "downlink", "core"], p=[0.4, 0.2, 0.1, 0.3])),
        "noticed": float(rng.choice([0.0, rng.uniform(0.0, 0.6)])),
        "by_user": True,
        "returns": float(rng.uniform(0.05, 0.6)),
    }


def _scscf(view: Exchanges, episode: Episode, world: World, rng: np.random.Generator) -> None:
    draws, level, n = episode.draws, episode.level(view.t), len(view)
    hit = _struck(view, episode, world, level, rng) & ~PING[view.kind]
    # The node and the S-CSCFs of the pool ping one another in turn.
    hit |= (rng.random(n) < level) & _CORE_PINGS[view.kind]
    ue, first = FROM_UE[view.kind], view.kind == K.REG_INITIAL
    moved = first & (rng.random(n) < draws["moves"])
    asked = np.flatnonzero(hit & ue & ~moved)
    hung = rng.random(len(asked)) < np.where(first[asked], draws["hung_register"], draws["hung"])
    effects.silence(view, asked[hung], world, rng)
    effects.fail(view, asked[~hung], world.network.answers["scscf"][0], rng)
    effects.drop(view, np.flatnonzero(hit & ~ue & view.arrives))
    # A restarted S-CSCF has forgotten its registrations: requests of its users fail until they register anew.
    gone = episode.hits(world.population.place[view.user], episode.severity * episode.remnant(view.t))
    forgotten = gone & _NAMED[view.kind] & (rng.random(n) < draws["forgets"])
    effects.fail(view, np.flatnonzero(forgotten), draws["stranger"], rng)


def _scscf_draws(world: World, start: float, end: float, severity: float, own: Any, rng: Any) -> dict[str, Any]:
    hung = float(rng.choice([0.0, 1.0, rng.uniform(0.2, 0.9)]))
    return {
        "by_user": True,
        "hung": hung,
        "hung_register": hung * float(own.choice([1.0, own.uniform(0, 0.5)])),
        "moves": float(own.choice([0.0, own.uniform(0.2, 0.95)])),
        "forgets": float(rng.choice([0.0, rng.uniform(0.2, 0.9)])),
        "stranger": world.network.answers["hss"][1],
        "returns": float(rng.uniform(0.02, 0.5)),
    }


def _dns(view: Exchanges, episode: Episode, world: World, rng: np.random.Generator) -> None:
    draws, level, n = episode.draws, episode.level(view.t), len(view)
    needs = REGISTER[view.kind] | (_NAMED[view.kind] & (rng.random(n) < draws["named"]))
    hit = np.flatnonzero(needs & (rng.random(n) < level))
    waits = rng.random(len(hit)) < draws["waits"]
    late = hit[waits]
    wait = draws["seconds"] * np.exp(0.5 * rng.standard_normal(len(late))) * rng.integers(1, 3, len(late))
    effects.delay_node(view, late, np.minimum(wait, 25.0), 0.0)
    effects.refuse(view, hit[~waits], world.network.answers["dns"][0], rng)


def _dns_draws(world: World, start: float, end: float, severity: float, own: Any, rng: Any) -> dict[str, Any]:
    return {
        "named": float(own.choice([1.0, own.uniform(0.2, 1.0), 0.1])),
        "waits": float(own.choice([0.0, 1.0, own.uniform(0.1, 0.9)])),
        "seconds": float(np.exp(rng.uniform(np.log(0.5), np.log(6.0)))),
    }


def _loss(view: Exchanges, episode: Episode, world: World, rng: np.random.Generator) -> None:
    chance = 0.33 * episode.level(view.t) + 0.01 * episode.remnant(view.t)
    effects.lose(view, chance * episode.draws["gm"], chance * episode.draws["mw"], world, rng)


def _loss_draws(world: World, start: float, end: float, severity: float, own: Any, rng: Any) -> dict[str, Any]:
    gm, mw = ((1.0, 0.0), (0.0, 1.0), (1.0, rng.uniform(0.2, 1.0)))[rng.choice(3, p=[0.45, 0.35, 0.2])]
    return {"gm": float(gm), "mw": float(mw)}


def _storm(view: Exchanges, episode: Episode, world: World, rng: np.random.Generator) -> None:
    draws = episode.draws
    level = episode.level(view.t) + 0.3 * episode.severity * episode.remnant(view.t)
    strained = np.flatnonzero(REGISTER[view.kind] & (level > 0))
    effects.slow(view, strained, factor=1 + draws["strain"] * level[strained])
    refused = strained[rng.random(len(strained)) < draws["refused"] * np.maximum(level[strained] - 0.3, 0)]
    if draws["by_node"]:
        effects.refuse(view, refused, world.network.answers["overload"][0], rng)
    else:
        effects.fail(view, refused, world.network.answers["overload"][0], rng)


def _storm_draws(world: World, start: float, end: float, severity: float, own: Any, rng: Any) -> dict[str, Any]:
    return {
        "strain": float(np.exp(own.uniform(np.log(0.3), np.log(12)))),
        "refused": float(own.choice([0.0, own.uniform(0.1, 0.9)])),
        "by_node": bool(own.random() < 0.5),
        "decays": bool(rng.random() < 0.5),
    }


def _as(view: Exchanges, episode: Episode, world: World, rng: np.random.Generator) -> None:
    draws, level = episode.draws, episode.level(view.t)
    hit = draws["services"][view.kind] & _struck(view, episode, world, level, rng)
    rows = np.flatnonzero(hit & FROM_UE[view.kind])
    goes_on = rng.random(len(rows)) < draws["continued"]
    answer = world.network.answers["as"][0]
    effects.slow(view, rows[goes_on], extra=effects.draw_answer(answer, int(goes_on.sum()), rng)[1])
    effects.fail(view, rows[~goes_on], answer, rng)
    # Terminating services run before the request reaches this node.
    stopped = np.flatnonzero(hit & ~FROM_UE[view.kind])
    effects.drop(view, stopped[rng.random(len(stopped)) >= draws["continued"]])


def _as_draws(world: World, start: float, end: float, severity: float, own: Any, rng: Any) -> dict[str, Any]:
    calls, messages = (K.INVITE_ORIG, K.INVITE_TERM), (K.MESSAGE_UE, K.MESSAGE_CORE)
    both = (*calls, *messages, K.PUBLISH_UE)
    kinds = (calls, messages, both)[own.choice(3, p=[0.6, 0.15, 0.25])]
    return {
        "services": mask_of(*kinds),
        "continued": float(own.choice([0.0, 0.0, own.uniform(0.2, 0.5)])),
        "by_user": bool(rng.random() < 0.5),
    }


def _pcrf(view: Exchanges, episode: Episode, world: World, rng: np.random.Generator) -> None:
    draws, n = episode.draws, len(view)
    hit = _struck(view, episode, world, episode.level(view.t), rng)
    answer = world.network.answers["pcrf"][0]
    calls = np.flatnonzero(hit & _CALLS[view.kind] & (view.status != 407))
    through = rng.random(len(calls)) < draws["through"]
    effects.slow(view, calls[through], extra=effects.draw_answer(answer, int(through.sum()), rng)[1])
    stopped = calls[~through]
    if draws["at_offer"]:
        effects.refuse(view, stopped, answer, rng)
    else:
        answered = stopped[~np.isnan(view.ring[stopped])]
        effects.break_off(view, answered, answer, rng)
    registers = (view.kind == K.REG_INITIAL) & (rng.random(n) < draws["registers"])
    effects.refuse(view, np.flatnonzero(hit & registers & (view.stage == 1)), answer, rng)


def _pcrf_draws(world: World, start: float, end: float, severity: float, own: Any, rng: Any) -> dict[str, Any]:
    return {
        "through": float(own.choice([0.0, 0.0, own.uniform(0.1, 0.5)])),
        "at_offer": bool(own.random() < 0.35),
        "registers": float(own.choice([0.0, 0.0, 1.0])),
        "by_user": bool(rng.random() < 0.3),
    }


def _overload(view: Exchanges, episode: Episode, world: World, rng: np.random.Generator) -> None:
    draws, n = episode.draws, len(view)
    level = episode.level(view.t) + 0.5 * episode.severity * episode.remnant(view.t)
    busy = np.flatnonzero(level > 0)
    typical = draws["seconds"] * np.expm1(draws["steep"] * level[busy]) / np.expm1(draws["steep"])
    # What is short at noon may be enough at night.
    typical *= 0.3 + 0.7 * world.curve.at(view.t[busy])
    there, back = (typical * np.exp(draws["spread"] * rng.standard_normal(len(busy))) for _ in range(2))
    effects.delay_node(view, busy, np.minimum(there, 20.0), np.minimum(back, 20.0))
    shed = draws["sheds"] * np.maximum(level - draws["sheds_from"], 0)
    effects.refuse(
        view, np.flatnonzero(view.arrives & (rng.random(n) < shed)), world.network.answers["overload"][0], rng
    )


def _overload_draws(world: World, start: float, end: float, severity: float, own: Any, rng: Any) -> dict[str, Any]:
    return {
        "seconds": float(np.exp(own.uniform(np.log(1.5), np.log(8)))),
        "steep": float(own.uniform(1.0, 4.0)),
        "spread": float(own.uniform(0.4, 1.0)),
        "sheds": float(own.choice([0.0, own.uniform(0.2, 1.0)])),
        "sheds_from": float(own.uniform(0.1, 0.5)),
    }


def _returning(episode: Episode, world: World, rng: np.random.Generator) -> Exchanges:
    """Handsets that noticed the outage register anew once it is over."""
    population = world.population
    size = population.size
    share = episode.draws["returns"] * min(1.0, (episode.end - episode.start) / 1200)
    hit = episode.hits(population.place[:size], np.full(size, episode.severity)) & (rng.random(size) < share)
    users = np.flatnonzero(hit)
    t = episode.end + rng.exponential(0.3 * (episode.over - episode.end), len(users))
    return anew(users, t, world, rng)


def _storming(episode: Episode, world: World, rng: np.random.Generator) -> Exchanges:
    """Registrations beyond the ordinary: a plateau, or a burst that dies away, up to a multiple of the ordinary rate."""
    population = world.population
    ordinary = population.size * (world.network.load.spells_a_day / 86_400 + 0.15 / population.refresh.mean())
    longest = episode.end - episode.start
    count = rng.poisson(ordinary * longest * np.expm1(3.6 * episode.severity**0.8))
    when = rng.random(count)
    if episode.draws["decays"]:
        when = np.minimum(rng.exponential(0.35, count), when + 0.3)
    t = episode.start + episode.onset * rng.random(count) + longest * when * 0.97
    return anew(rng.integers(0, population.size, count), t, world, rng)


def anew(users: Any, t: F64, world: World, rng: np.random.Generator) -> Exchanges:
    """Registrations out of turn of those `users` whose handsets are on at `t`."""
    until = world.population.registered_until(users, t)
    on = until > t
    dialogs = rng.integers(0, 2**64, size=int(on.sum()), dtype=np.uint64)
    return Exchanges.planned(t[on], K.REG_INITIAL, users[on], dialogs, until=until[on])


_ALL: Final = (
    Fault(
        "hss-link-down",
        "share of requests that need the HSS and get nothing",
        _hss,
        _hss_draws,
        (60, 420),
        0.3,
        _returning,
    ),
    Fault(
        "traffic-blocked",
        "share of subscribers behind the block",
        _blocked,
        _blocked_draws,
        (90, 600),
        0.5,
        _returning,
    ),
    Fault(
        "link-at-capacity",
        "how far the load offered exceeds the Mw link: 1 is 2.2 times",
        congest,
        capacity_draws,
        (60, 300),
        busy=True,
    ),
    Fault(
        "scscf-down",
        "share of subscribers served by the dead S-CSCF",
        _scscf,
        _scscf_draws,
        (90, 600),
        0.3,
        _returning,
    ),
    Fault("dns-slow", "share of look-ups that are not in the cache", _dns, _dns_draws, (60, 240), 0.2),
    Fault("packet-loss", "loss of messages: 1 is 33 %", _loss, _loss_draws, (60, 150)),
    Fault(
        "registration-storm",
        "registrations beyond the ordinary: 1 is about 35 times",
        _storm,
        _storm_draws,
        (60, 480),
        0.0,
        _storming,
    ),
    Fault(
        "as-failing",
        "share of requests sent to the failing application server",
        _as,
        _as_draws,
        (60, 240),
        0.2,
    ),
    Fault("pcrf-down", "share of Rx requests without an answer", _pcrf, _pcrf_draws, (60, 240), 0.3),
    Fault("overload", "how short the node is of processor time", _overload, _overload_draws, (60, 360)),
)

FAULTS: Final[Mapping[str, Fault]] = {fault.name: fault for fault in _ALL}


def draw_severity(fault: Fault, rng: np.random.Generator) -> float:
    """Log-uniform from MILDEST to 1, or 1 at once as often as the fault says."""
    if rng.random() < fault.always_total:
        return 1.0
    return float(np.exp(rng.uniform(np.log(MILDEST), 0.0)))
