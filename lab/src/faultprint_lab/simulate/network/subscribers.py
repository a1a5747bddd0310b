"""The subscribers of a network: identities, activity, and the periods in which their handsets are switched on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from faultprint.arrays import BoolArray, Float64Array
from faultprint_lab.simulate.network.load_curve import WARM_UP, LoadCurve
from faultprint_lab.simulate.network.network import SimulatedNetwork

NON_SUBSCRIBERS = 64
"""Number of identities after the subscribers, for scanners and other senders that are not subscribers."""

USER_STRIDE = 1e7
"""More seconds than any span, so that user × USER_STRIDE + time sorts by user, then by time."""


@dataclass(frozen=True, slots=True)
class Subscribers:
    """n subscribers, followed by NON_SUBSCRIBERS other identities; m = n + NON_SUBSCRIBERS.

    keys        (m,) hashed identities
    tcp         (m,) whether the handset uses TCP
    refresh     (n,) seconds between registration refreshes
    placement   (m,) a fixed number in [0, 1): which S-CSCF and which access link serve the subscriber
    activity    (n,) cumulative share of the traffic
    on_user, on_start, on_end
                (s,) periods in which a handset is switched on, in order of (user, start)
    """

    keys: npt.NDArray[np.uint64]
    tcp: BoolArray
    refresh: Float64Array
    placement: Float64Array
    activity: Float64Array
    on_user: npt.NDArray[np.int32]
    on_start: Float64Array
    on_end: Float64Array

    @property
    def size(self) -> int:
        return len(self.refresh)

    def active(self, n: int, rng: np.random.Generator) -> npt.NDArray[np.int32]:
        """Draw n users by their activity, (n,)."""
        return np.searchsorted(self.activity, rng.random(n), side="right").astype(np.int32).clip(0, self.size - 1)

    def registered_until(self, user: npt.NDArray[np.integer], t: Float64Array) -> Float64Array:
        """End of the period in which the handset of `user` is on at `t`, (n,); −inf if it is off."""
        order = self.on_user * USER_STRIDE + self.on_start
        period = np.searchsorted(order, user * USER_STRIDE + t, side="right") - 1
        inside = (period >= 0) & (self.on_user[period] == user) & (self.on_end[period] > t)
        return np.where(inside, self.on_end[period], -np.inf)


def draw_subscribers(network: SimulatedNetwork, curve: LoadCurve, rng: np.random.Generator) -> Subscribers:
    """Draw as many subscribers as cause the network's share of REGISTER transactions in the busy hour."""
    habits, load = network.habits, network.load
    models = np.array(habits.refresh_models)
    per_subscriber = 2 * (1 + habits.challenged_refreshes) / (habits.refresh * models.mean() / 60)
    per_subscriber += load.power_cycles_per_day / 1440 * (4 + 4 * habits.reg_event)
    size = max(20, round(0.85 * load.peak * load.share_register / per_subscriber))
    identities = size + NON_SUBSCRIBERS
    weights = np.cumsum(rng.lognormal(0, load.skew, size=size))
    periods = _draw_on_periods(size, network, curve, rng)
    return Subscribers(
        keys=rng.integers(0, 2**64, size=identities, dtype=np.uint64),
        tcp=rng.random(identities) < network.transport.tcp_handsets,
        refresh=habits.refresh * rng.choice(models, size=size),
        placement=rng.random(identities),
        activity=weights / weights[-1],
        on_user=periods[0],
        on_start=periods[1],
        on_end=periods[2],
    )


def _draw_on_periods(
    size: int, network: SimulatedNetwork, curve: LoadCurve, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int32], Float64Array, Float64Array]:
    """Periods in which handsets are on, from −WARM_UP or earlier to the end of the span, in order of user and start."""
    load, span = network.load, curve.span
    cycle = 86_400 / load.power_cycles_per_day
    count = int(np.ceil((span + WARM_UP) / cycle * 2)) + 4
    on = rng.lognormal(-0.3, 0.8, size=(size, count)) * cycle * load.on_share
    off = rng.lognormal(-0.7, 1.2, size=(size, count)) * cycle * (1 - load.on_share)
    ends = np.cumsum(on + off, axis=1)
    ends -= (ends[:, :1] * rng.random((size, 1))) + WARM_UP
    starts = ends - on - off
    users = np.repeat(np.arange(size, dtype=np.int32), count)
    start, end = curve.follow_curve(starts.ravel()), curve.follow_curve((starts + on).ravel())
    kept = (end > -WARM_UP) & (start < span)
    return users[kept], start[kept], end[kept]
