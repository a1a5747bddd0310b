"""Requests that follow from another one: credentials, the rest of a call, redialling, notifications.

`registrations` has the refreshes and retries of registrations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from faultprint_lab.simulate.network.request_kinds import CALL, FROM_UE, RequestKind, mask_of
from faultprint_lab.simulate.scenario import Scenario
from faultprint_lab.simulate.traffic.exchange_table import SILENCE, ExchangeTable

FollowUp = Callable[[ExchangeTable, Scenario, np.random.Generator], ExchangeTable]

_ASKED: Final = mask_of(
    RequestKind.REG_INITIAL, RequestKind.REG_REFRESH, RequestKind.REG_DEREG, RequestKind.INVITE_ORIG
)
_FAILURES: Final = (SILENCE, 408, 478, 500, 503, 504)


def credentials(batch: ExchangeTable, scenario: Scenario, rng: np.random.Generator) -> ExchangeTable:
    """The same request with credentials, shortly after a challenge (RFC 3261, 22; RFC 3310 for AKA)."""
    challenged = ((batch.outcome() == 401) | (batch.outcome() == 407)) & (batch.stage == 0) & _ASKED[batch.kind]
    asked = batch.take(challenged & (batch.preset == 0) & (rng.random(len(batch)) > 0.003))
    t = asked.outcome_time() + 0.15 * np.exp(0.6 * rng.standard_normal(len(asked)))
    again = ExchangeTable.planned(
        t,
        asked.kind,
        asked.user,
        asked.dialog,
        until=asked.until,
        attempt=asked.attempt,
        stage=1,
        hold=asked.hold,
    )
    again.last[:] = asked.last
    return again


def subscriptions(batch: ExchangeTable, scenario: Scenario, rng: np.random.Generator) -> ExchangeTable:
    """The reg-event subscription after an initial registration (TS 24.229, 5.1.1.3)."""
    share = scenario.network.habits.reg_event
    new = batch.take(
        (batch.outcome() == 200) & (batch.kind == RequestKind.REG_INITIAL) & (rng.random(len(batch)) < share)
    )
    t = new.outcome_time() + 0.2 * np.exp(0.5 * rng.standard_normal(len(new)))
    return ExchangeTable.planned(t, RequestKind.SUBSCRIBE_UE, new.user, _dialogs(len(new), rng))


def notifications(batch: ExchangeTable, scenario: Scenario, rng: np.random.Generator) -> ExchangeTable:
    """The NOTIFY that follows each accepted SUBSCRIBE (RFC 6665, 4.2.1)."""
    new = batch.take((batch.outcome() == 200) & (batch.kind == RequestKind.SUBSCRIBE_UE))
    t = new.outcome_time() + 0.05 * np.exp(0.7 * rng.standard_normal(len(new)))
    return ExchangeTable.planned(t, RequestKind.NOTIFY_CORE, new.user, new.dialog)


def acknowledgements(batch: ExchangeTable, scenario: Scenario, rng: np.random.Generator) -> ExchangeTable:
    """PRACK for reliable provisional responses (RFC 3262)."""
    share = scenario.network.habits.prack
    call = batch.take(_rings(batch) & (rng.random(len(batch)) < share))
    t = (
        call.t
        + call.forward_delay
        + call.ringing
        + call.return_delay
        + 0.08 * np.exp(0.5 * rng.standard_normal(len(call)))
    )
    return _in_dialog(call, t, RequestKind.PRACK_UE, RequestKind.PRACK_CORE)


def updates(batch: ExchangeTable, scenario: Scenario, rng: np.random.Generator) -> ExchangeTable:
    """UPDATE when the preconditions are met, shortly after PRACK (RFC 3312)."""
    share = scenario.network.habits.update
    call = batch.take(_rings(batch) & (rng.random(len(batch)) < share))
    t = (
        call.t
        + call.forward_delay
        + call.ringing
        + call.return_delay
        + 0.3 * np.exp(0.5 * rng.standard_normal(len(call)))
    )
    return _in_dialog(call, t, RequestKind.UPDATE_UE, RequestKind.UPDATE_CORE)


def cancellations(batch: ExchangeTable, scenario: Scenario, rng: np.random.Generator) -> ExchangeTable:
    """CANCEL of calls that end in 487 (RFC 3261, 9): by the caller, or by the node if it ends the session."""
    given_up = batch.take((batch.status == 487) & CALL[batch.kind] & ~batch.never_arrived & batch.leaves)
    by_caller = given_up.outcome() == 487
    lead = 0.06 * np.exp(0.5 * rng.standard_normal(len(given_up)))
    end = given_up.t + given_up.forward_delay + given_up.delay
    cancel = _in_dialog(
        given_up, np.maximum(end - lead, given_up.t + 0.01), RequestKind.CANCEL_UE, RequestKind.CANCEL_CORE
    )
    cancel.arrives[:] = by_caller
    return cancel


def endings(batch: ExchangeTable, scenario: Scenario, rng: np.random.Generator) -> ExchangeTable:
    """BYE from either side at the end of a call; a call answered before the span has no known length."""
    call = batch.take((batch.outcome() == 200) & CALL[batch.kind])
    answered = call.outcome_time()
    n = len(call)
    by_ue = rng.random(n) < 0.5
    kind = np.where(by_ue, RequestKind.BYE_UE, RequestKind.BYE_CORE).astype(np.uint8)
    hold = np.where(answered < 0, np.nan, call.hold)
    return ExchangeTable.planned(answered + call.hold, kind, call.user, call.dialog, hold=hold)


def talk(batch: ExchangeTable, scenario: Scenario, rng: np.random.Generator) -> ExchangeTable:
    """Session refreshes (RFC 4028), hold, INFO and REFER during answered calls."""
    habits = scenario.network.habits
    call = batch.take((batch.outcome() == 200) & CALL[batch.kind])
    n = len(call)
    parts = [_during(call, rng.random(n) < 0.02, RequestKind.REINVITE_UE, rng)]
    parts.append(_during(call, rng.random(n) < 0.02, RequestKind.REINVITE_CORE, rng))
    parts.append(_during(call, rng.random(n) < habits.info, RequestKind.INFO_UE, rng))
    parts.append(_during(call, rng.random(n) < habits.refer, RequestKind.REFER_UE, rng))
    if habits.session_refresh:
        each = np.floor(call.hold / habits.session_refresh).astype(np.int64).clip(0, 20)
        rows = np.repeat(np.arange(n), each)
        count = np.arange(len(rows)) - np.repeat(np.cumsum(each) - each, each) + 1
        long = call.take(rows)
        t = long.outcome_time() + habits.session_refresh * count
        parts.append(_in_dialog(long, t, RequestKind.UPDATE_UE, RequestKind.UPDATE_CORE))
    return ExchangeTable.concatenate(parts)


def redials(batch: ExchangeTable, scenario: Scenario, rng: np.random.Generator) -> ExchangeTable:
    """Calls and messages repeated after a network failure, less often after a busy line."""
    habits = scenario.network.habits
    failure = np.isin(batch.outcome(), _FAILURES)
    chance = np.select([failure, batch.outcome() == 486], [habits.redials, 0.3 * habits.redials], default=0.0)
    tries = CALL[batch.kind] | (batch.kind == RequestKind.MESSAGE_UE) | (batch.kind == RequestKind.MESSAGE_CORE)
    tries &= (batch.attempt < habits.gives_up_after) & (batch.preset == 0)
    again = batch.take(tries & (rng.random(len(batch)) < chance))
    n = len(again)
    wait = np.where(again.outcome() == 486, 5.0, 1.0) * habits.redials_after * (1 + 0.5 * again.attempt)
    t = again.outcome_time() + wait * np.exp(0.8 * rng.standard_normal(n))
    return ExchangeTable.planned(t, again.kind, again.user, _dialogs(n, rng), attempt=again.attempt + 1)


AFTER_REGISTRATION: Final[tuple[FollowUp, ...]] = (credentials, subscriptions, notifications)
AFTER_REQUESTS: Final[tuple[FollowUp, ...]] = (
    credentials,
    notifications,
    acknowledgements,
    updates,
    cancellations,
    endings,
    talk,
    redials,
)


def _dialogs(n: int, rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return rng.integers(0, 2**64, size=n, dtype=np.uint64)


def _in_dialog(
    call: ExchangeTable, t: np.ndarray[tuple[int], np.dtype[np.float64]], from_ue: RequestKind, from_core: RequestKind
) -> ExchangeTable:
    """A request by the caller: from the handset if it made the call, else from the core."""
    kind = np.where(FROM_UE[call.kind], from_ue, from_core).astype(np.uint8)
    return ExchangeTable.planned(t, kind, call.user, call.dialog)


def _during(
    call: ExchangeTable, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]], kind: RequestKind, rng: np.random.Generator
) -> ExchangeTable:
    part = call.take(chosen)
    return ExchangeTable.planned(part.outcome_time() + part.hold * rng.random(len(part)), kind, part.user, part.dialog)


def _rings(batch: ExchangeTable) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return ~np.isnan(batch.ringing) & CALL[batch.kind] & ~batch.never_arrived & ~batch.responses_lost
