"""An incident: the condition of one node from onset to clear. An `Incident` is its state after one change.

Every change returns a new Incident with the next sequence number, and is one event for other systems:

    change           made by                               state afterwards
    onset            the monitor                           onset
    diagnosis        the monitor: condition or severity    changed
    acknowledgement  an operator; also its withdrawal      changed (cleared stays cleared)
    comment          an operator                           changed (cleared stays cleared)
    clear            the monitor or an operator            cleared

`identity` stays the same from onset to clear; `event_id` is different for each change. Both depend only on the node, the onset
and the sequence number. A monitor that restarts therefore produces the same identifiers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

from faultprint.errors import UsageError
from faultprint.publish.text import MAX_NAME, clean
from faultprint.units import MINUTE_US

NAMESPACE: Final = UUID("0b0c6a3c-6f0f-5d6b-9f38-1c6f6f0b7f5e")
"""The namespace of all identifiers (RFC 9562, version 5)."""

MAX_TIME_US: Final = 253_402_300_799_999_999
"""The last microsecond of the year 9999; RFC 3339 cannot express later times."""
MAX_COMMENTS: Final = 256
"""Maximum number of comments of an incident."""
MAX_EVIDENCE: Final = 8
"""Maximum number of evidence entries that an event carries."""


class Severity(StrEnum):
    """Perceived severity (ITU-T X.733, 8.1.2.3) without `cleared`, which is a state here."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    WARNING = "warning"
    INDETERMINATE = "indeterminate"


class Change(StrEnum):
    """The last change of an incident."""

    ONSET = "onset"
    DIAGNOSIS = "diagnosis"
    ACKNOWLEDGEMENT = "acknowledgement"
    COMMENT = "comment"
    CLEAR = "clear"


class AlarmState(StrEnum):
    """The state of an incident."""

    ONSET = "onset"
    CHANGED = "changed"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A condition, its start (µs, UTC), and the sequence number of the change that introduced it."""

    condition: str
    since_us: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Actor:
    """The user who did something, the system on which, and the time (µs, UTC)."""

    user: str
    system: str
    time_us: int


class IncidentOperation(StrEnum):
    """What an operator can do to an incident. The values are stored in the command queue."""

    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "withdraw"
    COMMENT = "comment"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class Comment:
    """An operator's comment on an incident."""

    author: Actor
    text: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why the last verdict was given: columns of a VERDICTS row (`faultprint.tables`)."""

    distance: float | None = None
    runner_up: str | None = None
    margin: float | None = None
    evidence: tuple[str, ...] = ()
    probability: float | None = None


def identity_of(node: str, onset_us: int) -> UUID:
    """The identity of the incident that began on `node` in the minute of `onset_us`."""
    return uuid5(NAMESPACE, json.dumps([node, onset_us // MINUTE_US]))


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident after its change number `sequence` (the onset is number 1). Times are µs, UTC.

    diagnoses        the conditions from onset to now, at least one; the last one is current
    changed_us       time of the last change
    cleared_us       time of the clear; None: the incident is open
    acknowledged_by  the operator who acknowledged it; None: it is not acknowledged
    cleared_by       the operator who cleared it; None: it is open, or the monitor cleared it
    """

    identity: UUID
    node: str
    network: str
    diagnoses: tuple[Diagnosis, ...]
    severity: Severity
    sequence: int
    change: Change
    changed_us: int
    cleared_us: int | None = None
    explanation: Explanation = Explanation()
    acknowledged_by: Actor | None = None
    comments: tuple[Comment, ...] = ()
    cleared_by: Actor | None = None

    def __post_init__(self) -> None:
        if not self.diagnoses or self.sequence < 1:
            raise UsageError(
                f"Incident {self.identity} has no condition, or a sequence number below 1; create it with `Incident.begin`."
            )
        for time_us in (*(diagnosis.since_us for diagnosis in self.diagnoses), self.changed_us, self.cleared_us or 0):
            _check_time(time_us)

    @classmethod
    def begin(
        cls,
        node: str,
        network: str,
        condition: str,
        severity: Severity,
        onset_us: int,
        now_us: int,
        explanation: Explanation | None = None,
    ) -> Incident:
        """A new incident: `condition` began at `onset_us` and is detected at `now_us` (µs, UTC)."""
        return cls(
            identity=identity_of(node, onset_us),
            node=node,
            network=network,
            diagnoses=(Diagnosis(condition, onset_us, 1),),
            severity=severity,
            sequence=1,
            change=Change.ONSET,
            changed_us=max(onset_us, now_us),
            explanation=explanation or Explanation(),
        )

    @property
    def condition(self) -> str:
        """The current condition; after the clear, the last one."""
        return self.diagnoses[-1].condition

    @property
    def previous_condition(self) -> str | None:
        """The condition before the current one; None if there was no other."""
        return self.diagnoses[-2].condition if len(self.diagnoses) > 1 else None

    @property
    def initial_condition(self) -> str:
        """The condition at the onset. It names the alarm where an interface allows only one name from raise to clear."""
        return self.diagnoses[0].condition

    @property
    def onset_us(self) -> int:
        """Time of the onset."""
        return self.diagnoses[0].since_us

    @property
    def state(self) -> AlarmState:
        """The state after the last change."""
        if self.cleared_us is not None:
            return AlarmState.CLEARED
        return AlarmState.ONSET if self.sequence == 1 else AlarmState.CHANGED

    @property
    def event_id(self) -> UUID:
        """The identity of the last change."""
        return uuid5(self.identity, str(self.sequence))

    @property
    def condition_changed(self) -> bool:
        """Whether the last change replaced the condition."""
        return self.change is Change.DIAGNOSIS and self.diagnoses[-1].sequence == self.sequence

    def diagnose(self, condition: str, severity: Severity, now_us: int, explanation: Explanation) -> Incident:
        """Set another condition or severity. Raises UsageError if the incident is cleared."""
        self._check_open("diagnosed")
        now_us = max(now_us, self.changed_us)
        diagnoses = self.diagnoses
        if condition != self.condition:
            diagnoses = (*diagnoses, Diagnosis(condition, now_us, self.sequence + 1))
        return self._next(Change.DIAGNOSIS, now_us, diagnoses=diagnoses, severity=severity, explanation=explanation)

    def clear(self, now_us: int, actor: Actor | None = None) -> Incident:
        """End the incident. `actor`: the operator who clears it; None: the monitor. Raises UsageError if it is cleared."""
        self._check_open("cleared")
        now_us = max(now_us, self.changed_us)
        return self._next(Change.CLEAR, now_us, cleared_us=now_us, cleared_by=actor)

    def acknowledge(self, actor: Actor) -> Incident:
        """Acknowledge the incident. Raises UsageError if it is already acknowledged, because nothing would change."""
        if self.acknowledged_by is not None:
            raise UsageError(
                f"Incident {self.identity} is already acknowledged by {clean(self.acknowledged_by.user, MAX_NAME)}; "
                "withdraw that acknowledgement first."
            )
        return self._next(Change.ACKNOWLEDGEMENT, actor.time_us, acknowledged_by=actor)

    def unacknowledge(self, now_us: int) -> Incident:
        """Withdraw the acknowledgement. Raises UsageError if there is none, because nothing would change."""
        if self.acknowledged_by is None:
            raise UsageError(f"Incident {self.identity} is not acknowledged; there is nothing to withdraw.")
        return self._next(Change.ACKNOWLEDGEMENT, now_us, acknowledged_by=None)

    def comment(self, comment: Comment) -> Incident:
        """Add a comment. Raises UsageError if there are MAX_COMMENTS already."""
        if len(self.comments) >= MAX_COMMENTS:
            raise UsageError(
                f"Incident {self.identity} has {MAX_COMMENTS} comments, which is the limit; clear it instead."
            )
        return self._next(Change.COMMENT, comment.author.time_us, comments=(*self.comments, comment))

    def apply(self, operation: IncidentOperation, actor: Actor, text: str = "") -> Incident:
        """The incident after an operation of an operator; `text` is the text of a comment.

        Raises UsageError if the operation is not possible in the current state.
        """
        match operation:
            case IncidentOperation.ACKNOWLEDGE:
                return self.acknowledge(actor)
            case IncidentOperation.UNACKNOWLEDGE:
                return self.unacknowledge(actor.time_us)
            case IncidentOperation.COMMENT:
                return self.comment(Comment(actor, text))
            case IncidentOperation.CLEAR:
                return self.clear(actor.time_us, actor)

    def _next(self, change: Change, now_us: int, **fields: object) -> Incident:
        return replace(
            self,
            change=change,
            # An operator's clock can differ from event time; the times of an incident's events must not go back.
            changed_us=max(now_us, self.changed_us),
            sequence=self.sequence + 1,
            **fields,  # type: ignore[arg-type]
        )

    def _check_open(self, operation: str) -> None:
        if self.cleared_us is not None:
            raise UsageError(f"Incident {self.identity} is cleared and cannot be {operation}; choose an open incident.")


def _check_time(time_us: int) -> None:
    if not 0 <= time_us <= MAX_TIME_US:
        raise UsageError(f"The time {time_us} µs is not between the years 1970 and 9999; correct the clock.")
