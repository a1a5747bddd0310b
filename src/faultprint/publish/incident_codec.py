"""An incident as JSON text in a monitor's own state. The format is not for other systems: see `record` for those."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final
from uuid import UUID

from faultprint.errors import UsageError
from faultprint.publish.incident import Actor, Change, Comment, Diagnosis, Explanation, Incident, Severity

_STORED_NAMES: Final = {"diagnoses": "spells", "explanation": "grounds", "acknowledged_by": "acknowledged"}
"""Attribute → its name in stored documents, where the two differ. Stored names never change: old states stay readable."""
_ATTRIBUTES: Final = {stored: name for name, stored in _STORED_NAMES.items()}


def dump(incident: Incident) -> str:
    """The JSON text of an incident. Lone surrogates in names and NaN in the explanation survive."""
    document = {_STORED_NAMES.get(name, name): value for name, value in asdict(incident).items()}
    document["identity"] = str(incident.identity)
    document["comments"] = [{"by": asdict(comment.author), "text": comment.text} for comment in incident.comments]
    return json.dumps(document)


def load(text: str) -> Incident:
    """The incident from a text of `dump`. Raises UsageError for any other text."""
    try:
        fields = {_ATTRIBUTES.get(name, name): value for name, value in json.loads(text).items()}
        return Incident(**{name: _PARSERS.get(name, _unchanged)(value) for name, value in fields.items()})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UsageError(
            f"A stored incident cannot be read ({error}); the state was altered outside Faultprint: remove the state file."
        ) from None


def _unchanged(value: Any) -> Any:
    return value


def _parse_explanation(value: Any) -> Explanation:
    return Explanation(**{**value, "evidence": tuple(value["evidence"])})


def _parse_actor(value: Any) -> Actor | None:
    return Actor(**value) if value else None


_PARSERS: Final[dict[str, Callable[[Any], Any]]] = {
    "identity": UUID,
    "diagnoses": lambda value: tuple(Diagnosis(**diagnosis) for diagnosis in value),
    "severity": Severity,
    "change": Change,
    "explanation": _parse_explanation,
    "acknowledged_by": _parse_actor,
    "cleared_by": _parse_actor,
    "comments": lambda value: tuple(Comment(Actor(**comment["by"]), comment["text"]) for comment in value),
}
