"""Nothing that others keep or read changes unnoticed: tables, verdicts, messages, and what was stored by an earlier version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .pipeline import EXPECTED, found


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return found(tmp_path_factory.mktemp("golden"))


@pytest.mark.parametrize("part", json.loads(EXPECTED.read_text()))
def test_the_outcome_is_the_recorded_one(outcome: dict[str, Any], part: str) -> None:
    assert outcome[part] == json.loads(EXPECTED.read_text())[part]


def test_every_part_is_recorded(outcome: dict[str, Any]) -> None:
    assert outcome.keys() == json.loads(Path(EXPECTED).read_text()).keys()
