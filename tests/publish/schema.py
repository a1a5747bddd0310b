"""The published schemas, and a validator for the part of JSON Schema that they use.

The validator is small on purpose: it raises an error for a keyword that it does not know, so that no value passes by mistake. If
the package jsonschema is installed, test_schema.py compares the two.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "schemas"
needs_schemas = pytest.mark.skipif(not FOLDER.is_dir(), reason="the published schemas are missing: ../shared/schemas")

_SILENT = {"description", "title", "default", "$schema", "definitions", "format", "name", "version"}
_TYPES: Mapping[str, Any] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def load(name: str) -> dict[str, Any]:
    """A schema file in the folder."""
    schema: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return schema


def errors(
    value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], at: str = "$", *, closed: bool = False
) -> Iterator[str]:
    """The errors in `value`; none if it is valid. `closed`: only the properties of the schema are allowed."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/definitions/")
        yield from errors(value, root["definitions"][name], root, at, closed=closed)
        return
    kind = schema.get("type")
    if kind and not _TYPES[kind](value):
        yield f"{at}: {value!r} is not of type {kind}"
        return
    for keyword, wanted in schema.items():
        yield from _keyword(keyword, wanted, value, schema, root, at, closed)
    if schema.get("format") == "date-time" and not _DATE_TIME.fullmatch(value):
        yield f"{at}: {value!r} is not a date-time"


def _keyword(
    keyword: str, wanted: Any, value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], at: str, closed: bool
) -> Iterator[str]:
    if keyword in _SILENT or keyword == "type":
        return
    if keyword == "enum":
        if value not in wanted:
            yield f"{at}: {value!r} is not one of {wanted}"
    elif keyword == "required":
        yield from (f"{at}: {name} is missing" for name in wanted if name not in value)
    elif keyword == "items":
        for index, item in enumerate(value):
            yield from errors(item, wanted, root, f"{at}[{index}]", closed=closed)
    elif keyword in ("properties", "additionalProperties"):
        yield from _properties(keyword, wanted, value, schema, root, at, closed)
    elif keyword in ("oneOf", "anyOf"):
        matches = sum(not list(errors(value, option, root, at, closed=closed)) for option in wanted)
        if matches == 0 or (keyword == "oneOf" and matches > 1):
            yield f"{at}: {value!r} matches {matches} of {keyword}"
    else:
        raise NotImplementedError(f"{at}: the keyword {keyword} is unknown to this validator")


def _properties(
    keyword: str, wanted: Any, value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], at: str, closed: bool
) -> Iterator[str]:
    named = schema.get("properties", {})
    if keyword == "properties":
        for name in named.keys() & value.keys():
            yield from errors(value[name], named[name], root, f"{at}.{name}", closed=closed)
        if closed:
            yield from (f"{at}: {name} is not in the schema" for name in value if name not in named)
        return
    for name in value.keys() - named.keys():
        if wanted is False:
            yield f"{at}: {name} is not allowed"
        elif isinstance(wanted, dict):
            yield from errors(value[name], wanted, root, f"{at}.{name}", closed=closed)


def ves() -> dict[str, Any]:
    """CommonEventFormat 30.2.1."""
    return load("ves/CommonEventFormat_30.2.1_ONAP.json")


def tmf642() -> dict[str, Any]:
    """The definitions of Alarm Management 4.0.0."""
    return load("tmf642/TMF642-alarm-management-4.0.0.json")


def control_loop() -> dict[str, Any]:
    """dcaeCLOutput.json with two corrections: times are integers as in every published sample, and the A&AI alternatives apply.

    In the file the alternatives lack the keyword `properties` and therefore have no effect.
    """
    schema: dict[str, Any] = load("control-loop/dcaeCLOutput.json")["jsonschema"]
    for name in ("closedLoopAlarmStart", "closedLoopAlarmEnd"):
        assert schema["properties"][name]["type"] == "string"
        schema["properties"][name]["type"] = "integer"
    aai = schema["properties"]["AAI"]
    aai["anyOf"] = [{"properties": option, "required": list(option)} for option in aai["anyOf"]]
    return schema
