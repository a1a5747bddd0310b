"""What people asked for at the desk, carried out by the monitor's loop, which alone changes incidents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from faultprint.errors import FaultprintError, StateError
from faultprint.monitor.detect.incidents import Incidents
from faultprint.monitor.detect.nodes import NodeTable
from faultprint.monitor.state.store import Store
from faultprint.publish.incident import Actor, Incident, IncidentOperation


@dataclass(frozen=True, slots=True)
class ExecutedCommands:
    """The incidents after each deed, in order (`changes`), as they are after all of them (`latest`), and the numbers of the
    instructions."""

    changes: tuple[Incident, ...]
    latest: tuple[Incident, ...]
    done: tuple[int, ...]


class CommandExecutor:
    """Does to the open incidents, and to those kept, what instructions ask for."""

    def __init__(self, store: Store, incidents: Incidents, nodes: NodeTable, tell: Callable[..., Any]) -> None:
        self._store, self._incidents, self._nodes, self._tell = store, incidents, nodes, tell

    def carry_out(self, closed: int) -> ExecutedCommands | None:
        """Do what is asked for, in or after the minute of this number; None if nothing is. It is not yet written."""
        try:
            asked = self._store.instructions()
            known = {identity: self._store.incident(identity) for _, identity, *_ in asked}
        except StateError:
            return None  # they can wait; the next minute that cannot be written says why
        if not asked:
            return None
        changes: list[Incident] = []
        latest: dict[str, Incident] = {}
        for _, identity, deed, user, system, time_us, text in asked:
            incident = latest.get(identity) or known[identity]
            try:
                if incident is None:
                    raise FaultprintError("it is not known any more")
                incident = self._do(incident, IncidentOperation(deed), Actor(user, system, time_us), text, closed)
            except (FaultprintError, ValueError) as error:
                self._tell("instruction refused", incident=identity, deed=deed, detail=str(error))
                continue
            latest[identity] = incident
            changes.append(incident)
        return ExecutedCommands(tuple(changes), tuple(latest.values()), tuple(number for number, *_ in asked))

    def _do(self, incident: Incident, deed: IncidentOperation, person: Actor, text: str, closed: int) -> Incident:
        after = incident.apply(deed, person, text)
        if after.cleared_us is None:
            self._incidents.open[after.node] = after
        elif incident.cleared_us is None:
            after = self._incidents.clear(incident, closed, person.time_us)
            self._nodes["alarmed"][self._nodes.index([after.node], [after.network])] = 0
        return after
