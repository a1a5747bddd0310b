"""The subscribers of a network: who they are, how active, and when their handsets want to be registered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from faultprint.arrays import BoolArray, Float64Array
from faultprint_lab.simulate.network.networks import SimulatedNetwork
from faultprint_lab.simulate.network.rates import WARM_UP, Curve

STRANGERS = 64
"""Places after the subscribers, for scanners and others who are not."""

FAR = 1e7
"""More seconds than any span: user × FAR + time sorts by user, then time."""


@dataclass(frozen=True, slots=True)
class Subscribers:
    """n subscribers (and STRANGERS after them).

    keys (n + STRANGERS,) are hashes; tcp (n + STRANGERS,), refresh (n,) seconds between refreshes, place (n + STRANGERS,) in
    [0, 1) a fixed fate (which S-CSCF, which access link), activity (n,) cumulative. Spells of registration lie in order of
    (user, start): spell_user, spell_start, spell_end (s,).
    """

    keys: npt.NDArray[np.uint64]
    tcp: BoolArray
    refresh: Float64Array
    place: Float64Array
    activity: Float64Array
    spell_user: npt.NDArray[np.int32]
    spell_start: Float64Array
    spell_end: Float64Array

    @property
    def size(self) -> int:
        return len(self.refresh)

    def active(self, n: int, rng: np.random.Generator) -> npt.NDArray[np.int32]:
        """n users, the busy ones more often, (n,)."""
        return np.searchsorted(self.activity, rng.random(n), side="right").astype(np.int32).clip(0, self.size - 1)

    def registered_until(self, user: npt.NDArray[np.integer], t: Float64Array) -> Float64Array:
        """End of the spell in which `user` is at `t`, (n,); −inf for those whose handset is off."""
        order = self.spell_user * FAR + self.spell_start
        spell = np.searchsorted(order, user * FAR + t, side="right") - 1
        inside = (spell >= 0) & (self.spell_user[spell] == user) & (self.spell_end[spell] > t)
        return np.where(inside, self.spell_end[spell], -np.inf)


def draw_population(network: SimulatedNetwork, curve: Curve, rng: np.random.Generator) -> Subscribers:
    """As many subscribers as make the network's share of REGISTER transactions at the busy hour."""
    habits, load = network.habits, network.load
    models = np.array(habits.refresh_models)
    each = 2 * (1 + habits.challenged_refreshes) / (habits.refresh * models.mean() / 60)
    each += load.spells_a_day / 1440 * (4 + 4 * habits.reg_event)
    size = max(20, round(0.85 * load.peak * load.share_register / each))
    everyone = size + STRANGERS
    weights = np.cumsum(rng.lognormal(0, load.skew, size=size))
    spells = _draw_spells(size, network, curve, rng)
    return Subscribers(
        keys=rng.integers(0, 2**64, size=everyone, dtype=np.uint64),
        tcp=rng.random(everyone) < network.transport.tcp_handsets,
        refresh=habits.refresh * rng.choice(models, size=size),
        place=rng.random(everyone),
        activity=weights / weights[-1],
        spell_user=spells[0],
        spell_start=spells[1],
        spell_end=spells[2],
    )


def _draw_spells(
    size: int, network: SimulatedNetwork, curve: Curve, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int32], Float64Array, Float64Array]:
    """Spells for which handsets are on, from −WARM_UP (some long before) to the end of the span, in order of user, start."""
    load, span = network.load, curve.span
    cycle = 86_400 / load.spells_a_day
    count = int(np.ceil((span + WARM_UP) / cycle * 2)) + 4
    on = rng.lognormal(-0.3, 0.8, size=(size, count)) * cycle * load.on_share
    off = rng.lognormal(-0.7, 1.2, size=(size, count)) * cycle * (1 - load.on_share)
    ends = np.cumsum(on + off, axis=1)
    ends -= (ends[:, :1] * rng.random((size, 1))) + WARM_UP
    starts = ends - on - off
    users = np.repeat(np.arange(size, dtype=np.int32), count)
    start, end = curve.by_day(starts.ravel()), curve.by_day((starts + on).ravel())
    kept = (end > -WARM_UP) & (start < span)
    return users[kept], start[kept], end[kept]
