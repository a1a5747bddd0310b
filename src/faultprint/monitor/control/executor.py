"""Executes the commands of operators in the main loop, the only place that changes incidents."""

from __future__ import annotations

from dataclasses import dataclass

from faultprint.errors import FaultprintError, StateError, UsageError
from faultprint.monitor.base.log import Log
from faultprint.monitor.detect.incidents import Incidents
from faultprint.monitor.detect.nodes import NodeTable
from faultprint.monitor.state.store import Store
from faultprint.publish.incident import Actor, Incident, IncidentOperation


@dataclass(frozen=True, slots=True)
class ExecutedCommands:
    """The result of the waiting commands.

    `changes`: incidents after each operation, in order; `latest`: after all operations; `done`: numbers of the commands.
    """

    changes: tuple[Incident, ...]
    latest: tuple[Incident, ...]
    done: tuple[int, ...]


class CommandExecutor:
    """Applies commands to open incidents and to cleared ones that are still kept."""

    def __init__(self, store: Store, incidents: Incidents, nodes: NodeTable, log: Log) -> None:
        self._store, self._incidents, self._nodes, self._log = store, incidents, nodes, log

    def execute(self, closed: int) -> ExecutedCommands | None:
        """Execute the waiting commands; None if there are none. The caller saves the result.

        `closed`: number of the last finished minute.
        """
        try:
            commands = self._store.commands()
            known = {identity: self._incident(identity) for _, identity, *_ in commands}
        except StateError:
            return None  # the commands wait; the next save logs that the state is not available
        if not commands:
            return None
        changes: list[Incident] = []
        latest: dict[str, Incident] = {}
        for _, identity, operation, user, system, time_us, text in commands:
            incident = latest.get(identity) or known[identity]
            try:
                if incident is None:
                    raise FaultprintError("the incident is no longer kept")
                incident = self._apply(
                    incident, IncidentOperation(operation), Actor(user, system, time_us), text, closed
                )
            except (FaultprintError, ValueError) as error:
                self._log("command_refused", incident=identity, operation=operation, detail=str(error))
                continue
            latest[identity] = incident
            changes.append(incident)
        return ExecutedCommands(tuple(changes), tuple(latest.values()), tuple(number for number, *_ in commands))

    def _incident(self, identity: str) -> Incident | None:
        try:
            return self._store.incident(identity)
        except UsageError as error:  # damaged: the command is refused, the next start sets the incident aside
            self._log("command_refused", incident=identity, operation="read", detail=str(error))
            return None

    def _apply(
        self, incident: Incident, operation: IncidentOperation, actor: Actor, text: str, closed: int
    ) -> Incident:
        after = incident.apply(operation, actor, text)
        if after.cleared_us is None:
            self._incidents.open[after.node] = after
        elif incident.cleared_us is None:
            self._incidents.close(after, closed)
            # The fault must be confirmed again before it opens the next incident.
            self._nodes["fault_minutes"][self._nodes.index([after.node], [after.network])] = 0
        return after
