"""A minute of a node as a measurement event of VES 7.2.1: selected counters of a MINUTES row."""

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
from faultprint.publish.text import MAX_NAME, clean, finite_or_none, round_float32
from faultprint.publish.ves.event import VesSettings, common_header
from faultprint.units import MINUTE_US

MAX_COUNTERS: Final = 512
"""Maximum number of counters of an event; its size then stays far below the limit of 1 MB."""


@dataclass(frozen=True, slots=True)
class MeasurementCounter:
    """A feature of the catalogue and its name in the event: a group (a named hash map) and a name in that group.

    By default the name of the feature is split at its last dot, and the last part is written in camel case, as VES keys are:
    in.register_initial.timeout_share becomes timeoutShare in the group in.register_initial.
    """

    feature: str
    name: str = ""
    group: str = ""

    @property
    def group_and_name(self) -> tuple[str, str]:
        """Group and name; neither is empty."""
        group, _, name = self.feature.rpartition(".")
        first, *others = name.split("_")
        key = first + "".join(word.capitalize() for word in others)
        return clean(self.group or group, MAX_NAME) or "node", clean(self.name or key, MAX_NAME) or "unnamed"


def group_names(counters: Sequence[MeasurementCounter]) -> list[tuple[str, str]]:
    """Group and name of each counter. Raises UsageError if two counters have the same, or if there are too many."""
    names = [counter.group_and_name for counter in counters]
    if len(names) > MAX_COUNTERS:
        raise UsageError(f"{len(names)} counters are more than the limit of {MAX_COUNTERS}; select fewer.")
    if len(set(names)) < len(names):
        group, name = next(pair for pair in names if names.count(pair) > 1)
        raise UsageError(f"Two counters have the name {name!r} in group {group!r}; give one of them another name.")
    return names


def measurement_event(
    row: Mapping[str, object],
    counters: Sequence[MeasurementCounter],
    settings: VesSettings,
    *,
    minute_us: int,
    interval_us: int = MINUTE_US,
    as_objects: bool = False,
) -> dict[str, Any]:
    """{"event": {"commonEventHeader", "measurementFields"}} of one MINUTES row.

    `row` has `node`, `network`, `observed` and the features; `minute_us` is its start. A counter without a value is left out: a
    ratio without a denominator is missing, not 0. additionalMeasurements contains the values as text, as its type requires; with
    `as_objects`, additionalObjects contains them as numbers instead. The same row gives the same eventId. Raises UsageError as
    `group_names` does.
    """
    groups: dict[str, dict[str, float]] = {}
    for counter, (group, name) in zip(counters, group_names(counters), strict=True):
        if (value := finite_or_none(row.get(counter.feature))) is not None:
            groups.setdefault(group, {})[name] = value
    node = str(row["node"])
    header = common_header(
        settings,
        domain="measurement",
        description="Signalling",
        event_id=str(uuid5(NAMESPACE, json.dumps(["measurement", node, minute_us, interval_us]))),
        node=node,
        sequence=0,  # the specification requires 0 in all domains except fault
        priority="Normal",
        start_us=minute_us,
        last_us=minute_us + interval_us,
    )
    fields = {
        "measurementFieldsVersion": "4.0",
        "measurementInterval": round_float32(interval_us / 1_000_000),
        "additionalFields": _additional_fields(row),
        **(_objects(groups, minute_us) if as_objects else _measurements(groups)),
    }
    return {"event": {"commonEventHeader": header, "measurementFields": fields}}


def _additional_fields(row: Mapping[str, object]) -> dict[str, str]:
    observed = finite_or_none(row.get("observed"))
    fields = {
        "network": clean(str(row.get("network") or ""), MAX_NAME),
        "observed": str(round_float32(observed or 0.0)),
    }
    return {name: value for name, value in fields.items() if value}


def _measurements(groups: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    hash_maps = [
        {"name": group, "hashMap": {name: str(round_float32(value)) for name, value in values.items()}}
        for group, values in groups.items()
    ]
    return {"additionalMeasurements": hash_maps}


def _objects(groups: Mapping[str, Mapping[str, float]], minute_us: int) -> dict[str, Any]:
    return {
        "additionalObjects": [
            {
                "objectName": group,
                "objectInstances": [
                    {
                        "objectInstance": {name: round_float32(value) for name, value in values.items()},
                        "objectInstanceEpochMicrosec": minute_us,
                    }
                ],
            }
            for group, values in groups.items()
        ]
    }
