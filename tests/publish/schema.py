"""The published schemas, and a validator for the JSON Schema that they use.

Small on purpose: it knows the keywords of these files and refuses any other, so that nothing passes because it was not
understood. Where the package jsonschema is installed, test_schema.py holds the two against each other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "schemas"
needs_schemas = pytest.mark.skipif(not FOLDER.is_dir(), reason="the published schemas (../shared/schemas) are not here")

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
    """A schema file below the folder."""
    found: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return found


def faults(
    value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], at: str = "$", *, closed: bool = False
) -> Iterator[str]:
    """What is wrong with `value`; nothing if it is valid. `closed`: no properties but those that the schema names."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/definitions/")
        yield from faults(value, root["definitions"][name], root, at, closed=closed)
        return
    kind = schema.get("type")
    if kind and not _TYPES[kind](value):
        yield f"{at}: {value!r} is no {kind}"
        return
    for keyword, wanted in schema.items():
        yield from _keyword(keyword, wanted, value, schema, root, at, closed)
    if schema.get("format") == "date-time" and not _DATE_TIME.fullmatch(value):
        yield f"{at}: {value!r} is no date-time"


def _keyword(
    keyword: str, wanted: Any, value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], at: str, closed: bool
) -> Iterator[str]:
    if keyword in _SILENT or keyword == "type":
        return
    if keyword == "enum":
        if value not in wanted:
            yield f"{at}: {value!r} is none of {wanted}"
    elif keyword == "required":
        yield from (f"{at}: {name} is missing" for name in wanted if name not in value)
    elif keyword == "items":
        for index, item in enumerate(value):
            yield from faults(item, wanted, root, f"{at}[{index}]", closed=closed)
    elif keyword in ("properties", "additionalProperties"):
        yield from _properties(keyword, wanted, value, schema, root, at, closed)
    elif keyword in ("oneOf", "anyOf"):
        good = sum(not list(faults(value, option, root, at, closed=closed)) for option in wanted)
        if good == 0 or (keyword == "oneOf" and good > 1):
            yield f"{at}: {value!r} fits {good} of {keyword}"
    else:
        raise NotImplementedError(f"{at}: the keyword {keyword} is not known to this validator")


def _properties(
    keyword: str, wanted: Any, value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], at: str, closed: bool
) -> Iterator[str]:
    named = schema.get("properties", {})
    if keyword == "properties":
        for name in named.keys() & value.keys():
            yield from faults(value[name], named[name], root, f"{at}.{name}", closed=closed)
        if closed:
            yield from (f"{at}: {name} is not in the schema" for name in value if name not in named)
        return
    for name in value.keys() - named.keys():
        if wanted is False:
            yield f"{at}: {name} is not allowed"
        elif isinstance(wanted, dict):
            yield from faults(value[name], wanted, root, f"{at}.{name}", closed=closed)


def ves() -> dict[str, Any]:
    """CommonEventFormat 30.2.1."""
    return load("ves/CommonEventFormat_30.2.1_ONAP.json")


def tmf642() -> dict[str, Any]:
    """The definitions of Alarm Management 4.0.0."""
    return load("tmf642/TMF642-alarm-management-4.0.0.json")


def control_loop() -> dict[str, Any]:
    """dcaeCLOutput.json, the times integers as in every published sample, the A&AI alternatives made to bite.

    In the file they lack the word `properties`, and so say nothing.
    """
    schema: dict[str, Any] = load("control-loop/dcaeCLOutput.json")["jsonschema"]
    for name in ("closedLoopAlarmStart", "closedLoopAlarmEnd"):
        assert schema["properties"][name]["type"] == "string"
        schema["properties"][name]["type"] = "integer"
    aai = schema["properties"]["AAI"]
    aai["anyOf"] = [{"properties": option, "required": list(option)} for option in aai["anyOf"]]
    return schema
