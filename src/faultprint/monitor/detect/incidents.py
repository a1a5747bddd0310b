"""Verdicts → incidents: a state machine for each node, written as a table.

A minute's signal, the first that applies:

    calm-held    normal, or the fault over by the recent minutes, for `clear_minutes` (of a node that flaps: `damped_minutes`)
    calm         normal, or the fault is over by the recent minutes, though the window still holds it (`cases.clearing`)
    nothing      warming-up: nothing is known; a gap is no minute at all
    muted        a fault or unknown, and the node is being maintained
    alarm-held   a fault or unknown that is there, for `onset_minutes`
    alarm        a fault or unknown that is there

TABLE says what is done about it, by whether the node has an incident.

A diagnosis that changes neither condition nor severity is no event. Persistence is the verdict's own (`cases.decision`);
`onset_minutes` and `clear_minutes` come on top of it. A node flaps when it cleared `flap_count` times in `flap_minutes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Final

import numpy as np

from faultprint.arrays import BoolArray, IntArray
from faultprint.cases.decision import WARMING_CODE
from faultprint.monitor.base.setting_doc import SettingDoc
from faultprint.monitor.config.maintenance import Maintenance, maintained
from faultprint.monitor.detect.nodes import NodeTable
from faultprint.monitor.detect.scorer import MinuteVerdicts
from faultprint.publish.incident import Incident, Severity
from faultprint.tables import UNKNOWN


class Signal(StrEnum):
    """What a minute says of a node."""

    CALM_HELD = "calm-held"
    CALM = "calm"
    NOTHING = "nothing"
    MUTED = "muted"
    ALARM_HELD = "alarm-held"
    ALARM = "alarm"


class IncidentPhase(StrEnum):
    """Whether a node has an incident."""

    QUIET = "quiet"
    OPEN = "open"


class Action(StrEnum):
    """What is done about it."""

    NONE = "none"
    ONSET = "onset"
    DIAGNOSIS = "diagnosis"
    CLEAR = "clear"


TABLE: Final[Mapping[tuple[IncidentPhase, Signal], Action]] = {
    (IncidentPhase.QUIET, Signal.CALM_HELD): Action.NONE,
    (IncidentPhase.QUIET, Signal.CALM): Action.NONE,
    (IncidentPhase.QUIET, Signal.NOTHING): Action.NONE,
    (IncidentPhase.QUIET, Signal.MUTED): Action.NONE,
    (IncidentPhase.QUIET, Signal.ALARM_HELD): Action.ONSET,
    (IncidentPhase.QUIET, Signal.ALARM): Action.NONE,
    (IncidentPhase.OPEN, Signal.CALM_HELD): Action.CLEAR,
    (IncidentPhase.OPEN, Signal.CALM): Action.NONE,
    (IncidentPhase.OPEN, Signal.NOTHING): Action.NONE,
    (IncidentPhase.OPEN, Signal.MUTED): Action.NONE,
    (IncidentPhase.OPEN, Signal.ALARM_HELD): Action.DIAGNOSIS,
    (IncidentPhase.OPEN, Signal.ALARM): Action.DIAGNOSIS,
}


@dataclass(frozen=True, slots=True)
class IncidentRules:
    """[incidents]: when they begin and end, and how bad they are."""

    onset_minutes: Annotated[int, SettingDoc("minutes in a row with an alarming verdict before one begins", 1)] = 1
    clear_minutes: Annotated[
        int, SettingDoc("minutes in a row that a fault must have been over before it is cleared", 1)
    ] = 1
    flap_count: Annotated[int, SettingDoc("clears within `flap_minutes` that make a node flap; 0: never", 0)] = 3
    flap_minutes: Annotated[int, SettingDoc("how far back clears are counted", 1)] = 180
    damped_minutes: Annotated[int, SettingDoc("`clear_minutes` of a node that flaps", 1)] = 30
    severity: Annotated[Severity, SettingDoc("of a known condition")] = Severity.MAJOR
    unknown_severity: Annotated[Severity, SettingDoc("of unknown")] = Severity.MINOR
    severities: Annotated[Mapping[str, Severity], SettingDoc("of single conditions, by name")] = field(
        default_factory=dict
    )

    def severity_of(self, condition: str) -> Severity:
        """How bad a condition is."""
        return self.severities.get(condition, self.unknown_severity if condition == UNKNOWN else self.severity)


class Incidents:
    """The open incidents of all nodes, and the clears that make a node flap."""

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
        """Node → numbers of the minutes in which it cleared lately."""
        self._interval_us, self._persistence = interval_us, persistence

    def follow(self, judged: MinuteVerdicts, nodes: NodeTable) -> list[Incident]:
        """The incidents that the minute changed, as they are after it; counts the nodes' minutes on."""
        calm, alarming = ~judged.ongoing & (judged.code != WARMING_CODE), judged.ongoing
        for column, flag in (("calm", calm), ("alarmed", alarming)):
            nodes[column][judged.nodes] = np.where(flag, nodes[column][judged.nodes] + 1, 0)
        concerned = alarming.copy()
        if self.open:
            concerned |= np.array([nodes.names[node] in self.open for node in judged.nodes.tolist()], np.bool_)
        return list(self._changes(judged, nodes, np.flatnonzero(concerned), calm, alarming))

    def _changes(
        self,
        judged: MinuteVerdicts,
        nodes: NodeTable,
        places: IntArray,
        calm: BoolArray,
        alarming: BoolArray,
    ) -> Iterator[Incident]:
        for place in places.tolist():
            node = int(judged.nodes[place])
            name = nodes.names[node]
            signal = self._signal(
                name, judged.number, int(nodes["alarmed"][node]), int(nodes["calm"][node]), alarming[place], calm[place]
            )
            state = IncidentPhase.OPEN if name in self.open else IncidentPhase.QUIET
            changed = self._act(
                TABLE[state, signal], judged, place, name, nodes.networks[node], int(nodes["alarmed"][node])
            )
            if changed:
                yield changed

    def _signal(self, name: str, number: int, alarmed: int, calm_for: int, alarming: bool, calm: bool) -> Signal:
        if calm:
            wanted = self.rules.damped_minutes if self.flaps(name, number) else self.rules.clear_minutes
            return Signal.CALM_HELD if calm_for >= wanted else Signal.CALM
        if not alarming:
            return Signal.NOTHING
        if maintained(self.maintenance, name, number * self._interval_us):
            return Signal.MUTED
        return Signal.ALARM_HELD if alarmed >= self.rules.onset_minutes else Signal.ALARM

    def flaps(self, name: str, number: int) -> bool:
        """Whether the node has cleared too often before the minute of this number."""
        lately = [at for at in self.cleared.get(name, ()) if number - at < self.rules.flap_minutes]
        return 0 < self.rules.flap_count <= len(lately)

    def _act(
        self, action: Action, judged: MinuteVerdicts, place: int, name: str, network: str, alarmed: int
    ) -> Incident | None:
        now_us = (judged.number + 1) * self._interval_us
        incident = self.open.get(name)
        if action is Action.ONSET:
            # Never before the last clear: an identity is a node and its onset's minute.
            quiet_from = self.cleared.get(name, [-1])[-1] + 1
            onset = max(judged.number + 1 - alarmed - (self._persistence - 1), quiet_from)
            condition = judged.condition(place)
            incident = Incident.begin(
                name,
                network,
                condition,
                self.rules.severity_of(condition),
                onset * self._interval_us,
                now_us,
                judged.grounds(place),
            )
        elif incident is None or action is Action.NONE:
            return None
        elif action is Action.CLEAR:
            return self.clear(incident, judged.number, now_us)
        else:
            condition = judged.condition(place)
            severity = self.rules.severity_of(condition)
            if (condition, severity) == (incident.condition, incident.severity):
                return None
            incident = incident.diagnose(condition, severity, now_us, judged.grounds(place))
        self.open[name] = incident
        return incident

    def clear(self, incident: Incident, number: int, now_us: int) -> Incident:
        """End an open incident at `now_us`, in or after the minute of this number."""
        del self.open[incident.node]
        lately = [at for at in self.cleared.get(incident.node, ()) if number - at < self.rules.flap_minutes]
        self.cleared[incident.node] = [*lately, number]
        return incident.clear(now_us)
