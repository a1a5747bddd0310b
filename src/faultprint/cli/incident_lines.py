"""Incidents as the commands print them: one notion, one form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from faultprint.features.wording import evidence_in_words
from faultprint.units import MINUTE_US

if TYPE_CHECKING:
    from faultprint.publish.incident import Incident

MAX_REASONS = 3


def incident_facts(incident: Incident, until_us: int) -> dict[str, Any]:
    """The facts of an incident, for JSON. `until_us`: end of the data, for an incident that is still open."""
    why = incident.explanation
    end_us = incident.cleared_us
    return {
        "id": str(incident.identity),
        "node": incident.node,
        "condition": incident.condition,
        "onset": _iso(incident.onset_us),
        "end": None if end_us is None else _iso(end_us),
        "minutes": ((end_us or until_us) - incident.onset_us) // MINUTE_US,
        "probability": None if why.probability is None else round(why.probability, 3),
        "runner_up": why.runner_up,
        "earlier_conditions": list(dict.fromkeys(each.condition for each in incident.diagnoses[:-1])),
        "evidence": list(why.evidence),
    }


def incident_lines(facts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Each incident in one line, and its reasons in the lines after it."""
    for each in facts:
        onset = datetime.fromisoformat(each["onset"])
        end = datetime.fromisoformat(each["end"]) if each["end"] else None
        until = "now  " if end is None else f"{end:%H:%M}" if end.date() == onset.date() else f"{end:%Y-%m-%d %H:%M}"
        sure = "" if each["probability"] is None else f"  {100 * each['probability']:.0f} % sure"
        before = f", before: {', '.join(each['earlier_conditions'])}" if each["earlier_conditions"] else ""
        yield (
            f"{each['node']}  {onset:%Y-%m-%d %H:%M} to {until}  {count_of(each['minutes'], 'minute')}  "
            f"{each['condition']}{sure}{before}"
        )
        yield from (f"    {evidence_in_words(line)}" for line in each["evidence"][:MAX_REASONS])


def count_of(number: int, noun: str) -> str:
    """A number with its noun, in the plural unless it is one."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _iso(moment_us: int) -> str:
    return datetime.fromtimestamp(moment_us / 1e6, UTC).isoformat(timespec="seconds")
