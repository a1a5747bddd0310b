"""Registrations: the first, the refreshes after it, retries when it fails (RFC 3261, 10; TS 24.229, 5.1.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from faultprint_lab.simulate.network.kinds import REGISTER, K, mask_of
from faultprint_lab.simulate.network.population import FAR
from faultprint_lab.simulate.network.rates import WARM_UP
from faultprint_lab.simulate.scenario import World
from faultprint_lab.simulate.traffic.exchanges import F64, Bool, Exchanges

PIECE = 12
"""Refreshes that are planned at a time; a failure among them undoes those after it."""

_WANTED = mask_of(K.REG_INITIAL, K.REG_REFRESH)


@dataclass(slots=True)
class Registrar:
    """Plans refreshes; knows the moments at which handsets register anew and so leave their earlier rhythm.

    `resets` holds user × 1e7 + time, sorted, (r,).
    """

    world: World
    resets: F64 = field(default_factory=lambda: np.empty(0))
    _chains: int = 0

    def expect(self, anew: Exchanges) -> None:
        """Learn of registrations that will be made out of turn."""
        self.resets = np.sort(np.concatenate([self.resets, anew.user * FAR + anew.t]))

    def refreshes(
        self,
        user: npt.NDArray[np.integer],
        now: F64,
        first: F64,
        until: F64,
        dialog: npt.NDArray[np.uint64],
        rng: np.random.Generator,
    ) -> Exchanges:
        """The next PIECE refreshes of n registrations that stand at `now`; the first comes at `first`, none after `until`."""
        n = len(user)
        nearest = np.searchsorted(self.resets, user * FAR + now, side="right")
        reset = np.concatenate([self.resets, [np.inf]])[nearest] - user * FAR
        stop = np.minimum(until, np.where(reset < FAR / 2, reset, np.inf))
        gaps = self.world.population.refresh[user][:, None] * _interval((n, PIECE), self.world, rng)
        gaps[:, 0] = 0
        times = first[:, None] + np.cumsum(gaps, axis=1)
        kept = times < np.minimum(stop, self.world.span)[:, None]
        rows = np.broadcast_to(np.arange(n)[:, None], (n, PIECE))[kept]
        planned = Exchanges.planned(times[kept], K.REG_REFRESH, user[rows], dialog[rows], until=until[rows])
        planned.chain[:] = self._chains + rows
        planned.last[:] = np.broadcast_to(np.arange(PIECE) == PIECE - 1, (n, PIECE))[kept]
        self._chains += n
        return planned

    def continuations(self, batch: Exchanges, world: World, rng: np.random.Generator) -> Exchanges:
        """The refreshes that successful registrations lead to."""
        good = batch.take((batch.outcome() == 200) & _WANTED[batch.kind] & batch.last & (batch.until > 0))
        now = good.learned()
        first = now + world.population.refresh[good.user] * _interval(len(good), world, rng)
        return self.refreshes(good.user, now, first, good.until, good.dialog, rng)

    def first_spells(self, rng: np.random.Generator) -> list[Exchanges]:
        """Registrations at the start of spells, de-registrations at their end, and refreshes of those who are on already."""
        population, network = self.world.population, self.world.network
        user, start, end = population.spell_user, population.spell_start, population.spell_end
        dialogs = rng.integers(0, 2**64, size=len(user), dtype=np.uint64)
        fresh = start > -WARM_UP
        anew = Exchanges.planned(start[fresh], K.REG_INITIAL, user[fresh], dialogs[fresh], until=end[fresh])
        polite = (end < self.world.span) & (rng.random(len(end)) < network.load.deregisters)
        away = Exchanges.planned(end[polite], K.REG_DEREG, user[polite], dialogs[polite])
        on = np.flatnonzero(~fresh)
        phase = self._phases(len(on), rng) * population.refresh[user[on]]
        now = np.full(len(on), -WARM_UP)
        return [anew, away, self.refreshes(user[on], now, now + phase, end[on], dialogs[on], rng)]

    def _phases(self, n: int, rng: np.random.Generator) -> F64:
        """Where in their refresh interval handsets stand, (n,): spread, or in clusters left by some earlier event."""
        phase = rng.random(n)
        clusters = self.world.network.habits.clusters
        if clusters:
            centre = rng.random(clusters)[rng.integers(clusters, size=n)]
            gathered = rng.random(n) < 0.5
            phase = np.where(gathered, (centre + 0.03 * rng.standard_normal(n)) % 1, phase)
        return phase


def _interval(shape: int | tuple[int, int], world: World, rng: np.random.Generator) -> F64:
    """Intervals between refreshes, relative to the handset's own: whatever the jitter, well before the binding runs out."""
    habits = world.network.habits
    drawn: F64 = np.minimum(1 + habits.refresh_jitter * rng.standard_normal(shape), 0.98 * habits.validity)
    return drawn


def failed(batch: Exchanges) -> Bool:
    """Registrations that did not end well and were not merely challenged, (n,)."""
    challenged = (batch.outcome() == 401) & (batch.stage == 0)
    bad: Bool = REGISTER[batch.kind] & (batch.outcome() != 200) & ~challenged
    return bad


def undo_after_failure(batch: Exchanges) -> Exchanges:
    """`batch` without the refreshes planned after one that failed: that handset registers anew instead."""
    lost = np.flatnonzero(failed(batch) & (batch.chain >= 0))
    if not len(lost):
        return batch
    cut = np.full(int(batch.chain.max()) + 1, np.inf)
    np.minimum.at(cut, batch.chain[lost], batch.t[lost])
    batch.last[lost] = True
    return batch.take((batch.chain < 0) | (batch.t <= cut[batch.chain]))


def retries(batch: Exchanges, world: World, rng: np.random.Generator) -> Exchanges:
    """New initial registrations after failed ones, with a back-off that doubles (TS 24.229, 5.1.1.2.1; RFC 5626, 4.5)."""
    habits = world.network.habits
    again = batch.take(failed(batch) & _WANTED[batch.kind] & (batch.user >= 0) & (batch.until > 0))
    n = len(again)
    wait = np.minimum(habits.backoff_base * np.exp2(again.attempt.clip(0, 16).astype(np.float64)), habits.backoff_max)
    wait = wait * rng.uniform(0.5, 1.0, n)
    told = again.outcome() == 503
    wait[told] = np.maximum(wait[told], habits.retry_after * rng.uniform(1.0, 1.5, int(told.sum())))
    # Told that it may not register, a handset waits long.
    barred = (again.outcome() == 403) | (again.outcome() == 404)
    wait[barred] = habits.backoff_max * rng.uniform(1.0, 4.0, int(barred.sum()))
    t = again.learned() + wait
    attempt = np.minimum(again.attempt + 1, 200)
    retry = Exchanges.planned(t, K.REG_INITIAL, again.user, again.dialog, until=again.until, attempt=attempt)
    retry.last[:] = again.last
    return retry.take(t < again.until)


class Presence:
    """Who is registered when, from all registrations of a network that succeeded."""

    def __init__(self, registrations: Exchanges, world: World) -> None:
        good = registrations.take(registrations.outcome() == 200)
        moments = good.user * FAR + good.learned()
        self._world = world
        self._order = np.sort(moments[_WANTED[good.kind]])
        self._away = np.sort(moments[good.kind == K.REG_DEREG])

    def at(self, user: npt.NDArray[np.integer], t: F64) -> Bool:
        """Whether `user`, whose handset is on, has a registration that has not run out at `t`, (n,).

        A handset that was on before the first registration that was simulated counts as registered until then.
        """
        present: Bool = self.bound(user, t) & (self._world.population.registered_until(user, t) > t)
        return present

    def bound(self, user: npt.NDArray[np.integer], t: F64) -> Bool:
        """Whether the registrar holds a binding of `user` at `t`, whether the handset is on or not, (n,)."""
        population, validity = self._world.population, self._world.network.habits.validity
        since, left = (_since(order, user, t) for order in (self._order, self._away))
        first = t < population.refresh[user] - WARM_UP
        alive = np.where(np.isfinite(since), since < validity * population.refresh[user], first)
        kept: Bool = alive & (since <= left)
        return kept

    def name(self, registrations: Exchanges) -> None:
        """Call registrations initial or refreshes by the bindings there are, as a probe must, not by what the handset meant."""
        own = registrations.user < self._world.population.size
        rows = np.flatnonzero(own & _WANTED[registrations.kind])
        bound = self.bound(registrations.user[rows], registrations.t[rows])
        registrations.kind[rows] = np.where(bound, K.REG_REFRESH, K.REG_INITIAL)


def _since(moments: F64, user: npt.NDArray[np.integer], t: F64) -> F64:
    """Seconds since the last of `user`'s moments (user × FAR + time, sorted) before `t`; inf if there is none, (n,)."""
    last = np.searchsorted(moments, user * FAR + t, side="right") - 1
    since = user * FAR + t - np.concatenate([moments, [-np.inf]])[last]
    found: F64 = np.where(since < FAR / 2, since, np.inf)
    return found
