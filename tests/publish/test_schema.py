"""The validator itself: it must be able to fail."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from faultprint.publish.ves.event import VesSettings, fault_event
from faultprint_lab.pages.publish import story

from .schema import control_loop, faults, load, needs_schemas, ves


def _event() -> dict[str, Any]:
    return fault_event(story()[0], VesSettings())


SPOILT = (
    ("event.commonEventHeader.version", "9.9"),
    ("event.commonEventHeader.sequence", 1.5),
    ("event.commonEventHeader.sequence", True),
    ("event.commonEventHeader.startEpochMicrosec", "1767604200000000"),
    ("event.commonEventHeader.invented", "x"),
    ("event.commonEventHeader.domain", None),
    ("event.faultFields.eventSeverity", "CLEARED"),
    ("event.faultFields.alarmAdditionalInformation.distance", 1.5),
    ("event.faultFields.vfStatus", ...),
    ("event.commonEventHeader.eventId", ...),
)


def _spoil(path: str, value: object) -> dict[str, Any]:
    event = copy.deepcopy(_event())
    *parents, name = path.split(".")
    inner: Any = event
    for parent in parents:
        inner = inner[parent]
    if value is ...:
        del inner[name]
    else:
        inner[name] = value
    return event


@needs_schemas
@pytest.mark.parametrize(("path", "value"), SPOILT)
def test_a_spoilt_event_is_found_out(path: str, value: object) -> None:
    assert not list(faults(_event(), ves(), ves()))
    assert list(faults(_spoil(path, value), ves(), ves()))


@needs_schemas
def test_the_control_loop_schema_is_corrected_only_where_the_sample_contradicts_it() -> None:
    sample = load("control-loop/sample-onset-vcpe.json")
    published = load("control-loop/dcaeCLOutput.json")["jsonschema"]
    published["properties"]["AAI"].pop("anyOf")
    assert [fault.split(":")[0] for fault in faults(sample, published, published)] == ["$.closedLoopAlarmStart"]
    assert not list(faults(sample, control_loop(), control_loop()))
    assert list(faults(sample | {"AAI": {}}, control_loop(), control_loop()))


def test_an_unknown_keyword_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="minLength"):
        list(faults("a", {"type": "string", "minLength": 3}, {}))


@needs_schemas
def test_the_validator_agrees_with_jsonschema() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed; ours stands alone")
    judge = jsonschema.Draft4Validator(ves())
    for event in (_event(), *(_spoil(path, value) for path, value in SPOILT)):
        assert judge.is_valid(event) == (not list(faults(event, ves(), ves())))
