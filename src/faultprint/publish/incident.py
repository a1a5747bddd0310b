"""An incident: what is wrong with one node, from onset to clear, as it stands after one change.

Every change makes a new Incident with the next sequence number, and is one event to tell others:

    change           who makes it                        state afterwards
    onset            the monitor                         onset
    diagnosis        the monitor: condition or severity  changed
    acknowledgement  a person, or a withdrawal of it     changed (cleared stays cleared)
    comment          a person                            changed (cleared stays cleared)
    clear            the monitor, or a person            cleared

The identity is the same from onset to clear; `event_id` differs with each change. Both follow from what happened
alone, so that a monitor which starts anew derives the same ones.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

from faultprint.errors import UsageError
from faultprint.units import MINUTE_US

NAMESPACE: Final = UUID("0b0c6a3c-6f0f-5d6b-9f38-1c6f6f0b7f5e")
"""The namespace of all identities (RFC 9562, version 5)."""

LATEST_US: Final = 253_402_300_799_999_999
"""The last microsecond of the year 9999: later ones have no RFC 3339 form."""
COMMENTS: Final = 256
"""Comments that an incident takes, at most."""


class Severity(StrEnum):
    """ITU-T X.733 8.1.2.3, without `cleared`: that is a state."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    WARNING = "warning"
    INDETERMINATE = "indeterminate"


class Change(StrEnum):
    """What happened last."""

    ONSET = "onset"
    DIAGNOSIS = "diagnosis"
    ACKNOWLEDGEMENT = "acknowledgement"
    COMMENT = "comment"
    CLEAR = "clear"


class AlarmState(StrEnum):
    """Where an incident is in its life."""

    ONSET = "onset"
    CHANGED = "changed"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A condition, the moment since which it holds (µs, UTC), and the sequence number of the change that brought it."""

    condition: str
    since_us: int
    sequence: int


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something, on which system, and when (µs, UTC)."""

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
    """What a person said of an incident."""

    by: Actor
    text: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why the last verdict is what it is: the numbers and words of a VERDICTS row (`faultprint.tables`)."""

    distance: float | None = None
    runner_up: str | None = None
    margin: float | None = None
    evidence: tuple[str, ...] = ()


def identity_of(node: str, onset_us: int) -> UUID:
    """The identity of the incident that began on `node` in the minute of `onset_us`."""
    return uuid5(NAMESPACE, json.dumps([node, onset_us // MINUTE_US]))


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident after its `sequence`-th change (the onset is the first). Times are µs, UTC.

    `spells`: the conditions from onset to now, none empty, the last one current. `changed_us`: when `change` happened.
    """

    identity: UUID
    node: str
    network: str
    spells: tuple[Diagnosis, ...]
    severity: Severity
    sequence: int
    change: Change
    changed_us: int
    cleared_us: int | None = None
    grounds: Explanation = Explanation()
    acknowledged: Actor | None = None
    comments: tuple[Comment, ...] = ()
    cleared_by: Actor | None = None

    def __post_init__(self) -> None:
        if not self.spells or self.sequence < 1:
            raise UsageError(f"Incident {self.identity} has no condition or no sequence number; begin it by `begin`.")
        for time_us in (*(spell.since_us for spell in self.spells), self.changed_us, self.cleared_us or 0):
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
        grounds: Explanation | None = None,
    ) -> Incident:
        """The onset: `condition` holds since `onset_us`, which is known at `now_us` (µs, UTC)."""
        spells = (Diagnosis(condition, onset_us, 1),)
        now_us = max(onset_us, now_us)
        return cls(
            identity_of(node, onset_us),
            node,
            network,
            spells,
            severity,
            1,
            Change.ONSET,
            now_us,
            grounds=grounds or Explanation(),
        )

    @property
    def condition(self) -> str:
        """What is wrong now (after the clear: what was wrong last)."""
        return self.spells[-1].condition

    @property
    def previous(self) -> str | None:
        """The condition before the current one, if there was another."""
        return self.spells[-2].condition if len(self.spells) > 1 else None

    @property
    def raised_as(self) -> str:
        """The condition at the onset: it names the alarm in interfaces that know one name from raise to clear."""
        return self.spells[0].condition

    @property
    def onset_us(self) -> int:
        """When it began."""
        return self.spells[0].since_us

    @property
    def state(self) -> AlarmState:
        """Where it is in its life."""
        if self.cleared_us is not None:
            return AlarmState.CLEARED
        return AlarmState.ONSET if self.sequence == 1 else AlarmState.CHANGED

    @property
    def event_id(self) -> UUID:
        """The identity of this one change."""
        return uuid5(self.identity, str(self.sequence))

    @property
    def diagnosed_anew(self) -> bool:
        """Whether this very change brought another condition."""
        return self.change is Change.DIAGNOSIS and self.spells[-1].sequence == self.sequence

    def diagnose(self, condition: str, severity: Severity, now_us: int, grounds: Explanation) -> Incident:
        """Another condition or another severity. Raises UsageError if the incident is cleared."""
        self._check_open("diagnosed")
        now_us = max(now_us, self.changed_us)
        spells = self.spells
        if condition != self.condition:
            spells = (*spells, Diagnosis(condition, now_us, self.sequence + 1))
        return self._next(Change.DIAGNOSIS, now_us, spells=spells, severity=severity, grounds=grounds)

    def clear(self, now_us: int, actor: Actor | None = None) -> Incident:
        """The end; `actor` is the operator who cleared it, None: the monitor. Raises UsageError if it is cleared already."""
        self._check_open("cleared")
        now_us = max(now_us, self.changed_us)
        return self._next(Change.CLEAR, now_us, cleared_us=now_us, cleared_by=actor)

    def acknowledge(self, by: Actor) -> Incident:
        """Record that `by` has seen the incident. Raises UsageError if it is acknowledged already: that is no change."""
        if self.acknowledged is not None:
            raise UsageError(
                f"Incident {self.identity} is already acknowledged by {self.acknowledged.user}; "
                "withdraw that acknowledgement first."
            )
        return self._next(Change.ACKNOWLEDGEMENT, by.time_us, acknowledged=by)

    def unacknowledge(self, now_us: int) -> Incident:
        """Withdraw the acknowledgement. Raises UsageError if there is none: that is no change."""
        if self.acknowledged is None:
            raise UsageError(f"Incident {self.identity} is not acknowledged, so there is nothing to withdraw.")
        return self._next(Change.ACKNOWLEDGEMENT, now_us, acknowledged=None)

    def comment(self, comment: Comment) -> Incident:
        """Somebody said something. Raises UsageError if too much has been said."""
        if len(self.comments) >= COMMENTS:
            raise UsageError(f"Incident {self.identity} has {COMMENTS} comments already, which is the limit.")
        return self._next(Change.COMMENT, comment.by.time_us, comments=(*self.comments, comment))

    def apply(self, operation: IncidentOperation, actor: Actor, text: str = "") -> Incident:
        """The incident after an operator's operation; `text` is the text of a comment.

        Raises UsageError if the operation is not possible in the incident's current state.
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
            # People's clocks and event time differ: what is told downstream must not run backwards.
            changed_us=max(now_us, self.changed_us),
            sequence=self.sequence + 1,
            **fields,  # type: ignore[arg-type]
        )

    def _check_open(self, deed: str) -> None:
        if self.cleared_us is not None:
            raise UsageError(f"Incident {self.identity} is cleared and cannot be {deed}; begin another.")


def _check_time(time_us: int) -> None:
    if not 0 <= time_us <= LATEST_US:
        raise UsageError(f"The time {time_us} µs does not lie between the years 1970 and 9999; correct the clock.")
