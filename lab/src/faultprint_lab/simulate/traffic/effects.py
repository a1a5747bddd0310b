"""Effects on exchanges: the building blocks of faults, disturbances and normal packet loss.

Each function changes the given rows (an index or a mask) of a view in place. `n` is the number of these rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from faultprint.arrays import BoolArray, Float64Array
from faultprint_lab.simulate.network.failure_responses import FailureResponse
from faultprint_lab.simulate.network.request_kinds import BYE, FROM_UE, INVITE
from faultprint_lab.simulate.network.timers import (
    TIMEOUT,
    delay_after_losses,
    next_transmission,
    tcp_delay_after_losses,
    tcp_next_transmission,
)
from faultprint_lab.simulate.scenario import Scenario
from faultprint_lab.simulate.traffic.exchange_table import SILENCE, ExchangeTable

_SHORTEST_TIMEOUT = 3.5
"""Seconds; no network's node times out sooner, so shorter waits need no check."""

Rows = npt.NDArray[np.intp]


def draw_response(
    answer: FailureResponse, n: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint16], Float64Array]:
    """Draw status codes and delays in seconds, (n,) each."""
    codes = np.array(answer.codes, dtype=np.uint16)[np.searchsorted(np.cumsum(answer.weights)[:-1], rng.random(n))]
    return codes, answer.seconds * np.exp(answer.spread * rng.standard_normal(n))


def fail(view: ExchangeTable, rows: Rows, answer: FailureResponse, rng: np.random.Generator) -> None:
    """The next hop responds with an error."""
    codes, seconds = draw_response(answer, len(rows), rng)
    view.status[rows] = view.in_status[rows] = codes
    # The delay at the hop comes on top of the network delay, and no phone rings.
    view.delay[rows] = seconds + np.minimum(view.delay[rows], 0.5)
    view.ringing[rows] = np.nan
    view.early_end[rows] = np.nan


def refuse(view: ExchangeTable, rows: Rows, answer: FailureResponse, rng: np.random.Generator) -> None:
    """The node itself responds with an error and does not forward the request."""
    codes, seconds = draw_response(answer, len(rows), rng)
    view.status[rows] = view.in_status[rows] = codes
    view.leaves[rows] = False
    view.early_end[rows] = view.forward_delay[rows] + seconds
    view.ringing[rows] = view.provisional[rows] = np.nan


def ignore(view: ExchangeTable, rows: Rows) -> None:
    """The node neither responds nor forwards the request."""
    view.in_status[rows] = SILENCE
    view.leaves[rows] = False
    view.early_end[rows] = TIMEOUT
    view.ringing[rows] = view.provisional[rows] = np.nan


def abandon_answered(view: ExchangeTable, rows: Rows, answer: FailureResponse, rng: np.random.Generator) -> None:
    """The node drops an answered session: an error to the caller, nothing to the callee, who repeats the 200."""
    codes, seconds = draw_response(answer, len(rows), rng)
    view.in_status[rows] = codes
    view.early_end[rows] = view.forward_delay[rows] + view.delay[rows] + seconds
    view.return_delay[rows] = TIMEOUT


def cancel_in_progress(view: ExchangeTable, rows: Rows, answer: FailureResponse, rng: np.random.Generator) -> None:
    """The node ends a session in setup: an error to the caller, CANCEL (so 487) to the callee."""
    codes, seconds = draw_response(answer, len(rows), rng)
    reached = np.where(np.isnan(view.ringing[rows]), np.minimum(view.delay[rows], 1.0), view.ringing[rows])
    view.in_status[rows] = codes
    view.status[rows] = 487
    view.delay[rows] = reached + seconds + 0.05
    view.early_end[rows] = view.forward_delay[rows] + reached + seconds


def no_response(view: ExchangeTable, rows: Rows, scenario: Scenario, rng: np.random.Generator) -> None:
    """The next hop does not respond: the out leg times out, and the node responds on the in leg."""
    ue = FROM_UE[view.kind[rows]]
    for side, answer in enumerate(scenario.network.failure_responses["no-answer"]):
        chosen = rows[ue if side == 0 else ~ue]
        codes, seconds = draw_response(answer, len(chosen), rng)
        view.in_status[chosen] = codes
        view.early_end[chosen] = view.forward_delay[chosen] + np.minimum(seconds, TIMEOUT)
    view.status[rows] = SILENCE
    view.delay[rows] = TIMEOUT
    view.ringing[rows] = view.provisional[rows] = np.nan


def proxy_timeout(view: ExchangeTable, scenario: Scenario, rng: np.random.Generator) -> None:
    """If the first response takes longer than the node waits, the node ends the in leg; the response still arrives late."""
    waited = view.forward_delay + np.where(np.isnan(view.provisional), view.delay, view.provisional)
    due = np.flatnonzero((waited > _SHORTEST_TIMEOUT) & view.arrives & view.leaves & np.isnan(view.early_end))
    ue = FROM_UE[view.kind[due]]
    for side, answer in enumerate(scenario.network.failure_responses["no-answer"]):
        rows = due[ue if side == 0 else ~ue]
        codes, seconds = draw_response(answer, len(rows), rng)
        expired = waited[rows] > view.forward_delay[rows] + seconds
        view.in_status[rows[expired]] = codes[expired]
        view.early_end[rows[expired]] = (view.forward_delay[rows] + seconds)[expired]


def slow(view: ExchangeTable, rows: Rows, factor: Any = 1.0, extra: Any = 0.0) -> None:
    """The next hop is slower: response time × `factor` + `extra` seconds (scalars or (n,)); ringing keeps its length."""
    first = np.where(np.isnan(view.ringing[rows]), view.delay[rows], view.ringing[rows])
    added = np.where(view.status[rows] == SILENCE, 0.0, first * (factor - 1) + extra)
    view.delay[rows] += added
    view.ringing[rows] += added


def delay_node(view: ExchangeTable, rows: Rows, forward: Any, back: Any) -> None:
    """The node itself is slower by `forward` and `back` seconds."""
    view.forward_delay[rows] += forward
    view.return_delay[rows] += back


def drop(view: ExchangeTable, rows: Rows) -> None:
    """The requests do not reach the node."""
    view.never_arrived[rows] = True


def drop_responses(view: ExchangeTable, rows: Rows) -> None:
    """The node responds, but no response reaches the sender, which repeats its request until the timeout."""
    view.responses_lost[rows] = True
    view.lost_responses[rows] = np.where(INVITE[view.kind[rows]], 6, 10)


def count_losses(chance: Any, n: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Draw the transmissions lost before one succeeds, each with probability `chance` (a scalar or (n,)); (n,)."""
    tries = np.log(1 - rng.random(n)) / np.log(np.clip(chance, 1e-9, 0.95))
    counted: npt.NDArray[np.uint8] = np.minimum(tries, 12).astype(np.uint8)
    return counted


def t1_of(view: ExchangeTable, scenario: Scenario, *, gm: BoolArray) -> Float64Array:
    """T1 of the leg, (n,)."""
    transport = scenario.network.transport
    return np.where(gm, transport.gm_t1, transport.mw_t1)


def by_tcp(view: ExchangeTable, scenario: Scenario, *, gm: BoolArray) -> BoolArray:
    """Whether the leg runs over TCP, (n,)."""
    return np.where(gm, scenario.subscribers.tcp[view.user], scenario.network.transport.tcp_core)


def lose(view: ExchangeTable, chance_gm: Any, chance_mw: Any, scenario: Scenario, rng: np.random.Generator) -> None:
    """Packet loss: the probability for a message, by interface (scalars or (len(view),)).

    A lost response on the in leg makes the sender repeat its request and the node its response. A loss on the out leg
    delays everything after it by Timer A or E, or by TCP's retransmission. Too many losses in a row are a timeout.
    """
    n, ue = len(view), FROM_UE[view.kind]
    view.lost_responses += count_losses(np.where(ue, chance_gm, chance_mw), n, rng)
    either = np.where(ue, chance_mw, chance_gm)
    lost = count_losses(either * (2 - either), n, rng)
    hit = np.flatnonzero(lost)
    if not len(hit):
        return
    part = view.take(hit)
    wait = np.where(
        by_tcp(part, scenario, gm=~ue[hit]),
        tcp_delay_after_losses(lost[hit]),
        delay_after_losses(lost[hit], t1_of(part, scenario, gm=~ue[hit]), INVITE[part.kind]),
    )
    _delay_out_leg(view, hit, wait, scenario, rng)


def resume_after(
    view: ExchangeTable, rows: Rows, left: Float64Array, scenario: Scenario, rng: np.random.Generator
) -> None:
    """The next hop is down for another `left` seconds (n,): the first transmission after that succeeds."""
    part = view.take(rows)
    _delay_out_leg(view, rows, _first_sent(part, left, scenario, gm=~FROM_UE[part.kind]), scenario, rng)


def arrive_after(view: ExchangeTable, rows: Rows, left: Float64Array, scenario: Scenario) -> None:
    """Nothing reaches the node for another `left` seconds (n,): it receives the first transmission after that, if any."""
    part = view.take(rows)
    wait = _first_sent(part, left, scenario, gm=FROM_UE[part.kind])
    view.never_arrived[rows] |= wait >= TIMEOUT
    delay_arrival(view, rows, np.where(wait < TIMEOUT, wait, 0.0))


def receive_loss(view: ExchangeTable, chance: Float64Array, scenario: Scenario, rng: np.random.Generator) -> None:
    """The node loses received messages with probability `chance` (n,): requests on the in leg, responses on the out leg."""
    ue = FROM_UE[view.kind]
    lost = np.flatnonzero((chance > 0) & view.arrives & ~by_tcp(view, scenario, gm=ue))
    part = view.take(lost)
    tries = count_losses(chance[lost], len(lost), rng)
    wait = delay_after_losses(tries, t1_of(part, scenario, gm=ue[lost]), INVITE[part.kind])
    received = wait < TIMEOUT
    delay_node(view, lost[received], wait[received], 0.0)
    lose(view, np.where(ue, 0.0, chance / 2), np.where(ue, chance / 2, 0.0), scenario, rng)
    ignore(view, lost[~received])


def delay_arrival(view: ExchangeTable, rows: Rows, seconds: Float64Array) -> None:
    """The requests reach the node `seconds` later, (n,)."""
    view.t[rows] += seconds
    # For the node, a call lasts until its BYE arrives.
    view.hold[rows] += np.where(BYE[view.kind[rows]], seconds, 0.0)


def _delay_out_leg(
    view: ExchangeTable, rows: Rows, wait: Float64Array, scenario: Scenario, rng: np.random.Generator
) -> None:
    """Everything on the out leg comes `wait` seconds later (n,); beyond the timeout there is no response."""
    succeeds = wait < TIMEOUT
    slow(view, rows[succeeds], extra=wait[succeeds])
    view.provisional[rows[succeeds]] += wait[succeeds]
    lost = rows[~succeeds]
    no_response(view, lost[view.leaves[lost]], scenario, rng)


def _first_sent(part: ExchangeTable, after: Float64Array, scenario: Scenario, *, gm: BoolArray) -> Float64Array:
    """Time of the first transmission at least `after` seconds after the request, (n,); inf if there is none."""
    return np.where(
        by_tcp(part, scenario, gm=gm),
        tcp_next_transmission(after),
        next_transmission(after, t1_of(part, scenario, gm=gm), INVITE[part.kind]),
    )
