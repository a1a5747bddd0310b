"""An incident as JSON text that reads back equal: for a monitor's own state, not for others."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final
from uuid import UUID

from faultprint.errors import UsageError
from faultprint.publish.incident import Actor, Change, Comment, Diagnosis, Explanation, Incident, Severity


def dump(incident: Incident) -> str:
    """The text; `load` reads it back. A lone surrogate in a name survives, NaN in the grounds, too."""
    return json.dumps({**asdict(incident), "identity": str(incident.identity)})


def load(text: str) -> Incident:
    """The incident in what `dump` gave. Raises UsageError for anything else."""
    try:
        found = json.loads(text)
        return Incident(**{name: _MADE.get(name, _same)(value) for name, value in found.items()})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UsageError(
            f"A stored incident cannot be read ({error}); the state file was altered: remove it."
        ) from None


def _same(value: Any) -> Any:
    return value


def _grounds(value: Any) -> Explanation:
    return Explanation(**{**value, "evidence": tuple(value["evidence"])})


def _comment(value: Any) -> Comment:
    return Comment(Actor(**value["by"]), value["text"])


_MADE: Final[dict[str, Callable[[Any], Any]]] = {
    "identity": UUID,
    "spells": lambda value: tuple(Diagnosis(**spell) for spell in value),
    "severity": Severity,
    "change": Change,
    "grounds": _grounds,
    "acknowledged": lambda value: Actor(**value) if value else None,
    "cleared_by": lambda value: Actor(**value) if value else None,
    "comments": lambda value: tuple(map(_comment, value)),
}
