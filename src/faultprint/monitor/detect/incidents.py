"""From verdicts to incidents: a state machine for each node, as a table.

Each minute gives one signal, the first that applies:

    recovered-held   recovered for `clear_minutes` (flapping node: `damped_minutes`)
    recovered        the verdict is normal, or the short window shows that the fault is over; a node without a baseline has
                     traffic again
    nothing          warming up; a minute without data gives no signal
    muted            a fault or unknown while the node is in maintenance
    fault-held       an active fault or unknown for `onset_minutes`
    fault            an active fault or unknown

The table below gives the action for each signal, for nodes without (`quiet`) and with an open incident.

A diagnosis that changes neither condition nor severity is no event. Verdicts are already confirmed for `nodes.confirm_minutes`;
`onset_minutes` and `clear_minutes` come in addition. A node is flapping if it cleared `flap_count` times in `flap_minutes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final, Protocol

import numpy as np

from faultprint.arrays import BoolArray, IntArray
from faultprint.cases.decision import VerdictCode
from faultprint.monitor.config.incidents import IncidentRules
from faultprint.monitor.config.maintenance import Maintenance, maintained
from faultprint.monitor.detect.nodes import NodeTable
from faultprint.publish.incident import Explanation, Incident
from faultprint.tables import NO_TRAFFIC


class JudgedMinute(Protocol):
    """The verdicts of one minute: its number, and for N nodes their indices, verdict codes, and whether a fault is there."""

    @property
    def number(self) -> int: ...

    @property
    def nodes(self) -> IntArray: ...

    @property
    def code(self) -> IntArray: ...

    @property
    def active(self) -> BoolArray: ...

    def condition(self, position: int) -> str:
        """The verdict of the node at this position, in words."""

    def explanation(self, position: int) -> Explanation:
        """Why the node at this position has its verdict."""


class Signal(StrEnum):
    """The signal of a minute."""

    RECOVERED_HELD = "recovered-held"
    RECOVERED = "recovered"
    NOTHING = "nothing"
    MUTED = "muted"
    FAULT_HELD = "fault-held"
    FAULT = "fault"


class IncidentPhase(StrEnum):
    """Whether a node has an open incident."""

    QUIET = "quiet"
    OPEN = "open"


class Action(StrEnum):
    """What happens to the incident."""

    NONE = "none"
    ONSET = "onset"
    DIAGNOSIS = "diagnosis"
    CLEAR = "clear"


TABLE: Final[Mapping[tuple[IncidentPhase, Signal], Action]] = {
    (IncidentPhase.QUIET, Signal.RECOVERED_HELD): Action.NONE,
    (IncidentPhase.QUIET, Signal.RECOVERED): Action.NONE,
    (IncidentPhase.QUIET, Signal.NOTHING): Action.NONE,
    (IncidentPhase.QUIET, Signal.MUTED): Action.NONE,
    (IncidentPhase.QUIET, Signal.FAULT_HELD): Action.ONSET,
    (IncidentPhase.QUIET, Signal.FAULT): Action.NONE,
    (IncidentPhase.OPEN, Signal.RECOVERED_HELD): Action.CLEAR,
    (IncidentPhase.OPEN, Signal.RECOVERED): Action.NONE,
    (IncidentPhase.OPEN, Signal.NOTHING): Action.NONE,
    (IncidentPhase.OPEN, Signal.MUTED): Action.NONE,
    (IncidentPhase.OPEN, Signal.FAULT_HELD): Action.DIAGNOSIS,
    (IncidentPhase.OPEN, Signal.FAULT): Action.DIAGNOSIS,
}


class Incidents:
    """The open incidents of all nodes, and their recent clears."""

    def __init__(
        self,
        rules: IncidentRules,
        maintenance: Sequence[Maintenance],
        interval_us: int,
        persistence: int,
    ) -> None:
        self.rules, self.maintenance = rules, tuple(maintenance)
        self.open: dict[str, Incident] = {}
        self.cleared: dict[str, list[int]] = {}
        """Node → numbers of the minutes in which it cleared recently."""
        self._interval_us, self._persistence = interval_us, persistence

    def update(self, verdicts: JudgedMinute, nodes: NodeTable) -> list[Incident]:
        """Apply the verdicts of a minute. Returns the changed incidents, and advances the counters in `nodes`."""
        recovered, fault = ~verdicts.active & (verdicts.code != VerdictCode.WARMING_UP), verdicts.active
        if self.open:
            recovered |= self._heard_again(verdicts, nodes)
        for column, flag in (("recovered_minutes", recovered), ("fault_minutes", fault)):
            nodes[column][verdicts.nodes] = np.where(flag, nodes[column][verdicts.nodes] + 1, 0)
        affected = fault.copy()
        if self.open:
            affected |= np.array([nodes.names[node] in self.open for node in verdicts.nodes.tolist()], np.bool_)
        return list(self._changes(verdicts, nodes, np.flatnonzero(affected)))

    def _heard_again(self, verdicts: JudgedMinute, nodes: NodeTable) -> BoolArray:
        """(N,) which nodes had no traffic before they had a baseline, and have traffic now."""
        return np.array(
            [
                code == VerdictCode.WARMING_UP
                and (incident := self.open.get(nodes.names[node])) is not None
                and incident.condition == NO_TRAFFIC
                for node, code in zip(verdicts.nodes.tolist(), verdicts.code.tolist(), strict=True)
            ],
            np.bool_,
        )

    def _changes(self, verdicts: JudgedMinute, nodes: NodeTable, rows: IntArray) -> Iterator[Incident]:
        for row in rows.tolist():
            node = int(verdicts.nodes[row])
            name = nodes.names[node]
            fault_minutes = int(nodes["fault_minutes"][node])
            signal = self._signal(name, verdicts.number, fault_minutes, int(nodes["recovered_minutes"][node]))
            phase = IncidentPhase.OPEN if name in self.open else IncidentPhase.QUIET
            changed = self._act(TABLE[phase, signal], verdicts, row, name, nodes.networks[node], fault_minutes)
            if changed:
                yield changed

    def _signal(self, name: str, number: int, fault_minutes: int, recovered_minutes: int) -> Signal:
        """The signal of a minute, from the consecutive minutes with an active fault, or without one."""
        if recovered_minutes:
            wanted = self.rules.damped_minutes if self.flaps(name, number) else self.rules.clear_minutes
            return Signal.RECOVERED_HELD if recovered_minutes >= wanted else Signal.RECOVERED
        if not fault_minutes:
            return Signal.NOTHING
        if maintained(self.maintenance, name, number * self._interval_us):
            return Signal.MUTED
        return Signal.FAULT_HELD if fault_minutes >= self.rules.onset_minutes else Signal.FAULT

    def flaps(self, name: str, number: int) -> bool:
        """Whether the node cleared at least `flap_count` times in the `flap_minutes` before this minute."""
        recent = [minute for minute in self.cleared.get(name, ()) if number - minute < self.rules.flap_minutes]
        return 0 < self.rules.flap_count <= len(recent)

    def _act(
        self, action: Action, verdicts: JudgedMinute, row: int, name: str, network: str, fault_minutes: int
    ) -> Incident | None:
        now_us = (verdicts.number + 1) * self._interval_us
        incident = self.open.get(name)
        if action is Action.ONSET:
            # Not before the last clear: the identity of an incident is its node and the minute of its onset.
            earliest = self.cleared.get(name, [-1])[-1] + 1
            onset = max(verdicts.number + 1 - fault_minutes - (self._persistence - 1), earliest)
            condition = verdicts.condition(row)
            incident = Incident.begin(
                name,
                network,
                condition,
                self.rules.severity_of(condition),
                onset * self._interval_us,
                now_us,
                verdicts.explanation(row),
            )
        elif incident is None or action is Action.NONE:
            return None
        elif action is Action.CLEAR:
            return self.close(incident.clear(now_us), verdicts.number)
        else:
            condition = verdicts.condition(row)
            severity = self.rules.severity_of(condition)
            if (condition, severity) == (incident.condition, incident.severity):
                return None
            incident = incident.diagnose(condition, severity, now_us, verdicts.explanation(row))
        self.open[name] = incident
        return incident

    def put_back(self, number: int) -> None:
        """This minute is the last finished one again: forget clears after it."""
        kept = {node: [minute for minute in minutes if minute <= number] for node, minutes in self.cleared.items()}
        self.cleared = {node: minutes for node, minutes in kept.items() if minutes}

    def close(self, incident: Incident, number: int) -> Incident:
        """Take a cleared incident out of the open ones. `number`: the last finished minute."""
        del self.open[incident.node]
        recent = [minute for minute in self.cleared.get(incident.node, ()) if number - minute < self.rules.flap_minutes]
        self.cleared[incident.node] = [*recent, number]
        return incident
