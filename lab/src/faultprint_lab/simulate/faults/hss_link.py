"""hss-link-down: the Cx link between the I- or S-CSCF and the HSS is down, or the link to one of several peers.

Also which requests need the HSS, for all faults of the HSS (TS 29.228, 6.1).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from faultprint.arrays import BoolArray
from faultprint_lab.simulate.faults.fault import (
    Draws,
    EpisodeSlot,
    SimulatedFault,
    affected,
    draw_pattern,
    reregister_after_outage,
    time_to_recovery,
)
from faultprint_lab.simulate.network.failure_responses import FailureResponse
from faultprint_lab.simulate.network.request_kinds import REGISTER, TO_SUBSCRIBER, RequestKind, mask_of
from faultprint_lab.simulate.network.timers import TIMEOUT
from faultprint_lab.simulate.scenario import Scenario, SimulatedEpisode
from faultprint_lab.simulate.traffic import effects
from faultprint_lab.simulate.traffic.exchange_table import ExchangeTable

_ARRIVING = mask_of(RequestKind.INVITE_TERM, RequestKind.MESSAGE_CORE)


def draw_cx_usage(slot: EpisodeSlot) -> Draws:
    """Draw for a network how often a refresh needs the HSS, and the share of calls to subscribers of the same network."""
    return {
        "refresh_asks": float(slot.network_rng.choice([1.0, 1.0, slot.network_rng.uniform(0.2, 0.8)])),
        "onnet": float(slot.network_rng.uniform(0.25, 0.8)),
    }


def cx_requests(
    view: ExchangeTable, episode: SimulatedEpisode, rng: np.random.Generator
) -> tuple[BoolArray, BoolArray]:
    """Masks (n,) of requests that need the HSS: registrations (UAR, MAR, SAR), and requests to other subscribers (LIR)."""
    n, draws = len(view), episode.draws
    registers = REGISTER[view.kind] & ((view.kind != RequestKind.REG_REFRESH) | (rng.random(n) < draws["refresh_asks"]))
    return registers, TO_SUBSCRIBER[view.kind] & (rng.random(n) < draws["onnet"])


def _draw(slot: EpisodeSlot) -> Draws:
    return {
        **draw_cx_usage(slot),
        # A CSCF without the HSS may not respond at all.
        "silent": bool(slot.network_rng.random() < 0.25),
        "returns": float(slot.rng.uniform(0.0, 0.15)),
        **draw_pattern(slot, by_user=0.25, flapping=0.35),
    }


def _effect(view: ExchangeTable, episode: SimulatedEpisode, scenario: Scenario, rng: np.random.Generator) -> None:
    level = episode.level(view.t)
    hit = affected(view, episode, scenario, level, rng)
    registers, calls = cx_requests(view, episode, rng)
    register, call = scenario.network.failure_responses["hss"]
    _unanswered(view, np.flatnonzero(hit & registers), episode, register, scenario, rng)
    _unanswered(view, np.flatnonzero(hit & calls), episode, call, scenario, rng)
    # Terminating requests need LIR before they reach this node.
    arriving = np.flatnonzero(hit & _ARRIVING[view.kind])
    effects.arrive_after(view, arriving, time_to_recovery(view.t, episode, level)[arriving], scenario)
    backlog = episode.residual(view.t) * episode.severity
    late = np.flatnonzero(REGISTER[view.kind] & (backlog > 0))
    effects.slow(view, late, factor=1 + 5 * backlog[late] * rng.random(len(late)))


def _unanswered(
    view: ExchangeTable,
    rows: effects.Rows,
    episode: SimulatedEpisode,
    answer: FailureResponse,
    scenario: Scenario,
    rng: np.random.Generator,
) -> None:
    """Requests to the HSS wait until it responds again, or until the Cx timeout."""
    left = time_to_recovery(view.t[rows], episode, episode.level(view.t[rows]))
    waits = left < (TIMEOUT if episode.draws["silent"] else answer.seconds)
    effects.slow(view, rows[waits], extra=left[waits])
    if episode.draws["silent"]:
        effects.no_response(view, rows[~waits], scenario, rng)
    else:
        effects.fail(view, rows[~waits], answer, rng)


FAULT: Final = SimulatedFault(
    name="hss-link-down",
    severity="share of the requests to the HSS without an answer",
    min_severity=0.03,
    total=0.3,
    recovery=(60, 420),
    draw=_draw,
    effect=_effect,
    inject=reregister_after_outage,
)
