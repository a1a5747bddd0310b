"""Registrations: the initial one, its refreshes, and retries after a failure (RFC 3261, 10; TS 24.229, 5.1.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from faultprint.arrays import BoolArray, Float64Array
from faultprint_lab.simulate.network.load_curve import WARM_UP
from faultprint_lab.simulate.network.request_kinds import REGISTER, RequestKind, mask_of
from faultprint_lab.simulate.network.subscribers import USER_STRIDE
from faultprint_lab.simulate.scenario import Scenario
from faultprint_lab.simulate.traffic.exchange_table import ExchangeTable

REFRESH_BATCH = 12
"""Number of refreshes planned at a time; a failure removes the later ones."""

_WANTED = mask_of(RequestKind.REG_INITIAL, RequestKind.REG_REFRESH)


@dataclass(slots=True)
class RegistrationPlanner:
    """Plans refreshes. A handset that registers out of turn (after an outage, say) starts a new rhythm at that time.

    `resets` are these times as user × USER_STRIDE + time, sorted, (r,).
    """

    scenario: Scenario
    resets: Float64Array = field(default_factory=lambda: np.empty(0))
    _chains: int = 0

    def expect(self, registrations: ExchangeTable) -> None:
        """Add registrations that will be sent out of turn."""
        self.resets = np.sort(np.concatenate([self.resets, registrations.user * USER_STRIDE + registrations.t]))

    def refreshes(
        self,
        user: npt.NDArray[np.integer],
        now: Float64Array,
        first: Float64Array,
        until: Float64Array,
        dialog: npt.NDArray[np.uint64],
        rng: np.random.Generator,
    ) -> ExchangeTable:
        """The next REFRESH_BATCH refreshes of n registrations valid at `now`: from `first` on, none after `until`."""
        n = len(user)
        nearest = np.searchsorted(self.resets, user * USER_STRIDE + now, side="right")
        reset = np.concatenate([self.resets, [np.inf]])[nearest] - user * USER_STRIDE
        stop = np.minimum(until, np.where(reset < USER_STRIDE / 2, reset, np.inf))
        gaps = self.scenario.subscribers.refresh[user][:, None] * _interval((n, REFRESH_BATCH), self.scenario, rng)
        gaps[:, 0] = 0
        times = first[:, None] + np.cumsum(gaps, axis=1)
        kept = times < np.minimum(stop, self.scenario.span)[:, None]
        rows = np.broadcast_to(np.arange(n)[:, None], (n, REFRESH_BATCH))[kept]
        planned = ExchangeTable.planned(
            times[kept], RequestKind.REG_REFRESH, user[rows], dialog[rows], until=until[rows]
        )
        planned.chain[:] = self._chains + rows
        planned.last[:] = np.broadcast_to(np.arange(REFRESH_BATCH) == REFRESH_BATCH - 1, (n, REFRESH_BATCH))[kept]
        self._chains += n
        return planned

    def continuations(self, batch: ExchangeTable, scenario: Scenario, rng: np.random.Generator) -> ExchangeTable:
        """The refreshes that follow successful registrations."""
        good = batch.take((batch.outcome() == 200) & _WANTED[batch.kind] & batch.last & (batch.until > 0))
        now = good.outcome_time()
        first = now + scenario.subscribers.refresh[good.user] * _interval(len(good), scenario, rng)
        return self.refreshes(good.user, now, first, good.until, good.dialog, rng)

    def initial_registrations(self, rng: np.random.Generator) -> list[ExchangeTable]:
        """Registrations when handsets are switched on, de-registrations when they are switched off, and refreshes of handsets
        that are on from the beginning.
        """
        subscribers, network = self.scenario.subscribers, self.scenario.network
        user, start, end = subscribers.on_user, subscribers.on_start, subscribers.on_end
        dialogs = rng.integers(0, 2**64, size=len(user), dtype=np.uint64)
        fresh = start > -WARM_UP
        initial = ExchangeTable.planned(
            start[fresh], RequestKind.REG_INITIAL, user[fresh], dialogs[fresh], until=end[fresh]
        )
        polite = (end < self.scenario.span) & (rng.random(len(end)) < network.load.deregisters)
        away = ExchangeTable.planned(end[polite], RequestKind.REG_DEREG, user[polite], dialogs[polite])
        on = np.flatnonzero(~fresh)
        phase = self._phases(len(on), rng) * subscribers.refresh[user[on]]
        now = np.full(len(on), -WARM_UP)
        return [initial, away, self.refreshes(user[on], now, now + phase, end[on], dialogs[on], rng)]

    def _phases(self, n: int, rng: np.random.Generator) -> Float64Array:
        """Position of handsets in their refresh interval, (n,): uniform, or in clusters after an earlier event."""
        phase = rng.random(n)
        clusters = self.scenario.network.habits.clusters
        if clusters:
            centre = rng.random(clusters)[rng.integers(clusters, size=n)]
            clustered = rng.random(n) < 0.5
            phase = np.where(clustered, (centre + 0.03 * rng.standard_normal(n)) % 1, phase)
        return phase


def _interval(shape: int | tuple[int, int], scenario: Scenario, rng: np.random.Generator) -> Float64Array:
    """Intervals between refreshes, relative to the handset's own interval; always shorter than the binding's validity."""
    habits = scenario.network.habits
    drawn: Float64Array = np.minimum(1 + habits.refresh_jitter * rng.standard_normal(shape), 0.98 * habits.validity)
    return drawn


def failed(batch: ExchangeTable) -> BoolArray:
    """Registrations that failed, (n,); a challenge is no failure."""
    challenged = (batch.outcome() == 401) & (batch.stage == 0)
    bad: BoolArray = REGISTER[batch.kind] & (batch.outcome() != 200) & ~challenged
    return bad


def drop_after_failure(batch: ExchangeTable) -> ExchangeTable:
    """`batch` without the refreshes planned after a failed one: that handset starts a new registration instead."""
    lost = np.flatnonzero(failed(batch) & (batch.chain >= 0))
    if not len(lost):
        return batch
    cut = np.full(int(batch.chain.max()) + 1, np.inf)
    np.minimum.at(cut, batch.chain[lost], batch.t[lost])
    batch.last[lost] = True
    return batch.take((batch.chain < 0) | (batch.t <= cut[batch.chain]))


def retries(batch: ExchangeTable, scenario: Scenario, rng: np.random.Generator) -> ExchangeTable:
    """New initial registrations after failures, with exponential back-off (TS 24.229, 5.1.1.2.1; RFC 5626, 4.5)."""
    habits = scenario.network.habits
    again = batch.take(failed(batch) & _WANTED[batch.kind] & (batch.user >= 0) & (batch.until > 0))
    n = len(again)
    wait = np.minimum(habits.backoff_base * np.exp2(again.attempt.clip(0, 16).astype(np.float64)), habits.backoff_max)
    wait = wait * rng.uniform(0.5, 1.0, n)
    unavailable = again.outcome() == 503
    wait[unavailable] = np.maximum(
        wait[unavailable], habits.retry_after * rng.uniform(1.0, 1.5, int(unavailable.sum()))
    )
    # A handset that may not register waits longer.
    barred = (again.outcome() == 403) | (again.outcome() == 404)
    wait[barred] = habits.backoff_max * rng.uniform(1.0, 4.0, int(barred.sum()))
    t = again.outcome_time() + wait
    attempt = np.minimum(again.attempt + 1, 200)
    retry = ExchangeTable.planned(
        t, RequestKind.REG_INITIAL, again.user, again.dialog, until=again.until, attempt=attempt
    )
    retry.last[:] = again.last
    return retry.take(t < again.until)


class RegistrationState:
    """Which subscribers are registered at which time, from all successful registrations of a network."""

    def __init__(self, registrations: ExchangeTable, scenario: Scenario) -> None:
        good = registrations.take(registrations.outcome() == 200)
        moments = good.user * USER_STRIDE + good.outcome_time()
        self._scenario = scenario
        self._order = np.sort(moments[_WANTED[good.kind]])
        self._away = np.sort(moments[good.kind == RequestKind.REG_DEREG])

    def at(self, user: npt.NDArray[np.integer], t: Float64Array) -> BoolArray:
        """Whether the handset of `user` is on and has a valid registration at `t`, (n,).

        A handset that is on from the beginning counts as registered until its first simulated registration.
        """
        present: BoolArray = self.has_binding(user, t) & (self._scenario.subscribers.registered_until(user, t) > t)
        return present

    def has_binding(self, user: npt.NDArray[np.integer], t: Float64Array) -> BoolArray:
        """Whether the registrar has a binding of `user` at `t`, (n,), even if the handset is off."""
        subscribers, validity = self._scenario.subscribers, self._scenario.network.habits.validity
        since, left = (_since(order, user, t) for order in (self._order, self._away))
        first = t < subscribers.refresh[user] - WARM_UP
        alive = np.where(np.isfinite(since), since < validity * subscribers.refresh[user], first)
        kept: BoolArray = alive & (since <= left)
        return kept

    def classify(self, registrations: ExchangeTable) -> None:
        """Set the kind of registrations to initial or refresh by the existing bindings, as a probe does."""
        by_subscriber = registrations.user < self._scenario.subscribers.size
        rows = np.flatnonzero(by_subscriber & _WANTED[registrations.kind])
        bound = self.has_binding(registrations.user[rows], registrations.t[rows])
        registrations.kind[rows] = np.where(bound, RequestKind.REG_REFRESH, RequestKind.REG_INITIAL)


def _since(moments: Float64Array, user: npt.NDArray[np.integer], t: Float64Array) -> Float64Array:
    """Seconds since the last event of `user` before `t`, (n,); inf if there is none.

    `moments` are the events as user × USER_STRIDE + time, sorted.
    """
    last = np.searchsorted(moments, user * USER_STRIDE + t, side="right") - 1
    since = user * USER_STRIDE + t - np.concatenate([moments, [-np.inf]])[last]
    elapsed: Float64Array = np.where(since < USER_STRIDE / 2, since, np.inf)
    return elapsed
