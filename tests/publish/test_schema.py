"""The validator itself: it must find errors."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from faultprint.publish.ves.event import VesSettings, fault_event
from faultprint_lab.pages.publish import story

from .schema import control_loop, errors, load, needs_schemas, ves


def _event() -> dict[str, Any]:
    return fault_event(story()[0], VesSettings())


INVALID = (
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


def _changed(path: str, value: object) -> dict[str, Any]:
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
@pytest.mark.parametrize(("path", "value"), INVALID)
def test_an_invalid_event_is_detected(path: str, value: object) -> None:
    assert not list(errors(_event(), ves(), ves()))
    assert list(errors(_changed(path, value), ves(), ves()))


@needs_schemas
def test_the_control_loop_schema_is_corrected_only_where_a_sample_contradicts_it() -> None:
    sample = load("control-loop/sample-onset-vcpe.json")
    published = load("control-loop/dcaeCLOutput.json")["jsonschema"]
    published["properties"]["AAI"].pop("anyOf")
    assert [error.split(":")[0] for error in errors(sample, published, published)] == ["$.closedLoopAlarmStart"]
    assert not list(errors(sample, control_loop(), control_loop()))
    assert list(errors(sample | {"AAI": {}}, control_loop(), control_loop()))


def test_an_unknown_keyword_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="minLength"):
        list(errors("a", {"type": "string", "minLength": 3}, {}))


@needs_schemas
def test_the_validator_agrees_with_jsonschema() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed; ours is not compared")
    reference = jsonschema.Draft4Validator(ves())
    for event in (_event(), *(_changed(path, value) for path, value in INVALID)):
        assert reference.is_valid(event) == (not list(errors(event, ves(), ves())))
