"""What can become of an exchange in trouble: the building blocks of faults, disturbances and everyday losses.

Each works in place on the rows (an index or a mask) of a view. `n` below is the number of those rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from faultprint.arrays import BoolArray, Float64Array
from faultprint_lab.simulate.network.kinds import BYE, FROM_UE, INVITE
from faultprint_lab.simulate.network.timers import (
    GIVE_UP,
    sent_after,
    tcp_sent_after,
    tcp_wait_after_losses,
    wait_after_losses,
)
from faultprint_lab.simulate.scenario import Scenario
from faultprint_lab.simulate.traffic.answers import DrawnAnswer
from faultprint_lab.simulate.traffic.exchanges import SILENCE, ExchangeTable

_SHORTEST_PATIENCE = 3.5
"""No network's node gives up sooner: saves looking."""

Rows = npt.NDArray[np.intp]


def draw_answer(answer: DrawnAnswer, n: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.uint16], Float64Array]:
    """Status codes and seconds, (n,) each."""
    codes = np.array(answer.codes, dtype=np.uint16)[np.searchsorted(np.cumsum(answer.weights)[:-1], rng.random(n))]
    return codes, answer.seconds * np.exp(answer.spread * rng.standard_normal(n))


def fail(view: ExchangeTable, rows: Rows, answer: DrawnAnswer, rng: np.random.Generator) -> None:
    """The next hop answers with an error of its own."""
    codes, seconds = draw_answer(answer, len(rows), rng)
    view.status[rows] = view.in_status[rows] = codes
    # What the hop waited for comes on top of the way there and back, and it rings nowhere.
    view.delay[rows] = seconds + np.minimum(view.delay[rows], 0.5)
    view.ring[rows] = np.nan
    view.give_up[rows] = np.nan


def refuse(view: ExchangeTable, rows: Rows, answer: DrawnAnswer, rng: np.random.Generator) -> None:
    """The node itself answers with an error and forwards nothing."""
    codes, seconds = draw_answer(answer, len(rows), rng)
    view.status[rows] = view.in_status[rows] = codes
    view.leaves[rows] = False
    view.give_up[rows] = view.proxy[rows] + seconds
    view.ring[rows] = view.prov[rows] = np.nan


def ignore(view: ExchangeTable, rows: Rows) -> None:
    """The node never answers, and forwards nothing."""
    view.in_status[rows] = SILENCE
    view.leaves[rows] = False
    view.give_up[rows] = GIVE_UP
    view.ring[rows] = view.prov[rows] = np.nan


def abandon_answered(view: ExchangeTable, rows: Rows, answer: DrawnAnswer, rng: np.random.Generator) -> None:
    """The node gives an answered session up: an error to the caller, and nothing to the callee, who repeats the 200."""
    codes, seconds = draw_answer(answer, len(rows), rng)
    view.in_status[rows] = codes
    view.give_up[rows] = view.proxy[rows] + view.delay[rows] + seconds
    view.back[rows] = GIVE_UP


def cancel_in_progress(view: ExchangeTable, rows: Rows, answer: DrawnAnswer, rng: np.random.Generator) -> None:
    """The node gives a session up under way: an error to the caller, CANCEL (so 487) to the callee."""
    codes, seconds = draw_answer(answer, len(rows), rng)
    reached = np.where(np.isnan(view.ring[rows]), np.minimum(view.delay[rows], 1.0), view.ring[rows])
    view.in_status[rows] = codes
    view.status[rows] = 487
    view.delay[rows] = reached + seconds + 0.05
    view.give_up[rows] = view.proxy[rows] + reached + seconds


def no_response(view: ExchangeTable, rows: Rows, world: Scenario, rng: np.random.Generator) -> None:
    """The next hop says nothing: the out leg times out, the in leg gets what this node says then."""
    ue = FROM_UE[view.kind[rows]]
    for side, answer in enumerate(world.network.answers["no-answer"]):
        chosen = rows[ue if side == 0 else ~ue]
        codes, seconds = draw_answer(answer, len(chosen), rng)
        view.in_status[chosen] = codes
        view.give_up[chosen] = view.proxy[chosen] + np.minimum(seconds, GIVE_UP)
    view.status[rows] = SILENCE
    view.delay[rows] = GIVE_UP
    view.ring[rows] = view.prov[rows] = np.nan


def proxy_timeout(view: ExchangeTable, world: Scenario, rng: np.random.Generator) -> None:
    """Where the first answer takes longer than the node waits, it gives up on the in leg; the answer still comes in late."""
    waited = view.proxy + np.where(np.isnan(view.prov), view.delay, view.prov)
    due = np.flatnonzero((waited > _SHORTEST_PATIENCE) & view.arrives & view.leaves & np.isnan(view.give_up))
    ue = FROM_UE[view.kind[due]]
    for side, answer in enumerate(world.network.answers["no-answer"]):
        rows = due[ue if side == 0 else ~ue]
        codes, seconds = draw_answer(answer, len(rows), rng)
        tired = waited[rows] > view.proxy[rows] + seconds
        view.in_status[rows[tired]] = codes[tired]
        view.give_up[rows[tired]] = (view.proxy[rows] + seconds)[tired]


def slow(view: ExchangeTable, rows: Rows, factor: Any = 1.0, extra: Any = 0.0) -> None:
    """The next hop takes longer: its answer time × `factor` + `extra` seconds (scalars or (n,)); ringing keeps its length."""
    first = np.where(np.isnan(view.ring[rows]), view.delay[rows], view.ring[rows])
    added = np.where(view.status[rows] == SILENCE, 0.0, first * (factor - 1) + extra)
    view.delay[rows] += added
    view.ring[rows] += added


def delay_node(view: ExchangeTable, rows: Rows, there: Any, back: Any) -> None:
    """The node itself takes longer, in seconds each way."""
    view.proxy[rows] += there
    view.back[rows] += back


def drop(view: ExchangeTable, rows: Rows) -> None:
    """The requests never reach the node."""
    view.gone[rows] = True


def drop_responses(view: ExchangeTable, rows: Rows) -> None:
    """The node answers, but the sender hears none of it and repeats its request to the end."""
    view.unheard[rows] = True
    view.lost_in[rows] = np.where(INVITE[view.kind[rows]], 6, 10)


def count_losses(chance: Any, n: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Transmissions lost before one gets through, each with `chance` (a scalar or (n,)), (n,)."""
    tries = np.log(1 - rng.random(n)) / np.log(np.clip(chance, 1e-9, 0.95))
    counted: npt.NDArray[np.uint8] = np.minimum(tries, 12).astype(np.uint8)
    return counted


def t1_of(view: ExchangeTable, world: Scenario, *, gm: BoolArray) -> Float64Array:
    """T1 of the leg, (n,)."""
    transport = world.network.transport
    return np.where(gm, transport.gm_t1, transport.mw_t1)


def by_tcp(view: ExchangeTable, world: Scenario, *, gm: BoolArray) -> BoolArray:
    """Whether the leg runs over TCP, (n,)."""
    return np.where(gm, world.population.tcp[view.user], world.network.transport.tcp_core)


def lose(view: ExchangeTable, chance_gm: Any, chance_mw: Any, world: Scenario, rng: np.random.Generator) -> None:
    """Packets get lost: `chance` for a message, by interface (scalars or (len(view),)).

    On the in leg a lost answer makes the sender repeat its request and the node its answer. On the out leg a lost request or
    answer delays all that follows by Timer A or E, or by TCP's own retransmission; too many losses in a row are silence.
    """
    n, ue = len(view), FROM_UE[view.kind]
    view.lost_in += count_losses(np.where(ue, chance_gm, chance_mw), n, rng)
    either = np.where(ue, chance_mw, chance_gm)
    lost = count_losses(either * (2 - either), n, rng)
    hit = np.flatnonzero(lost)
    if not len(hit):
        return
    part = view.take(hit)
    wait = np.where(
        by_tcp(part, world, gm=~ue[hit]),
        tcp_wait_after_losses(lost[hit]),
        wait_after_losses(lost[hit], t1_of(part, world, gm=~ue[hit]), INVITE[part.kind]),
    )
    _hold_up(view, hit, wait, world, rng)


def wait_out(view: ExchangeTable, rows: Rows, left: Float64Array, world: Scenario, rng: np.random.Generator) -> None:
    """The next hop is away for another `left` seconds (n,): the first transmission after that gets through."""
    part = view.take(rows)
    _hold_up(view, rows, _first_sent(part, left, world, gm=~FROM_UE[part.kind]), world, rng)


def arrive_late(view: ExchangeTable, rows: Rows, left: Float64Array, world: Scenario) -> None:
    """Nothing reaches the node for another `left` seconds (n,): the first it sees of a request is sent after that, if any is."""
    part = view.take(rows)
    wait = _first_sent(part, left, world, gm=FROM_UE[part.kind])
    view.gone[rows] |= wait >= GIVE_UP
    come_late(view, rows, np.where(wait < GIVE_UP, wait, 0.0))


def receive_loss(view: ExchangeTable, chance: Float64Array, world: Scenario, rng: np.random.Generator) -> None:
    """What the node is sent is lost with `chance` (n,) before it reads it: requests on the in leg, answers on the out leg."""
    ue = FROM_UE[view.kind]
    lost = np.flatnonzero((chance > 0) & view.arrives & ~by_tcp(view, world, gm=ue))
    part = view.take(lost)
    tries = count_losses(chance[lost], len(lost), rng)
    wait = wait_after_losses(tries, t1_of(part, world, gm=ue[lost]), INVITE[part.kind])
    heard = wait < GIVE_UP
    delay_node(view, lost[heard], wait[heard], 0.0)
    lose(view, np.where(ue, 0.0, chance / 2), np.where(ue, chance / 2, 0.0), world, rng)
    ignore(view, lost[~heard])


def come_late(view: ExchangeTable, rows: Rows, seconds: Float64Array) -> None:
    """The requests reach the node later, (n,)."""
    view.t[rows] += seconds
    # A talk lasts, as the node sees it, until its BYE gets here.
    view.hold[rows] += np.where(BYE[view.kind[rows]], seconds, 0.0)


def _hold_up(view: ExchangeTable, rows: Rows, wait: Float64Array, world: Scenario, rng: np.random.Generator) -> None:
    """All that follows on the out leg comes `wait` seconds later (n,); after more than any timer allows, nothing does."""
    through = wait < GIVE_UP
    slow(view, rows[through], extra=wait[through])
    view.prov[rows[through]] += wait[through]
    lost = rows[~through]
    no_response(view, lost[view.leaves[lost]], world, rng)


def _first_sent(part: ExchangeTable, after: Float64Array, world: Scenario, *, gm: BoolArray) -> Float64Array:
    """Seconds after a request at which its leg first sends it again when `after` seconds have passed, (n,); inf if never."""
    return np.where(
        by_tcp(part, world, gm=gm),
        tcp_sent_after(after),
        sent_after(after, t1_of(part, world, gm=gm), INVITE[part.kind]),
    )
