"""Incidents as control-loop events, ONSET and ABATED, for the policy engine (topic unauthenticated.dcae_cl_output).

The types are those of the published samples: times are integers, although dcaeCLOutput.json calls them strings; most
samples, and the policy engine's reader, have milliseconds. No score, evidence or comment rides in the event: the engine
compares all fields but requestID and the times, and takes an ONSET in which any differs for another one.

A condition may have a control loop of its own, or none. When a diagnosis moves an incident from one loop to another, the
first loop's run ends (ABATED) and the second's begins (ONSET), each run with a requestID of its own from its ONSET to
its ABATED; the run that begins with the incident has the incident's identity. Acknowledgements, comments and a change of
severity send nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid5

from faultprint.publish.incident import Change, Diagnosis, Incident
from faultprint.publish.text import NAME, clean, present
from faultprint.publish.ves.inventory import Element, Inventory, element_of

TOPIC: Final = "unauthenticated.dcae_cl_output"


class Target(StrEnum):
    """The A&AI field that names what the loop acts upon: the two that dcaeCLOutput.json knows."""

    VNF = "generic-vnf.vnf-id"
    VM = "vserver.vserver-name"


class TimeUnit(StrEnum):
    """The unit of the integer times. The policy engine reads milliseconds; DCAE's threshold analytics wrote µs."""

    MILLISECONDS = "ms"
    MICROSECONDS = "us"


_MICROSECONDS: Final[Mapping[TimeUnit, int]] = {TimeUnit.MILLISECONDS: 1000, TimeUnit.MICROSECONDS: 1}


@dataclass(frozen=True, slots=True)
class ControlLoopSettings:
    """Which loop serves which condition, and what its events say.

    loops     condition → closedLoopControlName; a condition that is not named has `default` (empty: no loop)
    client    closedLoopEventClient: the instance that speaks
    policy_*  of the policy that drives the analytics; left out where empty
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

    def loop(self, condition: str) -> str:
        """The name of the condition's loop; empty: it has none."""
        return clean(self.loops.get(condition, self.default), NAME)


@dataclass(frozen=True, slots=True)
class _Run:
    """A loop that acts, since when, and the number of the change that began it."""

    loop: str
    since_us: int
    sequence: int


def control_loop_events(incident: Incident, settings: ControlLoopSettings) -> tuple[dict[str, Any], ...]:
    """The events of the incident's last change, in the order in which they are to be sent: none, one or two."""
    run = _run(incident.spells, settings)
    if incident.change is Change.ONSET:
        return (_event(incident, settings, run),) if run else ()
    if incident.change is Change.CLEAR:
        return (_event(incident, settings, run, ended=True),) if run else ()
    if not incident.diagnosed_anew:
        return ()
    before = _run(incident.spells[:-1], settings)
    if before == run:
        return ()
    ended = (_event(incident, settings, before, ended=True),) if before else ()
    return (*ended, _event(incident, settings, run)) if run else ended


def _run(spells: tuple[Diagnosis, ...], settings: ControlLoopSettings) -> _Run | None:
    """The run that the last of `spells` belongs to: it began with the first of the last ones of the same loop."""
    loop = settings.loop(spells[-1].condition)
    if not loop:
        return None
    first = spells[-1]
    for spell in reversed(spells):
        if settings.loop(spell.condition) != loop:
            break
        first = spell
    return _Run(loop, first.since_us, first.sequence)


def _event(incident: Incident, settings: ControlLoopSettings, run: _Run, *, ended: bool = False) -> dict[str, Any]:
    element = element_of(settings.inventory, incident.node)
    unit = _MICROSECONDS[settings.time_unit]
    event = {
        "closedLoopControlName": run.loop,
        "closedLoopAlarmStart": run.since_us // unit,
        "closedLoopAlarmEnd": incident.changed_us // unit if ended else None,
        "closedLoopEventClient": clean(settings.client, NAME),
        "closedLoopEventStatus": "ABATED" if ended else "ONSET",
        "requestID": str(_request(incident, run)),
        "target_type": settings.target.name,
        "target": settings.target.value,
        "AAI": {**element.attributes, settings.target.value: _value(element, settings.target)},
        "from": "DCAE",
        "policyName": clean(settings.policy_name, NAME),
        "policyScope": clean(settings.policy_scope, NAME),
        "policyVersion": clean(settings.policy_version, NAME),
        "version": "1.0.2",
    }
    return present(event)


def _request(incident: Incident, run: _Run) -> UUID:
    return incident.identity if run.sequence == 1 else uuid5(incident.identity, f"request {run.sequence}")


def _value(element: Element, target: Target) -> str:
    # Where no vnf-id is known the name stands in, as it does in the published samples.
    return (element.id or element.name) if target is Target.VNF else element.name
