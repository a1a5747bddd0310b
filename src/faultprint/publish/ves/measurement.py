"""One minute of one node as a measurement event of VES 7.2.1: counters chosen from a MINUTES row."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid5

from faultprint.errors import UsageError
from faultprint.publish.incident import (
    NAMESPACE,
)
from faultprint.publish.text import NAME, clean, finite, rounded
from faultprint.publish.ves.event import VesSettings, common_header
from faultprint.units import MINUTE_US

COUNTERS: Final = 512
"""Counters of one event, at most: a message stays far below VES's limit of one megabyte."""


@dataclass(frozen=True, slots=True)
class Counter:
    """A feature of the catalogue, and what it is called outside: a group (a named hash map) and a name within it.

    Without them the feature's own name is parted at its last dot and the end written as VES writes keys:
    in.register_initial.timeout_share becomes timeoutShare in in.register_initial.
    """

    feature: str
    name: str = ""
    group: str = ""

    @property
    def place(self) -> tuple[str, str]:
        """Group and name, none empty."""
        group, _, name = self.feature.rpartition(".")
        first, *others = name.split("_")
        key = first + "".join(word.capitalize() for word in others)
        return clean(self.group or group, NAME) or "node", clean(self.name or key, NAME) or "unnamed"


def places(counters: Sequence[Counter]) -> list[tuple[str, str]]:
    """Group and name of each. Raises UsageError if two claim one place, or there are too many."""
    found = [counter.place for counter in counters]
    if len(found) > COUNTERS or len(set(found)) < len(found):
        raise UsageError(
            f"{len(found)} counters cannot be told apart or are more than {COUNTERS}; name each once, by group and name."
        )
    return found


def measurement_event(
    row: Mapping[str, object],
    counters: Sequence[Counter],
    settings: VesSettings,
    *,
    minute_us: int,
    interval_us: int = MINUTE_US,
    objects: bool = False,
) -> dict[str, Any]:
    """{"event": {"commonEventHeader", "measurementFields"}} of one MINUTES row.

    `row` has `node`, `network`, `observed` and the features; `minute_us` is its start. A counter without a value is
    left out: a ratio without a denominator is missing, never 0. additionalMeasurements carries the values as text, as
    its type wants; with `objects` they go as numbers into additionalObjects instead. The same row makes the same
    eventId. Raises UsageError as `places` does.
    """
    groups: dict[str, dict[str, float]] = {}
    for counter, (group, name) in zip(counters, places(counters), strict=True):
        if (value := finite(row.get(counter.feature))) is not None:
            groups.setdefault(group, {})[name] = value
    node = str(row["node"])
    header = common_header(
        settings,
        domain="measurement",
        description="Signalling",
        event_id=str(uuid5(NAMESPACE, json.dumps(["measurement", node, minute_us, interval_us]))),
        node=node,
        sequence=0,  # the specification: 0 for all domains except fault
        priority="Normal",
        start_us=minute_us,
        last_us=minute_us + interval_us,
    )
    fields = {
        "measurementFieldsVersion": "4.0",
        "measurementInterval": rounded(interval_us / 1_000_000),
        "additionalFields": _about(row),
        **(_objects(groups, minute_us) if objects else _measurements(groups)),
    }
    return {"event": {"commonEventHeader": header, "measurementFields": fields}}


def _about(row: Mapping[str, object]) -> dict[str, str]:
    observed = finite(row.get("observed"))
    told = {"network": clean(str(row.get("network") or ""), NAME), "observed": str(rounded(observed or 0.0))}
    return {name: value for name, value in told.items() if value}


def _measurements(groups: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    named = [
        {"name": group, "hashMap": {name: str(rounded(value)) for name, value in values.items()}}
        for group, values in groups.items()
    ]
    return {"additionalMeasurements": named}


def _objects(groups: Mapping[str, Mapping[str, float]], minute_us: int) -> dict[str, Any]:
    return {
        "additionalObjects": [
            {
                "objectName": group,
                "objectInstances": [
                    {
                        "objectInstance": {name: rounded(value) for name, value in values.items()},
                        "objectInstanceEpochMicrosec": minute_us,
                    }
                ],
            }
            for group, values in groups.items()
        ]
    }
