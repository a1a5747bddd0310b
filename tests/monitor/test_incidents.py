"""The state machine, entry by entry, and what surrounds it: onsets, diagnoses, flapping, maintenance."""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from faultprint.cases.matching import Matches
from faultprint.errors import UsageError
from faultprint.monitor.config.incidents import IncidentRules
from faultprint.monitor.config.maintenance import Maintenance
from faultprint.monitor.detect.incidents import TABLE, Action, IncidentPhase, Incidents, Signal
from faultprint.monitor.detect.nodes import NodeTable
from faultprint.monitor.detect.scorer import MinuteVerdicts
from faultprint.publish.incident import Change, Incident, Severity

MINUTE = 60_000_000
CONDITIONS = ("normal", "hss-down", "overload")
N, H, L, U, W = 0, 1, 2, -2, -1
"""Verdict codes: normal, hss-down, overload, unknown, warming-up."""


class Node:
    """One node fed verdict after verdict; None is a gap."""

    def __init__(
        self,
        rules: IncidentRules | None = None,
        maintenance: Sequence[Maintenance] = (),
        persistence: int = 1,
    ) -> None:
        self.nodes = NodeTable()
        self.nodes.index(["n"], ["net"])
        self.incidents = Incidents(rules or IncidentRules(), maintenance, MINUTE, persistence)
        self.number = 100

    def say(self, *codes: int | None, over: Container[int] = ()) -> list[tuple[int, Incident]]:
        """What each minute changed: (minutes since 100, incident); `over`: minutes in which the verdict's fault is not there."""
        changes = []
        for code in codes:
            if code is not None:
                there = code not in (N, W) and self.number - 100 not in over
                found = self.incidents.update(judged(self.number, code, there), self.nodes)
                changes += [(self.number - 100, one) for one in found]
            self.number += 1
        return changes


def judged(number: int, code: int, there: bool) -> MinuteVerdicts:
    distances = np.array([[2.0, 0.5, 1.0]], np.float32)
    matches = Matches(CONDITIONS, distances, np.array([1]), np.array([2]), np.zeros(1, np.float32))
    nothing = np.empty((1, 0), np.float32)
    one = np.array([0])
    return MinuteVerdicts(
        number,
        one,
        np.array([code]),
        np.array([there]),
        np.array([0.9], np.float32),
        matches,
        one,
        {0: ["why"]},
        nothing,
        one,
        None,
    )


def changes(found: list[tuple[int, Incident]]) -> list[tuple[int, str, str]]:
    return [(number, one.change.value, one.condition) for number, one in found]


def test_the_table_has_an_entry_for_every_state_and_signal() -> None:
    assert {*TABLE} == {(state, signal) for state in IncidentPhase for signal in Signal}
    assert {*TABLE.values()} == {*Action}


# What drives each entry: verdicts that lead to the state, the verdict that gives the signal, the change that must follow.
ENTRIES = {
    (IncidentPhase.QUIET, Signal.MUTED): ([N], [H], []),
    (IncidentPhase.QUIET, Signal.NOTHING): ([N], [W], []),
    (IncidentPhase.QUIET, Signal.RECOVERED_HELD): ([N], [N, N, N], []),
    (IncidentPhase.QUIET, Signal.RECOVERED): ([W], [N], []),
    (IncidentPhase.QUIET, Signal.FAULT_HELD): ([H], [H], [Change.ONSET]),
    (IncidentPhase.QUIET, Signal.FAULT): ([N], [H], []),
    (IncidentPhase.OPEN, Signal.MUTED): ([H, H], [L, L], []),
    (IncidentPhase.OPEN, Signal.NOTHING): ([H, H], [W], []),
    (IncidentPhase.OPEN, Signal.RECOVERED_HELD): ([H, H, N], [N], [Change.CLEAR]),
    (IncidentPhase.OPEN, Signal.RECOVERED): ([H, H], [N], []),
    (IncidentPhase.OPEN, Signal.FAULT_HELD): ([H, H], [L], [Change.DIAGNOSIS]),
    (IncidentPhase.OPEN, Signal.FAULT): ([H, H, N], [L], [Change.DIAGNOSIS]),
}


@pytest.mark.parametrize(("state", "signal"), TABLE)
def test_each_entry_of_the_table(state: IncidentPhase, signal: Signal) -> None:
    before, then, wanted = ENTRIES[state, signal]
    muted = signal is Signal.MUTED
    start = datetime.fromtimestamp((100 + len(before)) * 60, UTC)
    windows = [Maintenance(start, start + timedelta(hours=1))] if muted else []
    node = Node(IncidentRules(onset_minutes=2, clear_minutes=2), windows)
    node.say(*before)
    assert ("n" in node.incidents.open) == (state is IncidentPhase.OPEN)
    assert [one.change for _, one in node.say(*then)] == wanted
    after = {Action.ONSET: True, Action.CLEAR: False}.get(TABLE[state, signal], state is IncidentPhase.OPEN)
    assert ("n" in node.incidents.open) == after


def test_an_incident_from_onset_to_clear_keeps_one_identity() -> None:
    found = Node(persistence=3).say(N, N, N, H, H, L, U, U, N)
    assert changes(found) == [
        (3, "onset", "hss-down"),
        (5, "diagnosis", "overload"),
        (6, "diagnosis", "unknown"),
        (8, "clear", "unknown"),
    ]
    assert len({one.identity for _, one in found}) == 1
    assert [one.sequence for _, one in found] == [1, 2, 3, 4]
    onset = found[0][1]
    assert onset.onset_us == 101 * MINUTE  # three minutes agreed before the verdict changed: it began with the first
    assert onset.changed_us == 104 * MINUTE
    assert (
        onset.explanation.distance == 0.5
        and onset.explanation.runner_up == "overload"
        and onset.explanation.margin == 0.5
    )
    assert onset.explanation.evidence == ("why",)
    assert found[-1][1].cleared_us == 109 * MINUTE


def test_gaps_and_warming_up_neither_clear_nor_raise() -> None:
    assert changes(Node().say(H, None, None, W, W, H, N)) == [(0, "onset", "hss-down"), (6, "clear", "hss-down")]


def test_severities_are_by_condition() -> None:
    rules = IncidentRules(severities={"overload": Severity.CRITICAL}, unknown_severity=Severity.WARNING)
    found = Node(rules).say(H, L, U)
    assert [one.severity for _, one in found] == [Severity.MAJOR, Severity.CRITICAL, Severity.WARNING]


def test_a_node_that_flaps_is_cleared_late() -> None:
    node = Node(IncidentRules(flap_count=2, flap_minutes=30, damped_minutes=5))
    found = changes(node.say(H, N, H, N, H, N, N, N, H, N, N, N, N, N, N))
    assert [(number, change) for number, change, _ in found] == [
        (0, "onset"),
        (1, "clear"),
        (2, "onset"),
        (3, "clear"),
        (4, "onset"),
        (13, "clear"),
    ]
    node.say(*[N] * 40)
    assert [change for _, change, _ in changes(node.say(H, N))] == ["onset", "clear"]


def test_flapping_may_be_left_alone() -> None:
    assert len(Node(IncidentRules(flap_count=0)).say(*[H, N] * 6)) == 12


def test_after_maintenance_a_lasting_fault_is_raised() -> None:
    window = Maintenance(datetime.fromtimestamp(6060, UTC), datetime.fromtimestamp(6180, UTC), "n*")
    assert changes(Node(maintenance=[window]).say(N, H, H, H)) == [(3, "onset", "hss-down")]


def test_the_recent_past_clears_while_the_window_still_holds_the_fault() -> None:
    node = Node(IncidentRules(clear_minutes=2))
    assert changes(node.say(L, H, H, over=(1, 2))) == [(0, "onset", "overload"), (2, "clear", "overload")]


def test_a_new_incident_never_has_the_last_ones_identity() -> None:
    found = Node(persistence=3).say(H, H, H, H, H, H, over=(2, 3))
    assert [one.change.value for _, one in found] == ["onset", "clear", "onset"]
    assert found[0][1].identity != found[2][1].identity
    assert found[2][1].onset_us > found[0][1].onset_us


def test_maintenance_must_end_after_it_starts() -> None:
    with pytest.raises(UsageError, match="ends before it starts"):
        Maintenance(datetime(2026, 1, 2), datetime(2026, 1, 1))
