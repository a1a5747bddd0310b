"""The normal outcome of an exchange, without faults."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from faultprint_lab.simulate.network.network import Habits
from faultprint_lab.simulate.network.request_kinds import CALL, FROM_UE, INVITE, PING, RequestKind
from faultprint_lab.simulate.scenario import Scenario
from faultprint_lab.simulate.traffic.effects import lose, no_response
from faultprint_lab.simulate.traffic.exchange_table import ExchangeTable

Shares = Sequence[tuple[int, float]]


def draw_outcomes(view: ExchangeTable, scenario: Scenario, rng: np.random.Generator) -> None:
    """Fill the outcome columns of planned exchanges in place."""
    network, n = scenario.network, len(view)
    if not n:
        return
    transport = network.transport
    kind = view.kind
    load_sensitivity = 1 + transport.load_sensitivity * scenario.curve.at(view.t) ** 2
    spread = np.array(transport.spread, dtype=np.float32)[kind]
    median = np.array(transport.median, dtype=np.float32)[kind]
    view.delay[:] = median * np.exp(spread * rng.standard_normal(n, dtype=np.float32)) * load_sensitivity
    for column in (view.forward_delay, view.return_delay):
        column[:] = transport.node_delay * np.exp(0.5 * rng.standard_normal(n, dtype=np.float32)) * load_sensitivity
    _draw_status(view, network.habits, rng)
    _draw_sessions(view, network.habits, scenario, rng)
    decided = view.preset > 0
    view.status[decided] = view.preset[decided]
    view.ringing[decided] = np.nan
    view.in_status[:] = view.status
    # Requests of non-subscribers are not forwarded.
    refused = np.flatnonzero(decided & (view.user >= scenario.subscribers.size))
    view.leaves[refused] = False
    view.early_end[refused] = view.forward_delay[refused] + view.delay[refused]
    reachable = FROM_UE[kind] | ~view.leaves | PING[kind]
    no_response(view, np.flatnonzero(~reachable & (rng.random(n) < network.habits.unreachable)), scenario, rng)
    lose(view, transport.loss_gm, transport.loss_mw, scenario, rng)


def _status_shares(habits: Habits) -> dict[tuple[RequestKind, int], Shares]:
    """Statuses other than 200 and their shares, by kind and stage (1: with credentials)."""
    errors = [
        (500, habits.server_errors * 0.5),
        (503, habits.server_errors * 0.3),
        (408, habits.server_errors * 0.2),
    ]
    callee = [
        (486, habits.busy),
        (603, habits.declined),
        (480, habits.no_answer + habits.unavailable),
        (487, habits.cancelled),
        (488, habits.server_errors * 0.5),
    ]
    called = [*callee, (404, habits.not_found), (403, habits.forbidden), *errors]
    reached = [*callee, (404, habits.not_found * 0.2), *errors]
    return {
        (RequestKind.REG_INITIAL, 0): [(403, habits.register_forbidden), *errors, (401, 1.0)],
        (RequestKind.REG_INITIAL, 1): [(403, habits.register_forbidden * 0.5), *errors, (401, habits.server_errors)],
        (RequestKind.REG_REFRESH, 0): [*errors, (401, habits.challenged_refreshes)],
        (RequestKind.REG_REFRESH, 1): errors,
        (RequestKind.REG_DEREG, 0): [*errors, (401, habits.challenged_refreshes)],
        (RequestKind.REG_DEREG, 1): errors,
        (RequestKind.INVITE_ORIG, 0): [(407, habits.challenged_invites), *called],
        (RequestKind.INVITE_ORIG, 1): called,
        (RequestKind.INVITE_TERM, 0): reached,
        (RequestKind.BYE_UE, 0): [(481, habits.bye_unknown)],
        (RequestKind.BYE_CORE, 0): [(481, habits.bye_unknown)],
        (RequestKind.UPDATE_UE, 0): [(488, habits.server_errors), (491, habits.server_errors)],
        (RequestKind.REFER_UE, 0): [(403, habits.forbidden * 5)],
        (RequestKind.SUBSCRIBE_UE, 0): [(403, habits.forbidden), (489, habits.forbidden), *errors],
        (RequestKind.NOTIFY_CORE, 0): [(481, habits.bye_unknown + habits.forbidden)],
        (RequestKind.PUBLISH_UE, 0): [(412, habits.forbidden * 2), *errors],
        (RequestKind.MESSAGE_UE, 0): [
            (404, habits.not_found * 0.5),
            (403, habits.forbidden),
            (480, habits.unavailable * 0.3),
            *errors,
        ],
        (RequestKind.MESSAGE_CORE, 0): [(480, habits.unavailable * 0.3), (486, habits.busy * 0.05)],
    }


def _draw_status(view: ExchangeTable, habits: Habits, rng: np.random.Generator) -> None:
    view.status[:] = 200
    uniform = rng.random(len(view))
    for (kind, stage), shares in _status_shares(habits).items():
        rows = np.flatnonzero((view.kind == kind) & (view.stage == stage))
        codes = np.array([code for code, _ in shares] + [200], dtype=np.uint16)
        edges = np.cumsum([share for _, share in shares])
        view.status[rows] = codes[np.searchsorted(edges, uniform[rows], side="right")]


def _draw_sessions(view: ExchangeTable, habits: Habits, scenario: Scenario, rng: np.random.Generator) -> None:
    """Provisional responses, ringing and length of calls, for INVITEs."""
    rows = np.flatnonzero(INVITE[view.kind])
    ue = FROM_UE[view.kind[rows]]
    trying_delay = np.where(ue, scenario.network.transport.trying_delay, 0.5 * view.delay[rows])
    view.provisional[rows] = np.minimum(
        trying_delay * np.exp(0.4 * rng.standard_normal(len(rows))), 0.9 * view.delay[rows]
    )
    rows = rows[CALL[view.kind[rows]]]
    status, n = view.status[rows], len(rows)
    ring = view.delay[rows] + habits.ringing * np.exp(habits.ringing_spread * rng.standard_normal(n))
    wait = habits.pick_up * np.exp(0.6 * rng.standard_normal(n))
    # Some 480s come from a callee who does not pick up, the others from an unreachable one.
    responses_lost = (status == 480) & (rng.random(n) < habits.no_answer / (habits.no_answer + habits.unavailable))
    rings = (status == 200) | (status == 487) | responses_lost | ((status == 603) & (rng.random(n) < 0.7))
    wait = np.select(
        [responses_lost, status == 200, status == 487],
        [np.full(n, habits.no_answer_after), np.minimum(wait, habits.no_answer_after - 1), 1.5 * wait],
        default=0.5 * wait,
    )
    early = np.where((status == 486) | (status == 480), 0.6 * ring, view.delay[rows])
    view.ringing[rows] = np.where(rings, ring, np.nan)
    view.delay[rows] = np.where(rings, ring + wait, early)
    view.hold[rows] = habits.talk * np.exp(habits.talk_spread * rng.standard_normal(n))
