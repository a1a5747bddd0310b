"""Registrations: the first, the refreshes after it, retries when it fails (RFC 3261, 10; TS 24.229, 5.1.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from faultprint.arrays import BoolArray, Float64Array
from faultprint_lab.simulate.network.kinds import REGISTER, RequestKind, mask_of
from faultprint_lab.simulate.network.population import FAR
from faultprint_lab.simulate.network.rates import WARM_UP
from faultprint_lab.simulate.scenario import Scenario
from faultprint_lab.simulate.traffic.exchanges import ExchangeTable

PIECE = 12
"""Refreshes that are planned at a time; a failure among them undoes those after it."""

_WANTED = mask_of(RequestKind.REG_INITIAL, RequestKind.REG_REFRESH)


@dataclass(slots=True)
class Registrar:
    """Plans refreshes; knows the moments at which handsets register anew and so leave their earlier rhythm.

    `resets` holds user × 1e7 + time, sorted, (r,).
    """

    world: Scenario
    resets: Float64Array = field(default_factory=lambda: np.empty(0))
    _chains: int = 0

    def expect(self, anew: ExchangeTable) -> None:
        """Learn of registrations that will be made out of turn."""
        self.resets = np.sort(np.concatenate([self.resets, anew.user * FAR + anew.t]))

    def refreshes(
        self,
        user: npt.NDArray[np.integer],
        now: Float64Array,
        first: Float64Array,
        until: Float64Array,
        dialog: npt.NDArray[np.uint64],
        rng: np.random.Generator,
    ) -> ExchangeTable:
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
        planned = ExchangeTable.planned(
            times[kept], RequestKind.REG_REFRESH, user[rows], dialog[rows], until=until[rows]
        )
        planned.chain[:] = self._chains + rows
        planned.last[:] = np.broadcast_to(np.arange(PIECE) == PIECE - 1, (n, PIECE))[kept]
        self._chains += n
        return planned

    def continuations(self, batch: ExchangeTable, world: Scenario, rng: np.random.Generator) -> ExchangeTable:
        """The refreshes that successful registrations lead to."""
        good = batch.take((batch.outcome() == 200) & _WANTED[batch.kind] & batch.last & (batch.until > 0))
        now = good.learned()
        first = now + world.population.refresh[good.user] * _interval(len(good), world, rng)
        return self.refreshes(good.user, now, first, good.until, good.dialog, rng)

    def first_spells(self, rng: np.random.Generator) -> list[ExchangeTable]:
        """Registrations at the start of spells, de-registrations at their end, and refreshes of those who are on already."""
        population, network = self.world.population, self.world.network
        user, start, end = population.spell_user, population.spell_start, population.spell_end
        dialogs = rng.integers(0, 2**64, size=len(user), dtype=np.uint64)
        fresh = start > -WARM_UP
        anew = ExchangeTable.planned(
            start[fresh], RequestKind.REG_INITIAL, user[fresh], dialogs[fresh], until=end[fresh]
        )
        polite = (end < self.world.span) & (rng.random(len(end)) < network.load.deregisters)
        away = ExchangeTable.planned(end[polite], RequestKind.REG_DEREG, user[polite], dialogs[polite])
        on = np.flatnonzero(~fresh)
        phase = self._phases(len(on), rng) * population.refresh[user[on]]
        now = np.full(len(on), -WARM_UP)
        return [anew, away, self.refreshes(user[on], now, now + phase, end[on], dialogs[on], rng)]

    def _phases(self, n: int, rng: np.random.Generator) -> Float64Array:
        """Where in their refresh interval handsets stand, (n,): spread, or in clusters left by some earlier event."""
        phase = rng.random(n)
        clusters = self.world.network.habits.clusters
        if clusters:
            centre = rng.random(clusters)[rng.integers(clusters, size=n)]
            gathered = rng.random(n) < 0.5
            phase = np.where(gathered, (centre + 0.03 * rng.standard_normal(n)) % 1, phase)
        return phase


def _interval(shape: int | tuple[int, int], world: Scenario, rng: np.random.Generator) -> Float64Array:
    """Intervals between refreshes, relative to the handset's own: whatever the jitter, well before the binding runs out."""
    habits = world.network.habits
    drawn: Float64Array = np.minimum(1 + habits.refresh_jitter * rng.standard_normal(shape), 0.98 * habits.validity)
    return drawn


def failed(batch: ExchangeTable) -> BoolArray:
    """Registrations that did not end well and were not merely challenged, (n,)."""
    challenged = (batch.outcome() == 401) & (batch.stage == 0)
    bad: BoolArray = REGISTER[batch.kind] & (batch.outcome() != 200) & ~challenged
    return bad


def undo_after_failure(batch: ExchangeTable) -> ExchangeTable:
    """`batch` without the refreshes planned after one that failed: that handset registers anew instead."""
    lost = np.flatnonzero(failed(batch) & (batch.chain >= 0))
    if not len(lost):
        return batch
    cut = np.full(int(batch.chain.max()) + 1, np.inf)
    np.minimum.at(cut, batch.chain[lost], batch.t[lost])
    batch.last[lost] = True
    return batch.take((batch.chain < 0) | (batch.t <= cut[batch.chain]))


def retries(batch: ExchangeTable, world: Scenario, rng: np.random.Generator) -> ExchangeTable:
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
    retry = ExchangeTable.planned(
        t, RequestKind.REG_INITIAL, again.user, again.dialog, until=again.until, attempt=attempt
    )
    retry.last[:] = again.last
    return retry.take(t < again.until)


class Presence:
    """Who is registered when, from all registrations of a network that succeeded."""

    def __init__(self, registrations: ExchangeTable, world: Scenario) -> None:
        good = registrations.take(registrations.outcome() == 200)
        moments = good.user * FAR + good.learned()
        self._world = world
        self._order = np.sort(moments[_WANTED[good.kind]])
        self._away = np.sort(moments[good.kind == RequestKind.REG_DEREG])

    def at(self, user: npt.NDArray[np.integer], t: Float64Array) -> BoolArray:
        """Whether `user`, whose handset is on, has a registration that has not run out at `t`, (n,).

        A handset that was on before the first registration that was simulated counts as registered until then.
        """
        present: BoolArray = self.bound(user, t) & (self._world.population.registered_until(user, t) > t)
        return present

    def bound(self, user: npt.NDArray[np.integer], t: Float64Array) -> BoolArray:
        """Whether the registrar holds a binding of `user` at `t`, whether the handset is on or not, (n,)."""
        population, validity = self._world.population, self._world.network.habits.validity
        since, left = (_since(order, user, t) for order in (self._order, self._away))
        first = t < population.refresh[user] - WARM_UP
        alive = np.where(np.isfinite(since), since < validity * population.refresh[user], first)
        kept: BoolArray = alive & (since <= left)
        return kept

    def name(self, registrations: ExchangeTable) -> None:
        """Call registrations initial or refreshes by the bindings there are, as a probe must, not by what the handset meant."""
        own = registrations.user < self._world.population.size
        rows = np.flatnonzero(own & _WANTED[registrations.kind])
        bound = self.bound(registrations.user[rows], registrations.t[rows])
        registrations.kind[rows] = np.where(bound, RequestKind.REG_REFRESH, RequestKind.REG_INITIAL)


def _since(moments: Float64Array, user: npt.NDArray[np.integer], t: Float64Array) -> Float64Array:
    """Seconds since the last of `user`'s moments (user × FAR + time, sorted) before `t`; inf if there is none, (n,)."""
    last = np.searchsorted(moments, user * FAR + t, side="right") - 1
    since = user * FAR + t - np.concatenate([moments, [-np.inf]])[last]
    found: Float64Array = np.where(since < FAR / 2, since, np.inf)
    return found
