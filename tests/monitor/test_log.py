"""The events of the log."""

from __future__ import annotations

import ast
from pathlib import Path

import faultprint
from faultprint.monitor.base.log import EVENTS

LOG_FUNCTIONS = {"log", "_log", "_log_once"}


def test_every_event_is_documented_and_every_documented_event_is_logged() -> None:
    logged = set()
    for path in Path(faultprint.__file__).parent.rglob("*.py"):
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
            if name in LOG_FUNCTIONS and call.args and isinstance(call.args[0], ast.Constant):
                logged.add(call.args[0].value)
    assert logged == {*EVENTS}


def test_names_of_events_are_snake_case() -> None:
    assert all(event.isidentifier() and event.islower() for event in EVENTS)
