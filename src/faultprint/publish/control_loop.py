"""Incidents as control-loop events, ONSET and ABATED, for the policy engine (topic unauthenticated.dcae_cl_output).

The types are those of the published samples: times are integers, although dcaeCLOutput.json declares strings. Most samples, and
the parser of the policy engine, use milliseconds. The event contains no score, evidence or comment: the engine compares all
fields except requestID and the times, and takes an ONSET with any difference for a new one.

Each condition can have its own control loop, or none. If a diagnosis moves an incident from one loop to another, the run of the
first loop ends (ABATED) and a run of the second loop begins (ONSET). A run keeps its requestID from ONSET to ABATED; the run
that begins with the incident uses the incident's identity. Acknowledgements, comments and changes of severity send nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid5

from faultprint.publish.incident import Change, Diagnosis, Incident
from faultprint.publish.inventory import Inventory, InventoryElement, element_of
from faultprint.publish.text import MAX_NAME, clean, without_empty

TOPIC: Final = "unauthenticated.dcae_cl_output"


class Target(StrEnum):
    """The A&AI field that names the target of the loop: the two that dcaeCLOutput.json allows."""

    VNF = "generic-vnf.vnf-id"
    VM = "vserver.vserver-name"


class TimeUnit(StrEnum):
    """The unit of the times. The policy engine reads milliseconds; DCAE's threshold analytics used microseconds."""

    MILLISECONDS = "ms"
    MICROSECONDS = "us"


_UNIT_US: Final[Mapping[TimeUnit, int]] = {TimeUnit.MILLISECONDS: 1000, TimeUnit.MICROSECONDS: 1}


@dataclass(frozen=True, slots=True)
class ControlLoopSettings:
    """The loops of conditions, and the fields of their events.

    loops     condition → closedLoopControlName; other conditions have `default` (empty: no loop)
    client    closedLoopEventClient: the name of this instance
    policy_*  the policy behind the analytics; empty fields are left out
    """

    loops: Mapping[str, str] = field(default_factory=dict)
    default: str = ""
    client: str = "DCAE_INSTANCE_ID.faultprint"
    target: Target = Target.VNF
    time_unit: TimeUnit = TimeUnit.MILLISECONDS
    policy_name: str = ""
    policy_scope: str = ""
    policy_version: str = ""
    inventory: Inventory = field(default_factory=dict)

    def loop_of(self, condition: str) -> str:
        """The name of the condition's loop; empty if it has none."""
        return clean(self.loops.get(condition, self.default), MAX_NAME)


@dataclass(frozen=True, slots=True)
class _Run:
    """A run of a loop: its start and the sequence number of the change that started it."""

    loop: str
    since_us: int
    sequence: int


def control_loop_events(incident: Incident, settings: ControlLoopSettings) -> tuple[dict[str, Any], ...]:
    """The events of the incident's last change, none to two, in the order in which they must be sent."""
    run = _run(incident.diagnoses, settings)
    if incident.change is Change.ONSET:
        return (_event(incident, settings, run),) if run else ()
    if incident.change is Change.CLEAR:
        return (_event(incident, settings, run, ended=True),) if run else ()
    if not incident.condition_changed:
        return ()
    previous = _run(incident.diagnoses[:-1], settings)
    if previous == run:
        return ()
    abated = (_event(incident, settings, previous, ended=True),) if previous else ()
    return (*abated, _event(incident, settings, run)) if run else abated


def _run(diagnoses: tuple[Diagnosis, ...], settings: ControlLoopSettings) -> _Run | None:
    """The run of the last diagnosis: it began with the first of the latest diagnoses that have the same loop."""
    loop = settings.loop_of(diagnoses[-1].condition)
    if not loop:
        return None
    first = diagnoses[-1]
    for diagnosis in reversed(diagnoses):
        if settings.loop_of(diagnosis.condition) != loop:
            break
        first = diagnosis
    return _Run(loop, first.since_us, first.sequence)


def _event(incident: Incident, settings: ControlLoopSettings, run: _Run, *, ended: bool = False) -> dict[str, Any]:
    element = element_of(settings.inventory, incident.node)
    unit = _UNIT_US[settings.time_unit]
    event = {
        "closedLoopControlName": run.loop,
        "closedLoopAlarmStart": run.since_us // unit,
        "closedLoopAlarmEnd": incident.changed_us // unit if ended else None,
        "closedLoopEventClient": clean(settings.client, MAX_NAME),
        "closedLoopEventStatus": "ABATED" if ended else "ONSET",
        "requestID": str(_request_id(incident, run)),
        "target_type": settings.target.name,
        "target": settings.target.value,
        "AAI": {**element.attributes, settings.target.value: _target_value(element, settings.target)},
        "from": "DCAE",
        "policyName": clean(settings.policy_name, MAX_NAME),
        "policyScope": clean(settings.policy_scope, MAX_NAME),
        "policyVersion": clean(settings.policy_version, MAX_NAME),
        "version": "1.0.2",
    }
    return without_empty(event)


def _request_id(incident: Incident, run: _Run) -> UUID:
    return incident.identity if run.sequence == 1 else uuid5(incident.identity, f"request {run.sequence}")


def _target_value(element: InventoryElement, target: Target) -> str:
    # If the vnf-id is unknown the name replaces it, as in the published samples.
    return (element.id or element.name) if target is Target.VNF else element.name
