"""What people do to incidents, however they ask for it: by TMF642's tasks, or at the monitor's desk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from faultprint.publish.incident import Actor, Comment, Incident


class IncidentOperation(StrEnum):
    """What is asked for."""

    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "withdraw"
    COMMENT = "comment"
    CLEAR = "clear"


OPERATIONS: Final[Mapping[IncidentOperation, Callable[[Incident, Actor, str], Incident]]] = {
    IncidentOperation.ACKNOWLEDGE: lambda incident, person, text: incident.acknowledge(person),
    IncidentOperation.UNACKNOWLEDGE: lambda incident, person, text: incident.withdraw_acknowledgement(person.time_us),
    IncidentOperation.COMMENT: lambda incident, person, text: incident.comment(Comment(person, text)),
    IncidentOperation.CLEAR: lambda incident, person, text: incident.clear(person.time_us),
}
"""Each as a function of the incident, who does it, and the text of a comment; raises UsageError as the incident does."""
